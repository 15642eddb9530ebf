"""Explanations of any model around the estimators of this package, from any container."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from sktransfer import (
    AudioEmbedder,
    ImageClassifier,
    ImageRegressor,
    TextClassifier,
    TextEmbedder,
    cache_info,
    explain,
)
from sktransfer.columns import rows_of
from sktransfer.exceptions import ColumnError
from tests._tiny import images, tiny_network
from tests.inspection._explained import (
    BAD,
    GOOD,
    LABELS,
    image_embedder,
    table,
    table_model,
    text_model,
)

TEXTS = ["what a bad , bad day", "good morning"]


def top_word(weights):
    return max(weights, key=lambda word: word[3])[2]


# Containers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        np.array,
        lambda X: np.array(X, dtype=object),
        lambda X: np.array(X)[:, None],
        lambda X: pd.Series(X, index=[7, 3]),
        pd.Index,
        lambda X: pd.DataFrame({"text": X}, index=[7, 3]),
        pl.Series,
        lambda X: pl.DataFrame({"text": X}),
        pa.array,
        lambda X: pa.table({"text": X}),
    ],
)
def test_any_container_of_texts_gives_the_same(container):
    expected, found = explain(text_model(), TEXTS), explain(text_model(), container(TEXTS))
    np.testing.assert_allclose(found.shares, expected.shares, atol=1e-6)
    for own, other in zip(found.parts, expected.parts, strict=True):
        assert next(iter(own.values())) == other["0"]


def test_a_table_of_polars_gives_the_same_as_one_of_pandas():
    X = table().drop(columns="shop")
    model = table_model()
    parts = [
        (name, step, column) for name, step, column in model[0].transformers_ if name != "shop"
    ]
    model = make_pipeline(type(model[0])([p for p in parts if p[0] != "remainder"]), Ridge())
    model.fit(X, np.arange(8.0))
    other = pl.DataFrame({"photo": pl.Series(list(X["photo"]), dtype=pl.Object)})
    other = other.with_columns(title=pl.Series(X["title"]), price=pl.Series(X["price"]))
    a, b = explain(model, X, max_evals=4), explain(model, other, max_evals=4)
    np.testing.assert_allclose(a.shares, b.shares, atol=1e-5)
    assert a.columns == b.columns == ["photo", "title", "price"]


def test_a_matrix_of_objects_has_numbered_columns():
    X = table()[["title", "price"]].to_numpy(object)
    model = table_model()[0]
    columns = type(model)([("t", TextEmbedder(cache=False), 0), ("p", StandardScaler(), [1])])
    found = explain(make_pipeline(columns, Ridge()).fit(X, np.arange(8.0)), X[:3])
    assert found.columns == ["0", "1"]
    assert top_word(found.parts[0]["0"]) in X[0, 0]


def test_flattened_images_are_one_column():
    X = images(8).reshape(8, -1)
    model = make_pipeline(image_embedder(image_shape=(16, 16, 3)), LogisticRegression())
    flat = explain(model.fit(X, [0, 1] * 4), X[:2], background=X, max_evals=4)
    whole = make_pipeline(image_embedder(), model[-1])
    whole[0].fit(images(8))
    expected = explain(whole, images(8)[:2], background=images(8), max_evals=4)
    assert flat.columns == ["0"]
    np.testing.assert_allclose(flat.shares, expected.shares, atol=1e-6)
    np.testing.assert_allclose(flat.parts[0]["0"], expected.parts[0]["0"], atol=1e-6)


@pytest.mark.parametrize(
    "X", [None, {"a": 1}, "text", 3, iter(["a"]), sparse.eye(3).tocsr(), [], np.empty((0, 2))]
)
def test_what_is_no_container_of_rows_is_refused(X):
    with pytest.raises(ColumnError):
        explain(text_model(), X)


# Models --------------------------------------------------------------------------------------


def models_around():
    embedder = TextEmbedder(cache=False)
    forest = make_pipeline(embedder, RandomForestClassifier(20, n_jobs=2, random_state=0))
    linear = make_pipeline(embedder, LogisticRegression(C=10))
    return {
        "search": GridSearchCV(linear, {"logisticregression__C": [1, 10]}, cv=2),
        "frozen": FrozenEstimator(text_model()),
        "calibrated": CalibratedClassifierCV(FrozenEstimator(text_model()), cv=2),
        "stacked": StackingClassifier([("l", linear)], LogisticRegression(), cv=2),
        "voting": VotingClassifier([("l", linear), ("f", forest)], voting="soft", n_jobs=2),
        "union": make_pipeline(FeatureUnion([("t", embedder)]), LogisticRegression(C=10)),
        "lower case": make_pipeline(FunctionTransformer(lower), linear),
        "decision": make_pipeline(embedder, SVC(probability=False)),
        "perceptron": make_pipeline(embedder, Perceptron()),
        "hard voting": VotingClassifier([("l", linear)], voting="hard"),
    }


def lower(X):
    return [f"it is {text.lower()}" for text in X]


SLOW = {"stacked", "voting", "calibrated"}
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in models_around()]


@pytest.mark.parametrize("name", NAMES)
def test_the_word_that_decides_is_found_through_any_model(name):
    model = models_around()[name].fit([*GOOD, *BAD], LABELS)
    found = explain(model, ["what a BAD day", "good morning"])
    assert found.target == ["-", "+"]
    assert [top_word(parts["0"]).lower() for parts in found.parts] == ["bad", "good"]
    assert found.shares[0, 0] > 0


def test_texts_joined_of_two_columns_have_words_in_both():
    X = pd.DataFrame({"head": GOOD + BAD, "body": ["it is so"] * 10, "size": np.arange(10.0)})
    joined = FunctionTransformer(lambda X: X["head"] + " " + X["body"])
    model = make_pipeline(joined, TextEmbedder(cache=False), LogisticRegression(C=10))
    found = explain(model.fit(X, LABELS), X.iloc[[0, 7]])
    assert [sorted(parts) for parts in found.parts] == [["body", "head"]] * 2
    assert [top_word(parts["head"]) for parts in found.parts] == ["good", "bad"]
    np.testing.assert_array_equal(found.shares[:, 2], 0)


def test_a_model_without_our_estimators_has_shares_only():
    X = table()[["price", "title"]]
    words = TfidfVectorizer()
    columns = type(table_model()[0])([("p", StandardScaler(), ["price"]), ("t", words, "title")])
    model = make_pipeline(columns, LogisticRegression()).fit(X, [1] * 4 + [0] * 4)
    found = explain(model, X.iloc[:3])
    assert found.parts == [{}, {}, {}]
    assert np.isfinite(found.shares).all()
    model = make_pipeline(TfidfVectorizer(), Ridge()).fit(GOOD, range(5))
    assert explain(model, GOOD).shares.shape == (5, 1)


def test_fine_tuners_are_explained():
    options = {"cache": False, "max_epochs": 2, "random_state": 0}
    text = TextClassifier(**options).fit([*GOOD, *BAD], LABELS)
    assert explain(text, ["a bad day"]).parts[0]["0"][1][2] == "bad"
    images_ = images(6)
    network = {"backbone": tiny_network(), "image_size": 16, **options}
    found = explain(
        ImageClassifier(**network, trainable="all").fit(images_, [0, 1] * 3), images_[:2]
    )
    assert np.asarray(found.parts[1]["0"]).shape == (16, 16)
    model = ImageRegressor(**network).fit(images_, np.arange(6.0))
    found = explain(model, images_[:2])
    assert (found.target, found.unit) == (None, "prediction")
    np.testing.assert_allclose(found.output, model.predict(images_[:2]), rtol=1e-5)
    labels = ImageClassifier(**network).fit(images_, [[1, 0, 1], [0, 1, 1]] * 3)
    found = explain(labels, images_[:2])
    assert found.target == labels.predict_proba(images_[:2]).argmax(1).tolist()
    assert explain(labels, images_[:2], target=[1, 0]).target == [1, 0]


def test_the_seconds_that_decide_are_found_in_sounds():
    rng, times = np.random.default_rng(0), np.arange(32_000) / 16_000
    noise = [rng.normal(scale=0.1, size=16_000).astype(np.float32) for _ in range(4)]
    tones = [
        np.sin(hertz * times[:16_000]).astype(np.float32) / 3 for hertz in (900, 1_000, 1_100, 950)
    ]
    embedder = AudioEmbedder("log-mel", sampling_rate=16_000, cache=False)
    model = make_pipeline(embedder, StandardScaler(), LogisticRegression(C=0.001))
    model.fit([*noise, *tones], ["noise"] * 4 + ["tone"] * 4)
    sound = np.concatenate([noise[0], tones[0]])
    for cell in (sound, {"array": sound, "sampling_rate": 16_000}, (16_000, sound)):
        pieces = explain(model, [cell], target="tone").parts[0]["0"]
        assert len(pieces) == 16
        weights = np.array([weight for *_, weight in pieces])
        assert weights[8:].sum() > weights[:8].sum()
        assert pieces[-1][:2] == (1.875, 2.0)


def test_a_step_that_makes_cells_of_other_columns_keeps_shares_only():
    X = pd.DataFrame({"number": np.arange(10.0), "title": GOOD + BAD})
    model = make_pipeline(
        FunctionTransformer(lambda X: [f"number {value}" for value in X["number"]]),
        TextEmbedder(cache=False),
        Ridge(),
    ).fit(X, np.arange(10.0))
    found = explain(model, X.iloc[:3])
    assert found.parts == [{}] * 3
    assert found.shares[:, 0].any()
    np.testing.assert_allclose(found.shares[:, 1], 0, atol=1e-5)


# What is read, where that is not plain -------------------------------------------------------


def lowered():
    def lower(X):
        return [str(text).lower() for text in np.ravel(X)]

    return make_pipeline(FunctionTransformer(lower), TextEmbedder(cache=False))


@pytest.mark.parametrize("n", [1, 3])
def test_a_category_equal_to_a_text_is_no_text(n):
    X = pd.DataFrame({"kind": [GOOD[0], "other"] * 5, "title": GOOD + BAD})
    columns = ColumnTransformer(
        [("title", TextEmbedder(cache=False), "title"), ("kind", OneHotEncoder(), ["kind"])]
    )
    found = explain(
        make_pipeline(columns, LogisticRegression()).fit(X, LABELS), X[:n], background=X
    )
    assert all(list(parts) == ["title"] for parts in found.parts)
    assert found.shares[0, 0] != 0


def test_columns_with_equal_cells_are_read_by_their_own_estimators():
    X = pd.DataFrame({"a": GOOD + BAD, "b": GOOD + BAD, "c": GOOD + BAD})
    columns = ColumnTransformer([(name, TextEmbedder(cache=False), name) for name in "ab"])
    model = make_pipeline(columns, LogisticRegression()).fit(X, LABELS)
    found = explain(model, X[-1:], background=X)
    assert list(found.parts[0]) == ["a", "b"]
    own, other = ([weight for *_, weight in found.parts[0][name]] for name in "ab")
    np.testing.assert_allclose(own, other, atol=1e-6)


def test_each_of_several_changed_columns_is_read_and_no_other():
    X = pd.DataFrame({"a": GOOD + BAD, "b": BAD + GOOD, "c": BAD + GOOD})
    X.loc[0, "a"] = X.loc[0, "b"] = None
    columns = ColumnTransformer(
        [(name, lowered(), name) for name in "ab"]
        + [("c", OneHotEncoder(handle_unknown="ignore"), ["c"])]
    )
    found = explain(make_pipeline(columns, LogisticRegression()).fit(X, LABELS), X[:2])
    assert [list(parts) for parts in found.parts] == [[], ["a", "b"]]


def test_finding_changed_columns_stores_nothing(tmp_path):
    X = pd.DataFrame({"a": GOOD + BAD, "b": BAD + GOOD})
    joined = FunctionTransformer(lambda X: (X["a"] + " , " + X["b"]).tolist())
    model = make_pipeline(joined, TextEmbedder(cache=tmp_path), LogisticRegression())
    model.fit(X, LABELS)
    before = cache_info(tmp_path).rows
    assert list(explain(model, X[:1]).parts[0]) == ["a", "b"]
    assert cache_info(tmp_path).rows == before


def test_a_matrix_of_sounds_is_one_column():
    sounds = np.random.default_rng(0).normal(scale=0.1, size=(6, 800)).astype(np.float32)
    sounds[:3] = np.sin(np.arange(800)) / 3
    embedder = AudioEmbedder("log-mel", sampling_rate=16_000, cache=False)
    model = make_pipeline(embedder, StandardScaler(), LogisticRegression(C=0.001))
    model.fit(sounds, [1] * 3 + [0] * 3)
    for background in (None, sounds):
        found = explain(model, sounds[:2], background=background, max_evals=4)
        others = None if background is None else list(background)
        expected = explain(model, list(sounds[:2]), background=others, max_evals=4)
        assert found.columns == ["0"]
        np.testing.assert_allclose(found.shares, expected.shares, atol=1e-6)
        assert found.parts == expected.parts


def test_a_model_that_changes_what_it_is_given_is_explained():
    X = np.random.default_rng(0).normal(5, 3, (20, 4))
    y = X[:, 0] > 5
    own = make_pipeline(StandardScaler(copy=False), LogisticRegression()).fit(X.copy(), y)
    before = X.copy()
    found = explain(own, X, background=X)
    np.testing.assert_array_equal(X, before)
    own[0].copy = True
    np.testing.assert_allclose(found.shares, explain(own, X, background=X).shares)


DATES = pd.date_range("2020-01-01", periods=4)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(DATES),
        pd.Series(DATES.tz_localize("UTC")),
        pd.Series(DATES.to_period("D")),
        pd.Series(DATES - DATES[0]),
        pd.Series(["a", None, "b", "a"], dtype="category"),
        pd.Series([1.5, np.nan, 2.5, 3.5], dtype="float32"),
        pl.Series(DATES.date.tolist()),
        pl.Series([[1], [2, 3], [], None]),
        pl.Series([{"a": 1}, {"a": 2}, None, {"a": 3}]),
        pa.chunked_array([DATES.date.tolist()]),
    ],
)
def test_columns_of_any_type_keep_it_in_copies(column):
    rows = rows_of(column)
    cells = rows.cells(0)
    copies = rows.take([0, 1, 2, 3], {0: {0: cells[1], 1: cells[3]}})
    expected = rows.take([1, 3, 2, 3], {})
    assert type(copies) is type(expected)
    assert getattr(copies, "dtype", None) == getattr(expected, "dtype", None)
    assert str(copies.to_pylist() if isinstance(copies, pa.ChunkedArray) else list(copies)) == str(
        expected.to_pylist() if isinstance(expected, pa.ChunkedArray) else list(expected)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_copies_without_a_finite_score_have_no_weight(value):
    class Model:
        def predict(self, X):
            self.embedder.transform(X)
            return np.array([1.0 if np.ptp(x[:8, :8]) else value for x in X])

    model = Model()
    model.embedder = image_embedder().fit(images(2))
    found = explain(model, images(2), background=images(2))
    assert np.isfinite(np.asarray(found.parts[0]["0"])).all()
    assert "row 0" in repr(found)
    assert "nan" not in found.to_html().split("<h4")[1]
