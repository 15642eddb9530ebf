"""scikit-learn's contract for fine-tuners: labels, weights, validation, pickles, reproducibility."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

import sktransfer
from sktransfer import (
    ImageClassifier,
    ImageEmbedder,
    ImageRegressor,
    TextClassifier,
    TextEmbedder,
    TextRegressor,
)
from sktransfer.exceptions import (
    BackboneError,
    BadCellError,
    DivergedError,
    TargetError,
)
from sktransfer.training import FineTuned
from tests._tiny import images, texts, tiny_network

GOOD = ["good", "lovely", "a great film", "wonderful", "I liked it", "excellent"]
BAD = ["bad", "awful", "a terrible film", "horrible", "I hated it", "dreadful"]
SENTENCES = np.array(GOOD + BAD, dtype=object)
SIDES = np.array([1] * 6 + [0] * 6)
QUICK = {"random_state": 0, "max_epochs": 6}


def tiny(**options):
    return ImageClassifier(tiny_network(), **{"lr": 0.05, **QUICK, **options})


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["b", "a"]),
        np.array([7, 3]),
        np.array([True, False]),
        np.array([-1.0, 2.0]),
        np.array(["b", "a"], dtype=object),
    ],
    ids=["strings", "ints", "bools", "floats", "objects"],
)
def test_predicted_labels_have_the_type_and_values_of_y(labels):
    y = labels[SIDES]
    classifier = TextClassifier(**QUICK).fit(SENTENCES, y)
    assert classifier.classes_.tolist() == sorted(labels.tolist())
    predicted = classifier.predict(SENTENCES)
    assert predicted.dtype == y.dtype
    np.testing.assert_array_equal(predicted, y)


def test_categories_and_series_are_labels():
    y = pd.Series(pd.Categorical(np.array(["no", "yes"])[SIDES]))
    classifier = TextClassifier(**QUICK).fit(pd.Series(SENTENCES), y)
    assert classifier.predict(SENTENCES).tolist() == y.tolist()


def test_probabilities_are_float64_and_sum_to_one():
    for y in (SIDES, np.arange(12) % 5):
        classifier = TextClassifier(**QUICK).fit(SENTENCES, y)
        shares = classifier.predict_proba(SENTENCES)
        assert shares.dtype == np.float64
        assert shares.shape == (12, len(set(y)))
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_array_equal(
            classifier.classes_[shares.argmax(axis=1)], classifier.predict(SENTENCES)
        )


def test_a_row_may_have_any_number_of_labels():
    y = np.stack([SIDES, 1 - SIDES, np.ones(12, int)], axis=1)
    classifier = TextClassifier(**QUICK).fit(SENTENCES, y)
    np.testing.assert_array_equal(classifier.predict(SENTENCES), y)
    shares = classifier.predict_proba(SENTENCES)
    assert shares.shape == (12, 3)
    assert shares[:, 2].min() > 0.5
    assert classifier.score(SENTENCES, y) == 1


@pytest.mark.parametrize("unit", [1.0, 1e6, 1e-6])
def test_numbers_are_predicted_in_their_units(unit):
    y = (SIDES * 2.0 + 5) * unit
    regressor = TextRegressor(random_state=0, max_epochs=60).fit(SENTENCES, y)
    predicted = regressor.predict(SENTENCES)
    assert predicted.dtype == np.float64
    np.testing.assert_allclose(predicted, y, atol=0.5 * unit)


def test_a_row_may_have_several_numbers():
    y = np.stack([SIDES * 3.0, 100 - SIDES], axis=1)
    regressor = TextRegressor(random_state=0, max_epochs=60).fit(SENTENCES, y)
    assert regressor.predict(SENTENCES).shape == (12, 2)
    assert regressor.score(SENTENCES, y) > 0.8


def test_balanced_class_weights_raise_the_probability_of_the_rare_class():
    column, y = images(20), np.array([0] * 18 + [1] * 2)
    plain = tiny().fit(column, y).predict_proba(column)[:, 1].mean()
    balanced = tiny(class_weight="balanced").fit(column, y).predict_proba(column)[:, 1].mean()
    by_hand = tiny().fit(column, y, sample_weight=np.where(y, 5.0, 20 / 36))
    assert balanced > plain + 0.2
    np.testing.assert_allclose(by_hand.predict_proba(column)[:, 1].mean(), balanced, atol=1e-6)


def test_scaling_all_sample_weights_changes_nothing():
    column, y = images(10), np.arange(10) % 2
    weights = np.arange(1.0, 11)
    found = [
        tiny().fit(column, y, sample_weight=w).predict_proba(column)
        for w in (weights, weights * 1000)
    ]
    np.testing.assert_allclose(*found, atol=1e-6)


def test_validation_rows_are_routed_through_a_pipeline():
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = TextClassifier(**QUICK).set_fit_request(X_val=True, y_val=True)
        shout = FunctionTransformer(lambda column: np.array([t.upper() for t in column]))
        model = Pipeline([("shout", shout), ("clf", classifier)], transform_input=["X_val"])
        model.fit(SENTENCES, SIDES, X_val=SENTENCES[::3], y_val=SIDES[::3])
    assert "valid_loss" in model[-1].history_[0]


def test_warm_start_continues_and_a_plain_fit_restarts():
    column, y = images(10), np.arange(10) % 2
    warm = tiny(warm_start=True, max_epochs=2).fit(column, y)
    first = warm.predict_proba(column)
    warm.fit(column, y)
    assert [record["epoch"] for record in warm.history_] == [1, 2, 3, 4]
    assert warm.best_epoch_ == 4
    assert warm.history_[2]["train_loss"] < warm.history_[0]["train_loss"]
    cold = tiny(max_epochs=2).fit(column, y).fit(column, y)
    np.testing.assert_array_equal(cold.predict_proba(column), first)


def test_partial_fit_trains_one_epoch_per_call():
    column, y = images(12), np.array(["a", "b", "c"] * 4)
    classifier = tiny()
    classifier.partial_fit(column[:2], y[:2], classes=["a", "b", "c"])
    assert classifier.predict_proba(column).shape == (12, 3)
    for _ in range(3):
        classifier.partial_fit(column, y)
    assert len(classifier.history_) == 4
    with pytest.raises(TargetError, match=r"row 1 of y: 'z' is none of the classes"):
        classifier.partial_fit(column[:2], ["a", "z"])
    with pytest.raises(ValueError, match="not the same as on the last call"):
        classifier.partial_fit(column, y, classes=["a", "b"])
    regressor = ImageRegressor(tiny_network(), **QUICK)
    assert len(regressor.partial_fit(column, np.arange(12.0)).history_) == 1


@pytest.mark.parametrize("trainable", [pytest.param("head", marks=pytest.mark.slow), 1])
def test_a_pickle_is_small_and_predicts_the_same_in_another_process(trainable, tmp_path):
    options = {"trainable": trainable, "lr": 1e-3, **QUICK}
    classifier = TextClassifier(**options).fit(SENTENCES, SIDES)
    written = pickle.dumps(classifier)
    trained = sum(t.numel() * 4 for t in classifier.module_.trained().values())
    assert len(written) <= trained + 100_000
    if trainable == "head":
        assert len(written) <= 100_000
    (tmp_path / "classifier").write_bytes(written)
    code = (
        "import pickle, sys, numpy as np\n"
        "classifier = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(classifier.predict_proba(['fine', 'poor']).tolist())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "classifier")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    np.testing.assert_allclose(
        np.array(eval(printed)), classifier.predict_proba(["fine", "poor"]), atol=1e-7
    )


def test_a_clone_is_not_fitted():
    fitted = tiny().fit(images(4), [0, 1] * 2)
    assert not hasattr(clone(fitted), "module_")


def test_fits_with_one_seed_are_equal_in_sequence_and_in_threads():
    column, y = texts(24), np.arange(24) % 2
    options = {"trainable": 1, "max_epochs": 2, "lr": 1e-4, "dropout": 0.3, "batch_size": 8}
    classifier = TextClassifier(**options, random_state=3, cache=False)

    def fitted():
        return clone(classifier).fit(column, y).predict_proba(column)

    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = fitted()
    assert torch.equal(torch.get_rng_state(), state[0])
    np.testing.assert_array_equal(np.random.get_state()[1], state[1])
    np.testing.assert_array_equal(fitted(), first)
    tasks = [joblib.delayed(_fitted)(classifier, column, y) for _ in range(2)]
    for found in joblib.Parallel(n_jobs=2, backend="threading")(tasks):
        np.testing.assert_array_equal(found, first)


@pytest.mark.slow
def test_fits_with_one_seed_are_equal_in_processes():
    classifier = TextClassifier(max_epochs=2, dropout=0.3, random_state=3, cache=False)
    column, y = texts(24), np.arange(24) % 2
    tasks = [joblib.delayed(_fitted)(classifier, column, y) for _ in range(2)]
    for found in joblib.Parallel(n_jobs=2, backend="loky")(tasks):
        np.testing.assert_allclose(found, _fitted(classifier, column, y), atol=1e-5)


def _fitted(classifier, column, y):
    return clone(classifier).fit(column, y).predict_proba(column)


def test_features_of_the_trained_network_are_input_to_other_models():
    from sklearn.linear_model import LogisticRegression

    classifier = TextClassifier(trainable=1, lr=1e-4, **QUICK)
    model = make_pipeline(classifier, LogisticRegression()).fit(SENTENCES, SIDES)
    assert model.score(SENTENCES, SIDES) == 1
    features = model[0].transform(SENTENCES)
    assert features.shape == (12, 384)
    assert features.dtype == np.float32
    assert not np.allclose(features, TextEmbedder().fit_transform(SENTENCES), atol=1e-3)
    assert model[0].get_feature_names_out()[0] == "x0_0"


def test_an_embedder_takes_the_network_of_a_fitted_classifier(cache_folder):
    classifier = TextClassifier(trainable=1, lr=1e-4, **QUICK).fit(SENTENCES, SIDES)
    for backbone in (classifier, FrozenEstimator(classifier)):
        embedder = clone(TextEmbedder(FrozenEstimator(classifier)))
        embedder = TextEmbedder(backbone) if backbone is classifier else embedder
        np.testing.assert_allclose(
            embedder.fit_transform(SENTENCES), classifier.transform(SENTENCES), atol=1e-5
        )
    with pytest.raises(BackboneError, match="FrozenEstimator"):
        clone(TextEmbedder(classifier)).fit(SENTENCES)
    images_only = tiny().fit(images(4), [0, 1] * 2)
    with pytest.raises(BackboneError, match="for images"):
        TextEmbedder(images_only).fit(SENTENCES)
    assert ImageEmbedder(images_only).fit_transform(images(4)).shape == (4, 6)


@pytest.mark.parametrize(
    ("y", "told"),
    [
        ([0, 1, 1], r"inconsistent numbers of samples: \[4, 3\]"),
        ([1, 1, 1, 1], "only one class: 1"),
        (["a", None, "b", "a"], "row 1 of y: None"),
        (["a", np.nan, "b", "a"], "NaN|nan"),
        (None, "requires y to be passed"),
    ],
)
def test_invalid_targets_are_refused(y, told):
    y = y if y is None or not any(isinstance(v, str) for v in y) else np.array(y, dtype=object)
    classifier = tiny()
    with pytest.raises(ValueError, match=told):
        classifier.fit(images(4), y)
    assert not hasattr(classifier, "classes_")


def test_a_missing_number_is_named():
    with pytest.raises(TargetError, match=r"row 2 of y.*NaN"):
        ImageRegressor(tiny_network()).fit(images(4), [1.0, 2.0, np.nan, 3.0])


def test_a_bad_cell_is_named_and_the_estimator_stays_unfitted(tmp_path):
    column = [*images(3), tmp_path / "missing.png"]
    classifier = tiny()
    with pytest.raises(BadCellError, match=r"row 3.*missing\.png"):
        classifier.fit(column, [0, 1, 0, 1])
    assert not [name for name in vars(classifier) if name.endswith("_")]


def test_bad_cells_are_skipped_with_on_error_nan(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    good = images(6)
    column = [*good[:3], tmp_path / "broken.png", *good[3:]]
    y = np.array([0, 1, 0, 1, 1, 0, 1])
    with pytest.warns(sktransfer.exceptions.BadCellWarning, match="row 3"):
        classifier = tiny(on_error="nan").fit(column, y)
    plain = tiny().fit(good, np.delete(y, 3))
    np.testing.assert_allclose(classifier.predict_proba(good), plain.predict_proba(good), atol=1e-5)
    with pytest.warns(sktransfer.exceptions.BadCellWarning):
        shares = classifier.predict_proba(column)
    assert np.isnan(shares[3]).all()
    assert not np.isnan(np.delete(shares, 3, axis=0)).any()
    with (
        pytest.warns(sktransfer.exceptions.BadCellWarning),
        pytest.raises(BadCellError, match="row 3: there is no class"),
    ):
        classifier.predict(column)


def test_missing_texts_are_skipped_with_missing_nan():
    column = ["good", None, "bad", "fine"]
    classifier = TextClassifier(missing="nan", **QUICK).fit(column, [1, 1, 0, 1])
    assert np.isnan(classifier.predict_proba(column)[1]).all()


def test_one_row_is_too_few_to_validate_on():
    with pytest.raises(TargetError, match="X_val"):
        ImageRegressor(tiny_network(), early_stopping=True).fit(images(1), [1.0])
    assert ImageRegressor(tiny_network(), max_epochs=1).fit(images(1), [1.0]).predict(images(1))


def test_x_val_without_y_val_is_refused():
    with pytest.raises(TargetError, match="go together"):
        tiny().fit(images(4), [0, 1] * 2, X_val=images(2))


def test_errors_in_training_give_advice():
    column, y = images(12), np.arange(12) % 2
    with pytest.raises(DivergedError, match="lower lr"):
        tiny(lr=1e6, trainable="all", optimizer="sgd").fit(column, y)
    options = {"weights": None, "image_size": 32, "trainable": "all", "batch_size": 1}
    with pytest.raises(TargetError, match="larger batch_size"):
        ImageClassifier("resnet18", **options).fit(column, y)
    with pytest.raises(TypeError, match="callbacks"):
        tiny(callbacks=[3]).fit(column, y)
    with pytest.raises(TargetError, match="12 rows in 1 groups cannot be split"):
        tiny(early_stopping=True).fit(column, y, groups=np.zeros(12))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        tiny(early_stopping=True).fit(column, y, groups=np.zeros(3))
    with pytest.raises(TargetError, match="3 rows cannot be split"):
        tiny(early_stopping=True, validation_fraction=0.9).fit(column[:3], [0, 1, 0])
    with pytest.raises(ValueError, match="trainable"):
        tiny(trainable=True).fit(column, y)


def test_an_out_of_memory_error_suggests_a_batch_size(monkeypatch):
    def no_room(*args, **kwargs):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    monkeypatch.setattr(FineTuned, "forward", no_room)
    with pytest.raises(MemoryError, match="Try batch_size=4"):
        tiny(batch_size=8).fit(images(12), np.arange(12) % 2)


def test_a_changed_image_size_after_the_fit_raises():
    fitted = tiny().fit(images(4), [0, 1] * 2)
    with pytest.raises(BackboneError, match="Fit again"):
        fitted.set_params(image_size=64).predict(images(4))


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_a_fit_computes_gradients_under_no_grad(mode):
    column, y = images(4), [0, 1] * 2
    options = {"weights": None, "image_size": 32, "random_state": 0, "max_epochs": 1}
    with mode():
        name = "shufflenet_v2_x0_5" if mode is torch.no_grad else "squeezenet1_1"
        inside = ImageClassifier(name, trainable="all", **options).fit(column, y)
        shares = inside.predict_proba(column)
    outside = ImageClassifier(name, trainable="all", **options).fit(column, y)
    np.testing.assert_array_equal(outside.predict_proba(column), shares)
