"""`ZeroShotClassifier`: names alone, names beside labelled rows, and scikit-learn's contract."""

import json
import pickle
import warnings
from collections import OrderedDict

import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from sktransfer import (
    ImageEmbedder,
    TextEmbedder,
    ZeroShotClassifier,
    explain,
    find_label_issues,
    load,
    report,
    save,
)
from sktransfer.exceptions import (
    BadCellError,
    BadCellWarning,
    ColumnError,
    PromptWarning,
    TargetError,
)
from sktransfer.zero_shot._label_texts import described_classes
from tests._tiny import images
from tests.backbones.huggingface.test_text_families import both
from tests.contracts.test_estimator_checks import WITHOUT_DATA

PETS = ["the cat sleeps on the sofa", "my dog barks at night", "two kittens and a puppy"]
LAW = ["the court raised the fine", "a judge heard the appeal", "the lawyer read the contract"]
TEXTS, Y = PETS + LAW, ["pets"] * 3 + ["law"] * 3
LABELS = ["pets", "law"]


def model(labels=LABELS, **options):
    return ZeroShotClassifier(labels, **{"embedder": TextEmbedder(), **options})


# Names alone -----------------------------------------------------------------------------------


def test_names_alone_classify_by_the_largest_cosine():
    fitted = model().fit(TEXTS)
    assert fitted.classes_.tolist() == ["law", "pets"]
    assert fitted.predict(TEXTS).tolist() == Y
    rows = TextEmbedder().fit_transform(TEXTS)
    names = TextEmbedder().fit_transform(["It is about law.", "It is about pets."])
    scores = rows @ names.T / 0.05
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(TEXTS), expected, rtol=1e-5)


def test_descriptions_templates_and_their_means():
    described = {"law": ["a court", "a lawyer"], "pets": "an animal at home"}
    fitted = model(described, template=["{}", "a text about {}"]).fit(TEXTS)
    assert fitted.predict(TEXTS).tolist() == Y
    rows = TextEmbedder().fit_transform(
        ["a court", "a text about a court", "a lawyer", "a text about a lawyer"]
    )
    mean = rows.mean(axis=0)
    np.testing.assert_allclose(
        fitted.label_vectors_[0], mean / np.linalg.norm(mean), rtol=1e-5, atol=1e-6
    )


def test_the_order_of_labels_does_not_matter():
    one, other = model().fit(TEXTS, Y), model(LABELS[::-1]).fit(TEXTS, Y)
    np.testing.assert_array_equal(one.predict_proba(TEXTS), other.predict_proba(TEXTS))


def test_the_temperature_changes_probabilities_and_not_classes():
    flat, sharp = (model(temperature=t).fit(TEXTS).predict_proba(TEXTS) for t in (1, 0.01))
    assert (flat.argmax(axis=1) == sharp.argmax(axis=1)).all()
    assert (flat.max(axis=1) < sharp.max(axis=1)).all()


def test_fit_without_labels_computes_no_row(monkeypatch):
    monkeypatch.setattr(TextEmbedder, "fit_transform", None)
    assert model().fit(TEXTS).predict(TEXTS[:1]).tolist() == ["pets"]


@pytest.mark.parametrize("labels", [{1: "pets", 0: "law"}, {True: "pets", False: "law"}])
def test_classes_are_the_keys_of_any_type(labels):
    fitted = ZeroShotClassifier(labels).fit(TEXTS)
    assert fitted.classes_.tolist() == sorted(labels)
    assert fitted.predict(TEXTS).tolist() == [1, 1, 1, 0, 0, 0]
    assert fitted.fit(TEXTS, np.array([1, 1, 1, 0, 0, 0])).score(TEXTS, [1, 1, 1, 0, 0, 0]) == 1


def test_any_mapping_and_any_list_of_names():
    expected = model().fit(TEXTS).predict_proba(TEXTS)
    for labels in (OrderedDict(pets="pets", law="law"), np.array(LABELS), pd.Series(LABELS)):
        np.testing.assert_array_equal(model(labels).fit(TEXTS).predict_proba(TEXTS), expected)


# Labelled rows ---------------------------------------------------------------------------------


def test_without_labels_the_classes_of_y_are_the_names():
    fitted = ZeroShotClassifier().fit(TEXTS, Y)
    assert fitted.predict(TEXTS).tolist() == Y
    expected = model().fit(TEXTS, Y).predict_proba(TEXTS)
    np.testing.assert_array_equal(fitted.predict_proba(TEXTS), expected)


def test_a_class_without_rows_is_known_by_its_name():
    fitted = model([*LABELS, "sport"]).fit(TEXTS, Y)
    assert fitted.predict([*TEXTS, "sports: the team won"]).tolist() == [*Y, "sport"]


def test_labelled_rows_correct_a_name():
    swapped = {"a": "pets", "b": "law"}
    y = ["b"] * 3 + ["a"] * 3
    assert model(swapped, label_weight=0.01).fit(TEXTS, y).score(TEXTS, y) == 1
    assert model(swapped).fit(TEXTS).score(TEXTS, y) == 0


def test_without_weight_of_names_it_is_a_logistic_regression():
    found = model(label_weight=0, temperature=1).fit(TEXTS, Y).predict_proba(TEXTS)
    rows = TextEmbedder().fit_transform(TEXTS).astype(float)
    expected = LogisticRegression(C=10).fit(rows, Y).predict_proba(rows)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_probabilities_are_calibrated_on_rows_left_out():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 20)) + np.repeat([[0.25], [-0.25]], 200, axis=0)
    y = np.repeat([0, 1], 200)
    few, left = np.arange(0, 400, 5), np.setdiff1d(np.arange(400), np.arange(0, 400, 5))
    fitted = clone(NUMERIC).fit(rows[few], y[few])
    loss = log_loss(y[left], fitted.predict_proba(rows[left]))
    for factor in (0.5, 2):
        other = clone(fitted).set_params(temperature=fitted.temperature_ * factor)
        proba = other.fit(rows[few], y[few]).predict_proba(rows[left])
        assert loss < log_loss(y[left], proba)


def test_one_labelled_row_is_enough():
    fitted = model().fit(TEXTS[:1], Y[:1])
    assert fitted.temperature_ == 0.4
    assert fitted.predict([*TEXTS[:3], "law"]).tolist() == ["pets"] * 3 + ["law"]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["pets", "sport"], "row 1 of y: 'sport' is none of the labels \\['law', 'pets'\\]"),
        (["pets", None], "row 1 of y"),
        ([1, 2], "row 0 of y: 1 is none of the labels"),
        (["pets"], "inconsistent numbers of samples"),
        (["pets", np.nan], "row 1 of y: nan is no class"),
        (pd.Series(["pets", pd.NA], dtype="string"), "row 1 of y: <NA> is no class"),
        ({"pets": 1, "law": 2}, "y should be a 1d array"),
        (iter(["pets", "law"]), "y should be a 1d array"),
    ],
)
def test_a_y_that_does_not_fit_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        model().fit(TEXTS[:2], y)


# Labels that cannot be used ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "labels=None, a ZeroShotClassifier requires y to be passed"),
        ([], r"at least 2 classes, got 0 classes: \[\]"),
        (["pets"], r"at least 2 classes, got 1 class: \['pets'\]"),
        ({"pets": "animals"}, "at least 2 classes"),
        (["pets", "law", "pets"], "names the class 'pets' more than once"),
        (["pets", " "], "class ' ' is described by ' ', which is no text"),
        ({"a": "pets", "b": []}, "class 'b' is described by '', which is no text"),
        ({"a": "pets", "b": ["law", 3]}, "class 'b' is described by 3, which is no text"),
        ({"a": "pets", "b": None}, "class 'b' is described by None"),
        ([["pets"], ["law"]], r"names the class \['pets'\], and a class is a str, a number"),
        (["pets", None], "names the class None, and a class is a str"),
        ({("a", 1): "pets", ("b", 2): "law"}, "names the class"),
        ({"a": {"pets": 1}, "b": "law"}, r"class 'a' is described by \{'pets': 1\}"),
        ({"a": iter(["pets"]), "b": "law"}, "class 'a' is described by <list_iterator"),
        ({1.0: "pets", np.nan: "law"}, "names the class nan"),
        ([0, 1], "class 0 is described by 0, which is no text. Pass labels as a mapping"),
        ({"a": "pets", 1: "law"}, r"labels must be of one type, got \['a', 1\]"),
        ({"a": "pets", "a\0": "law"}, r"holds as \['a', 'a'\]; name the classes in another way"),
        ({-1: "pets", 2**63 + 1: "law"}, r"\[-1, 9223372036854775809\], which an array of NumPy"),
    ],
)
def test_labels_that_are_none_are_refused(labels, message):
    with pytest.raises(TargetError, match=message):
        model(labels).fit(TEXTS)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"a": "pets", "b": "pets"}, "classes 'a' and 'b' are the same for the embedder"),
        ({1: "pets", 0: ["pets", "pets"]}, "classes 0 and 1 are the same"),
        ({"a": ["x", "y"], "b": "law", "c": ["y", "x"]}, "classes 'a' and 'c' are the same"),
        (["pets", "law", "Pets"], "classes 'Pets' and 'pets' are the same"),
        (["pets", "law", "law "], "classes 'law' and 'law ' are the same"),
        (["café", "law", "CAFE"], "classes 'CAFE' and 'café' are the same"),
        ({1: "pets", 0: "pets\n"}, "classes 0 and 1 are the same"),
        ({"a": "pets " * 300, "b": "pets " * 400}, "classes 'a' and 'b' are the same"),
        ({"a": "pets", "b": "\u200b"}, r"class 'b' is described by '\\u200b', which is no text"),
    ],
)
@pytest.mark.filterwarnings("ignore::sktransfer.exceptions.LeftOutWarning")
def test_descriptions_that_tell_no_class_apart_are_refused(labels, message):
    for y in (None, [next(iter(labels))] * 2):
        with pytest.raises(TargetError, match=message):
            model(labels, template="{}").fit(TEXTS[:2], y)


def test_labelled_rows_tell_classes_of_like_names_apart():
    y = ["Pets"] * 3 + ["pets"] * 3
    assert ZeroShotClassifier().fit(TEXTS, y).predict(TEXTS).tolist() == y


def test_descriptions_of_words_that_the_embedder_does_not_know():
    words = make_pipeline(TfidfVectorizer(), FunctionTransformer(lambda X: X.toarray()))
    labels = {"pets": "cat dog", "law": "judge court", "sport": "team", "money": "bank"}
    clf = ZeroShotClassifier(labels, embedder=words, template="{}")
    with pytest.raises(TargetError, match="no features for the description of class 'money'"):
        clf.fit(TEXTS)
    y = [*Y[:4], "sport", "money"]  # what has rows is known by these
    assert clf.fit(TEXTS, y).predict(TEXTS).tolist() == y


def test_copies_of_a_text_among_the_descriptions_of_one_class():
    fitted = model({"pets": ["pets", "animals", "pets"], "law": ["law", "pets"]}).fit(TEXTS)
    assert fitted.predict(TEXTS).tolist() == Y


@pytest.mark.parametrize("labels", [iter(LABELS), (label for label in LABELS), "pets"])
def test_labels_that_are_read_once_or_are_one_name_are_refused(labels):
    with pytest.raises(ValueError, match="'labels' parameter of ZeroShotClassifier must be an arr"):
        model(labels).fit(TEXTS)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (dict.fromkeys(TEXTS, 1), "a dict is not a column"),
        (iter(TEXTS), r"can be read only once; pass list\(X\)"),
        ([], "Found array with 0 sample"),
        (set(TEXTS), "has no order"),
    ],
)
def test_rows_that_are_no_column_are_refused(X, message):
    fitted = model().fit(TEXTS)
    for call in (fitted.fit, fitted.predict, fitted.predict_proba):
        with pytest.raises(ColumnError, match=message):
            call(X)


@pytest.mark.parametrize("template", ["about", [], ["{}", "about"], [3]])
def test_a_template_without_a_place_for_the_name_is_refused(template):
    with pytest.raises(ValueError, match=r"template must have '\{\}' in it"):
        model(template=template).fit(TEXTS)


def test_an_embedder_that_reads_no_texts_needs_another_for_labels():
    with pytest.raises(ColumnError, match=r"cannot read the descriptions.*Pass label_embedder="):
        model(embedder=ImageEmbedder(cache=False)).fit(images(2))


@pytest.mark.parametrize("y", [None, Y])
def test_frozen_embedders(y):
    frozen = FrozenEstimator(TextEmbedder().fit(TEXTS))
    expected = model().fit(TEXTS, y).predict_proba(TEXTS)
    found = model(embedder=frozen, label_embedder=frozen).fit(TEXTS, y).predict_proba(TEXTS)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("y", [None, ["law", "pets"]])
@pytest.mark.parametrize("factor", [5e-324 * 2**20, 1e-200, 1e200])
def test_the_scale_of_features_does_not_matter(factor, y):
    names = FunctionTransformer(lambda X: np.eye(2)[[int("pets" in text) for text in X]])
    fitted, scaled = (
        model(embedder=FunctionTransformer(), label_embedder=names).fit(rows, y)
        for rows in (np.eye(2), np.eye(2) * factor)
    )
    expected = fitted.predict_proba(np.eye(2))
    np.testing.assert_allclose(scaled.predict_proba(np.eye(2) * factor), expected, rtol=1e-6)


@pytest.mark.parametrize("y", [None, Y])
def test_a_fit_that_fails_leaves_an_earlier_one_as_it_is(y):
    fitted = model(embedder=make_pipeline(TextEmbedder(), StandardScaler())).fit(TEXTS, y)
    expected = fitted.predict_proba(TEXTS)
    with pytest.raises(TargetError, match="are the same"):
        fitted.set_params(labels={"a": "pets", "b": "Pets"}).fit(TEXTS[:3])
    np.testing.assert_array_equal(fitted.predict_proba(TEXTS), expected)


def test_embedders_that_drop_rows_are_refused():
    half = FunctionTransformer(lambda X: np.eye(384)[: len(X) // 2])
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[6, 3\]"):
        model(embedder=half, label_embedder=TextEmbedder()).fit(TEXTS).predict(TEXTS)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[4, 2\]"):
        model(dict(zip("ab", (PETS, LAW[:1]), strict=True)), label_embedder=half).fit(TEXTS)


def test_vectors_of_two_spaces_are_refused():
    two = FunctionTransformer(lambda X: np.ones((len(X), 2)))
    fitted = model(embedder=two, label_embedder=TextEmbedder()).fit(TEXTS)
    with pytest.raises(ColumnError, match=r"gives 2 features per row and .* have 384"):
        fitted.predict(TEXTS)
    with pytest.raises(ColumnError, match="both must come from one model"):
        fitted.fit(TEXTS, Y)


# Images ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_images_by_names_of_a_model_for_both(kind, tmp_path):
    both(kind, tmp_path)
    pictures = images(6, size=32)
    words = TextEmbedder(tmp_path, cache=False)
    clf = ZeroShotClassifier(
        ["alpha beta", "gamma"],
        embedder=ImageEmbedder(tmp_path, cache=False),
        label_embedder=words,
        template="{}",
        temperature=0.01,
    ).fit(pictures)
    rows = ImageEmbedder(tmp_path, cache=False, normalize=True).fit_transform(pictures)
    names = clone(words).set_params(normalize=True).fit_transform(["alpha beta", "gamma"])
    scores = 100 * rows @ names.T
    expected = np.exp(scores - scores.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(clf.predict_proba(pictures), expected, rtol=1e-3, atol=1e-5)
    y = ["gamma", "alpha beta"] * 3
    assert clf.fit(pictures, y).predict_proba(pictures).shape == (6, 2)
    save(clf, tmp_path / "model.skt")
    found = load(tmp_path / "model.skt").predict_proba(pictures)
    np.testing.assert_array_equal(found, clf.predict_proba(pictures))


# Bad rows ----------------------------------------------------------------------------------------


def test_bad_rows_are_named():
    for fitted in (model().fit(TEXTS), model().fit(TEXTS, Y)):
        with pytest.raises(BadCellError, match="row 1: 3"):
            fitted.predict(["a cat", 3])
    with pytest.raises(BadCellError, match="row 0: None"):
        model().fit([None, *TEXTS[1:]], Y)


def test_with_on_error_nan_probabilities_are_nan_and_a_class_is_refused():
    lenient = TextEmbedder(on_error="nan")
    fitted = model(embedder=lenient).fit(TEXTS)
    with pytest.warns(BadCellWarning):
        proba = fitted.predict_proba(["a cat", None])
    assert np.isnan(proba).any(axis=1).tolist() == [False, True]
    with pytest.warns(BadCellWarning), pytest.raises(BadCellError, match="row 1: there is no clas"):
        fitted.predict(["a cat", None])
    with pytest.warns(BadCellWarning):
        fitted.fit([None, *TEXTS[1:]], Y)
    expected = model().fit(TEXTS[1:], Y[1:]).predict_proba(TEXTS)
    np.testing.assert_allclose(fitted.predict_proba(TEXTS), expected)
    with pytest.warns(BadCellWarning), pytest.raises(TargetError, match="no labelled row has feat"):
        fitted.fit([None, None], Y[2:4])


# The contract ------------------------------------------------------------------------------------


class NumericZeroShot(ZeroShotClassifier):
    """Numeric variant: rows are their own features, and names are vectors drawn by their text."""

    def _described(self, y):
        labels = None if y is None else {label: f"name {label}" for label in np.unique(y)}
        return described_classes(labels, y)

    def _embedded(self, texts, embedder):
        width = embedder.n_features_in_
        return np.stack(
            [np.random.default_rng(list(text.encode())).normal(size=width) for text in texts]
        )


NUMERIC = NumericZeroShot(embedder=FunctionTransformer(validate=True), label_weight=0.1)


def test_the_numeric_variant_passes_all_checks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        results = check_estimator(NUMERIC, on_fail=None, on_skip=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    assert sum(r["status"] == "passed" for r in results) >= 50


@pytest.mark.parametrize("check", WITHOUT_DATA)
def test_checks_that_need_no_data(check):
    getattr(estimator_checks, check)("ZeroShotClassifier", model())


def test_parameters_of_the_embedders_are_searched(cache_folder):
    grid = {"embedder__layer": ["pooled", "layer3"], "template": ["{}", "It is about {}."]}
    search = GridSearchCV(model(embedder=TextEmbedder(layer="layer3")), grid, cv=3)
    search.fit(TEXTS, Y)
    assert search.best_score_ == 1
    assert clone(model()).get_params()["embedder__max_length"] is None
    assert cross_val_score(model(), TEXTS, Y, cv=3).tolist() == [1, 1, 1]


def test_the_container_does_not_matter():
    expected = model().fit(TEXTS, Y).predict_proba(TEXTS)
    index = [9, 7, 7, 1, 0, 3]
    containers = [
        np.array(TEXTS),
        pd.Series(TEXTS, index=index),
        pd.DataFrame({"text": TEXTS}, index=index),
        pl.Series(TEXTS),
        pl.DataFrame({"text": TEXTS}),
        pa.table({"text": TEXTS}),
    ]
    targets = [np.array(Y), pd.Series(Y, index=index), pl.Series(Y), pa.array(Y), tuple(Y), Y]
    for container, y in zip(containers, targets, strict=True):
        fitted = model().fit(container, y)
        np.testing.assert_allclose(fitted.predict_proba(container), expected, rtol=1e-6)
    assert fitted.n_features_in_ == 1
    assert fitted.feature_names_in_.tolist() == ["text"]
    assert not hasattr(model().fit(TEXTS), "feature_names_in_")
    lazy = dd.from_pandas(pd.Series(TEXTS), npartitions=2)
    assert fitted.predict(lazy).tolist() == Y


@pytest.mark.parametrize("y", [None, Y])
def test_copies_and_files_predict_the_same(y, tmp_path):
    fitted = model({"pets": ["pets", "animals"], "law": "law"}).fit(TEXTS, y)
    save(fitted, tmp_path / "model.skt")
    assert (tmp_path / "model.skt").stat().st_size < 100_000
    expected = fitted.predict_proba(TEXTS)
    for again in (pickle.loads(pickle.dumps(fitted)), load(tmp_path / "model.skt")):
        np.testing.assert_array_equal(again.predict_proba(TEXTS), expected)
        assert repr(again) == repr(fitted)
        assert again.n_features_in_ == 1


def test_before_fit_nothing_is_predicted():
    with pytest.raises(NotFittedError):
        model().predict(TEXTS)
    assert not hasattr(model(), "n_features_in_")
    assert "ZeroShotClassifier" in model()._repr_html_()


def test_it_is_explained_reported_and_finds_wrong_labels(tmp_path):
    fitted = model().fit(TEXTS)
    found = explain(fitted, ["a cat and a house"])
    assert max(found.parts[0]["0"], key=lambda word: word[3])[2] == "cat"
    wrong = ["law", *Y[1:]]
    issues = find_label_issues(model([*LABELS, "sport"]), TEXTS, wrong, cv=2)
    assert [issue["row"] for issue in issues][:1] == [0]
    report(fitted, TEXTS, Y, tmp_path / "report.html", cv=3)
    assert "ZeroShotClassifier" in (tmp_path / "report.html").read_text()


def test_it_is_a_step_and_can_be_calibrated_by_scikit_learn():
    lower = FunctionTransformer(lambda X: [text.lower() for text in X])
    assert make_pipeline(lower, model()).fit(TEXTS, Y).predict(TEXTS).tolist() == Y
    numbered = model({1: "pets", 0: "law"})
    y = [1, 1, 1, 0, 0, 0]
    calibrated = CalibratedClassifierCV(numbered, method="temperature", cv=3).fit(TEXTS, y)
    assert calibrated.predict(TEXTS).tolist() == y
    assert cross_val_predict(numbered, TEXTS, y, cv=3, method="predict_proba").shape == (6, 2)
    with pytest.raises(TargetError, match="Where scikit-learn numbers the classes"):
        cross_val_predict(model(), TEXTS, Y, cv=3, method="predict_proba")


def test_asymmetric_prompts(tmp_path):
    ask = TextEmbedder(prompt="query: ")
    with warnings.catch_warnings():
        warnings.simplefilter("error", PromptWarning)
        fitted = model(label_embedder=ask, template="{}").fit(TEXTS)
    expected = TextEmbedder().fit_transform(["query: law", "query: pets"])
    np.testing.assert_allclose(fitted.label_vectors_, expected, atol=1e-5)
    assert json.dumps(fitted.classes_.tolist()) == '["law", "pets"]'
