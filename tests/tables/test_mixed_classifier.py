"""Several columns trained together."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import skrub
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import sktransfer
from sktransfer import (
    AudioClassifier,
    AudioEmbedder,
    ImageClassifier,
    MixedClassifier,
    TextTagger,
    find_lr,
)
from sktransfer.exceptions import BadCellError, ColumnError, LeftOutWarning, TargetError
from sktransfer.training import RangeTest, run_range_test
from sktransfer.training.heads import _fusion_head
from tests._tiny import images, sounds, tiny_network

N = 40
Y = np.array(["even", "odd"] * (N // 2))
NETWORK = tiny_network()


def make(trainable=1, reuse="auto", **options):
    photo = ImageClassifier(
        NETWORK, trainable=trainable, image_size=16, cache=False, reuse_activations=reuse
    )
    sound = AudioClassifier("log-mel", sampling_rate=16_000, cache=False, reuse_activations=reuse)
    options = {"max_epochs": 3, "random_state": 0} | options
    return MixedClassifier({"photo": photo, "sound": sound}, **options)


@pytest.fixture(scope="module")
def table():
    """Return pictures that tell the class by their brightness, sounds, numbers and categories."""
    pictures = images(N)
    pictures[::2] //= 2
    rng = np.random.default_rng(0)
    columns = {
        "photo": list(pictures),
        "sound": sounds(N),
        "size": rng.normal(size=N),
        "colour": rng.choice(["red", "blue"], N),
    }
    return pd.DataFrame(columns, index=np.arange(N) + 100)


@pytest.fixture(scope="module")
def holes(table):
    """Return the table with missing cells in each column."""
    found, rng = table.copy(), np.random.default_rng(1)
    for name in table:
        found.loc[rng.random(N) < 0.25, name] = None
    return found


@pytest.fixture(scope="module")
def model(table):
    return make().fit(table, Y)


def test_all_columns_are_learned_together(model, table):
    assert model.score(table, Y) > 0.9
    assert list(model.towers_) == ["photo", "sound", "rest"]
    assert model.n_features_in_ == 4
    features = model.transform(table)
    assert features.shape == (N, len(model.get_feature_names_out())) == (N, 6 + 128 + 2 + 2)
    assert np.isfinite(features).all()
    proba = model.predict_proba(table)
    assert list(model.classes_) == ["even", "odd"]
    np.testing.assert_allclose(proba.sum(1), 1)


@pytest.mark.parametrize("trainable", ["head", 1])
def test_kept_activations_change_nothing(trainable, holes):
    results = [
        make(trainable, reuse, modality_dropout=0.3).fit(holes, Y).predict_proba(holes)
        for reuse in (True, False)
    ]
    np.testing.assert_array_equal(*results)


def test_a_row_does_not_depend_on_others(model, table):
    alone = [model.predict_proba(table.iloc[[row]])[0] for row in range(4)]
    np.testing.assert_allclose(alone, model.predict_proba(table)[:4], rtol=1e-5)


def test_columns_are_found_by_name(model, table):
    other = table[table.columns[::-1]].assign(more=1)
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(table))
    with pytest.raises(ColumnError, match="X has no column 'size', which MixedClassifier"):
        model.predict(table.drop(columns="size"))


def test_a_missing_cell_is_a_blank(model, table, holes):
    assert make(modality_dropout=0.2).fit(holes, Y).score(table, Y) > 0.9
    # A whole column that is missing leaves the others.
    assert model.score(table.assign(sound=None), Y) > 0.75
    assert np.isfinite(model.predict_proba(table.assign(photo=None))).all()
    assert make().fit(table.assign(photo=None), Y).towers_["photo"]._n_features_out == 6


def test_without_one_column_the_others_predict():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(200, 2))
    y = (numbers.sum(1) > 0).astype(int)
    towers = {name: (StandardScaler(), [name]) for name in "ab"}
    table = pd.DataFrame(numbers, columns=["a", "b"])
    model = MixedClassifier(towers, modality_dropout=0.3, lr=0.05, random_state=0).fit(table, y)
    assert model.score(table, y) > 0.95
    assert model.score(table.assign(a=np.nan), y) > 0.65


def test_a_damaged_cell_names_row_and_column(model, table):
    damaged = table.copy()
    damaged.loc[103, "photo"] = b"GIF89a"
    for call in (lambda: make().fit(damaged, Y), lambda: model.predict(damaged)):
        with pytest.raises(BadCellError, match=r"row 3 \(index 103\) of column 'photo'"):
            call()
    lenient = make().set_params(photo__on_error="nan")
    with pytest.warns(
        sktransfer.exceptions.BadCellWarning, match="1 of 40 rows are blanks in the fit"
    ):
        lenient.fit(damaged, Y)
    with pytest.warns(sktransfer.exceptions.BadCellWarning, match="replaced by blanks"):
        assert len(lenient.predict(damaged)) == N
    with pytest.warns(sktransfer.exceptions.BadCellWarning, match="blanks in the validation"):
        lenient.fit(table, Y, X_val=damaged, y_val=Y)


def test_a_transformer_of_cells_has_blanks_for_missing_ones(table, holes):
    embedder = AudioEmbedder("log-mel", sampling_rate=16_000, cache=False)
    towers = {"sound": embedder, "photo": None}
    model = MixedClassifier(towers, max_epochs=2, random_state=0).fit(holes, Y)
    fused = model.transform(table.assign(sound=None))
    np.testing.assert_array_equal(fused[:, :128], np.tile(fused[0, :128], (N, 1)))
    assert np.ptp(model.transform(table)[:, 0]) > 0


def test_a_transformer_without_names_of_features_has_blanks_too():
    rows = pd.DataFrame({"title": ["good", "bad"] * 8, "size": range(16)})
    model = MixedClassifier({"title": HashingVectorizer(n_features=8)}, random_state=0)
    empty = rows.assign(title=None)
    model.fit(rows, Y[:16], X_val=empty, y_val=Y[:16])
    some = model.predict_proba(rows.assign(title=[None, *rows["title"][1:]]))
    np.testing.assert_allclose(model.predict_proba(empty[:1]), some[:1], rtol=1e-5)


def test_a_transformer_of_skrub_takes_a_column(table):
    since = pd.Series(pd.date_range("2025-01-01", periods=N), index=table.index)
    towers = {"since": skrub.DatetimeEncoder(), "photo": None, "sound": None, "rest": None}
    model = MixedClassifier(towers, max_epochs=2, random_state=0)
    fused = model.fit(table.assign(since=since), Y).transform(table.assign(since=pd.NaT))
    np.testing.assert_array_equal(fused, np.tile(fused[0], (N, 1)))


def test_a_row_without_any_cell_of_the_rest_has_a_blank(table):
    model = MixedClassifier({"photo": None, "sound": None}, max_epochs=2, random_state=0)
    model.fit(table, Y)
    part = table.assign(size=np.where(np.arange(N) < 2, np.nan, 1.0), colour=None)
    blank = model._head["blank"] * model._head["scale"]
    fused = model.transform(part)
    np.testing.assert_allclose(fused[:2], np.tile(blank, (2, 1)))
    assert not np.allclose(fused[2], blank)


def test_columns_are_recognized_as_by_a_table_embedder(table):
    n = len(table)
    more = {
        "title": [f"a film of the year {year}" for year in range(n)],
        "code": [f"AB-{number}" for number in range(n)],
        "since": pd.date_range("2025-01-01", periods=n).to_numpy(),
        "rest": table["size"].astype(str).to_numpy(),
        "list": [[1, 2]] * n,
    }
    towers = {"photo": None, "sound": None, "title": None}
    model = MixedClassifier(towers, max_epochs=1, random_state=0)
    with pytest.warns(LeftOutWarning, match="'list'.*Name an estimator for each in `towers`"):
        model.fit(table.assign(**more), Y)
    (name,) = model.towers_
    kinds = {row["column"]: row["kind"] for row in model.towers_[name].recognized_}
    assert name == "rest_"  # "rest" is a column
    assert kinds == {
        "size": "number", "colour": "category", "code": "drop", "since": "date", "rest": "number"
    }  # fmt: skip


def test_useless_columns_of_the_rest_have_little_weight():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(200, 12))).add_prefix("number ")
    y = np.where(table["number 3"] > 0, "a", "b")
    fused = MixedClassifier(max_epochs=1, random_state=0).fit(table, y).transform(table)
    spread = fused.std(0).reshape(12, 2)[:, 0]
    assert spread.argmax() == 3
    assert spread[3] > 10 * np.delete(spread, 3).max()


class Rates(RangeTest):
    def on_batch_end(self, net, **kwargs):
        self.last = {group["name"]: group["lr"] for group in net.optimizer_.param_groups}
        super().on_batch_end(net, **kwargs)


def test_the_rate_of_a_tower_keeps_its_ratio_in_a_range_test(table):
    test = Rates(np.geomspace(1e-5, 1e-3, 5))
    run_range_test(make(lr=1e-2).set_params(photo__lr=1e-4), table, Y, test)
    assert test.last["head"] == pytest.approx(1e-3)
    assert test.last["photo/stage4"] == pytest.approx(1e-5)


def test_a_learning_rate_is_found(table):
    assert 1e-6 < find_lr(make(), table, Y, steps=20).suggestion < 1


def test_towers_are_parameters(table):
    model = make().set_params(photo__trainable="head", sound=None)
    assert clone(model).get_params()["photo__trainable"] == "head"
    assert list(clone(model).fit(table, Y).towers_) == ["photo", "rest"]
    search = GridSearchCV(make(max_epochs=1), {"photo__trainable": ["head", 1]}, cv=2)
    assert search.fit(table, Y).best_params_["photo__trainable"] in ("head", 1)


def test_pickles_and_files_hold_trained_weights_only(model, table, tmp_path):
    proba = model.predict_proba(table)
    copied = pickle.dumps(model)
    assert len(copied) < 60_000
    np.testing.assert_array_equal(pickle.loads(copied).predict_proba(table), proba)
    with pytest.warns(sktransfer.exceptions.SktransferWarning, match="Sequential"):
        sktransfer.save(model, tmp_path / "model")
    loaded = sktransfer.load(tmp_path / "model", modules=[NETWORK])
    np.testing.assert_array_equal(loaded.predict_proba(table), proba)


def test_containers_are_equal():
    texts = [f"a {'good' if row % 2 else 'bad'} film number {row}" for row in range(20)]
    table = pd.DataFrame({"text": texts, "year": range(20), "kind": ["x", "y"] * 10})
    y = ["a", "b"] * 10
    models = [
        MixedClassifier(max_epochs=2, random_state=0).fit(X, y).predict_proba(X)
        for X in (
            table,
            pl.from_pandas(table),
            pa.table(table.to_dict("list")),
            table.to_numpy(object),
            table.to_numpy(object).tolist(),
        )
    ]
    for proba in models[1:]:
        np.testing.assert_array_equal(proba, models[0])


def test_a_fit_goes_on(table):
    model = make(warm_start=True).fit(table, Y).fit(table, Y)
    losses = [record["train_loss"] for record in model.history_]
    assert len(losses) == 6
    assert losses[3] < losses[2]
    assert len(make().partial_fit(table, Y).partial_fit(table, Y).history_) == 2


@pytest.mark.parametrize("trainable", ["all", "gradual"])
def test_strategies_of_towers(trainable, table):
    losses = [record["train_loss"] for record in make(trainable).fit(table, Y).history_]
    assert losses[-1] < losses[0]


def test_options_of_the_training(holes):
    options = {"mixup": 0.2, "dropout": 0.1, "label_smoothing": 0.1, "class_weight": "balanced"}
    model = make(probe_epochs=1, early_stopping=True, validation_fraction=0.25, **options)
    model.set_params(photo__augment="light").fit(holes, Y, sample_weight=np.arange(N) + 1)
    assert [record["phase"] for record in model.history_] == ["probe", *["train"] * 3]
    assert "valid_loss" in model.history_[-1]
    assert "valid_loss" in make().fit(holes, Y, X_val=holes, y_val=Y).history_[0]


def test_a_matrix_of_labels(table):
    labels = np.stack([Y == "odd", np.arange(N) % 3 == 0], axis=1).astype(int)
    assert make().fit(table, labels).predict(table).shape == (N, 2)


def test_a_tower_has_features_and_no_predictions(model, table):
    assert model.towers_["photo"].transform(table["photo"]).shape == (N, 6)
    with pytest.raises(TargetError, match="has no head of its own"):
        model.towers_["photo"].predict(table["photo"])


def test_the_defaults_learn_a_small_table_of_numbers():
    X, y = load_wine(return_X_y=True, as_frame=True)
    scores = cross_val_score(MixedClassifier(random_state=0), X, y, cv=5)
    assert scores.mean() > 0.95


def test_one_tower_learns_what_its_fine_tuner_learns(table, monkeypatch):
    monkeypatch.setattr(_fusion_head, "_LEAST_WIDTH", 1)  # the network is a tiny one
    alone = make().towers["photo"].set_params(random_state=0, max_epochs=3)
    alone.fit(table["photo"], Y)
    towers = {"photo": make().towers["photo"], "rest": None}
    model = MixedClassifier(towers, max_epochs=3, random_state=0).fit(table, Y)
    np.testing.assert_allclose(
        model.predict_proba(table), alone.predict_proba(table["photo"]), atol=1e-4
    )


@pytest.mark.parametrize(
    ("towers", "message"),
    [
        (
            {"foto": ImageClassifier()},
            "The tower 'foto' is of the column 'foto', and X has 'photo'",
        ),
        ({"rest": None, "photo": None}, "towers leaves no column of X"),
        ({"both": (StandardScaler(), ["size", "size"])}, "has a column twice: size, size"),
        ({"both": (ImageClassifier(), ["photo", "sound"])}, "takes one column, and not 2"),
        (
            {"size": (StandardScaler(), ["colour"]), "sound": None},
            "could not convert string to float",
        ),
    ],
)
def test_towers_that_do_not_fit_are_refused(towers, message, table):
    with pytest.raises(ValueError, match=message):
        MixedClassifier(towers).fit(table, Y)


@pytest.mark.parametrize("tower", [3, TextTagger()])
def test_towers_of_other_types_are_refused(tower, table):
    with pytest.raises(TypeError, match="must be a fine-tuner of rows"):
        MixedClassifier({"photo": tower}).fit(table, Y)
    with pytest.raises(TypeError, match="'x' must be a pair of an estimator and its columns"):
        MixedClassifier({"x": (tower, ["photo"], 1)}).fit(table, Y)


_BATCHES = {
    "check_sample_weight_equivalence_on_dense_data": "a row of weight 2 is in one batch of an "
    "epoch, a row that is there twice in two"
}


@parametrize_with_checks(
    [MixedClassifier(max_epochs=20, lr=0.05, random_state=0)],
    expected_failed_checks=lambda estimator: _BATCHES,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
