"""Explanations against plain loops: numbers, targets, errors, bounds and the cache."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline

from sktransfer import (
    ImageClassifier,
    ImageEmbedder,
    TextEmbedder,
    TextTagger,
    cache_info,
    explain,
)
from sktransfer.exceptions import BadCellError, ColumnError, LeftOutWarning, TargetError
from tests._tiny import images, tiny_network
from tests.inspection._explained import (
    BAD,
    GOOD,
    LABELS,
    image_embedder,
    image_model,
    table,
    table_model,
    text_model,
)

TEXTS = ["what a bad , bad day", "good morning"]


def top_word(weights):
    return max(weights, key=lambda word: word[3])[2]


# Numbers -------------------------------------------------------------------------------------


def test_words_have_the_weights_of_a_plain_loop():
    model, text = text_model(), "what a bad day"
    found = explain(model, [text])
    place = list(model.classes_).index("-")
    words = text.split()
    whole, blank = model.predict_proba([text])[0, place], model.predict_proba(["."])[0, place]
    without = [" ".join(words[:at] + words[at + 1 :]) for at in range(4)]
    expected = [whole - model.predict_proba([other])[0, place] for other in without]
    assert found.target == ["-"]
    np.testing.assert_allclose([w for *_, w in found.parts[0]["0"]], expected, atol=1e-5)
    assert [text[start:end] for start, end, *_ in found.parts[0]["0"]] == words
    np.testing.assert_allclose(found.output, whole, atol=1e-5)
    np.testing.assert_allclose(found.shares, [[whole - blank]], atol=1e-5)
    np.testing.assert_allclose(found.baseline, [blank], atol=1e-5)


def test_pixels_have_the_mean_weight_of_the_windows_on_them():
    model, image = image_model(), images(1, 16, seed=5)[0]
    found = explain(model, [image], target=1, max_evals=4)
    total, count = np.zeros((2, 16, 16))
    whole = model.predict_proba([image])[0, 1]
    for top, left in ((0, 0), (0, 4), (4, 0), (4, 4)):  # windows of 3 of 4 cells along each side
        window = slice(top, top + 12), slice(left, left + 12)
        other = image.copy()
        other[window] = np.round(image.mean(axis=(0, 1)))
        total[window] += whole - model.predict_proba([other])[0, 1]
        count[window] += 1
    heat = np.asarray(found.parts[0]["0"])
    assert heat.shape == (16, 16)
    np.testing.assert_allclose(heat, total / count, atol=1e-5)


def test_shares_are_means_over_rows_that_are_drawn_once():
    model, X = table_model(), table()
    rows, background = X.iloc[[2, 6]], X.iloc[[0, 1, 4, 5, 7]]
    found = explain(model, rows, background=background, n_background=3, target=1, max_evals=2)
    drawn = np.random.RandomState(0).permutation(5)[:3]
    for row in range(2):
        whole = model.predict_proba(rows.iloc[[row]])[0, 1]
        for place, name in enumerate(X.columns):
            others = pd.concat([rows.iloc[[row]]] * 3)
            others[name] = background[name].iloc[drawn].array
            expected = whole - model.predict_proba(others)[:, 1].mean()
            assert found.shares[row, place] == pytest.approx(expected, abs=1e-5)
    expected = model.predict_proba(background.iloc[drawn])[:, 1].mean()
    np.testing.assert_allclose(found.baseline, expected, atol=1e-5)
    assert [sorted(parts) for parts in found.parts] == [["photo", "title"]] * 2


def test_without_a_background_cells_are_blank_or_of_the_other_rows():
    model, rows = table_model(), table().iloc[[0, 3, 5]]
    found = explain(model, rows, target=1, max_evals=2)
    others = pd.concat([rows.iloc[[0]]] * 2)
    others["price"] = rows["price"].iloc[[1, 2]].array
    whole = model.predict_proba(rows)[0, 1]
    expected = whole - model.predict_proba(others)[:, 1].mean()
    assert found.shares[0, 2] == pytest.approx(expected, abs=1e-5)
    blank = rows.iloc[[0]].assign(title=".")
    expected = whole - model.predict_proba(blank)[0, 1]
    assert found.shares[0, 1] == pytest.approx(expected, abs=1e-5)


def test_a_single_row_without_a_background_has_no_share_of_numbers():
    with pytest.warns(LeftOutWarning, match="'price', 'shop'.*Pass background="):
        found = explain(table_model(), table().iloc[[0]], max_evals=2)
    assert np.isnan(found.shares).tolist() == [[False, False, True, True]]
    assert np.isfinite(found.baseline).all()
    assert "price  +nan  0" in repr(found)


def test_equal_rows_have_equal_explanations_and_a_seed_repeats_them():
    rows = table().iloc[[0, 0, 1]]
    first, again = (explain(table_model(), rows, background=table(), max_evals=4) for _ in "ab")
    np.testing.assert_allclose(first.shares, again.shares)
    np.testing.assert_allclose(first.shares[0], first.shares[1], atol=1e-6)
    for one, other in zip(first.parts[0]["title"], first.parts[1]["title"], strict=True):
        assert one[:3] == other[:3]
        assert one[3] == pytest.approx(other[3], abs=1e-6)


# Targets -------------------------------------------------------------------------------------


def test_a_target_is_one_class_or_one_per_row():
    for target, expected in ((None, ["-", "+"]), ("+", ["+", "+"]), (["+", "-"], ["+", "-"])):
        found = explain(text_model(), TEXTS, target=target)
        assert found.target == expected
        places = [list(text_model().classes_).index(label) for label in expected]
        proba = text_model().predict_proba(TEXTS)[[0, 1], places]
        np.testing.assert_allclose(found.output, proba, atol=1e-5)
    for container in (pd.Series, pd.array, pl.Series, pa.array, np.array, tuple):
        targets = container(["+", "-"])
        assert explain(text_model(), TEXTS, target=targets, max_evals=1).target == ["+", "-"]
    assert explain(text_model(), TEXTS, target=np.array("+"), max_evals=1).target == ["+", "+"]


@pytest.mark.parametrize("target", ["?", 1, ["+"], ["+", "?"], [["+"], ["-"]], {}])
def test_a_target_that_is_no_class_is_refused(target):
    with pytest.raises(TargetError, match="target"):
        explain(text_model(), TEXTS, target=target)


@pytest.mark.parametrize("labels", [[False, True], [0, 1], [2.0, 3.0], ["a", "b"], [-1, 1]])
def test_classes_of_any_type_are_targets(labels):
    y = np.repeat(labels, 5)
    model = make_pipeline(TextEmbedder(cache=False), LogisticRegression()).fit(GOOD + BAD, y)
    found = explain(model, TEXTS, target=labels[1], max_evals=1)
    assert found.target == [labels[1]] * 2
    np.testing.assert_allclose(found.output, model.predict_proba(TEXTS)[:, 1], atol=1e-6)


def test_labels_of_scikit_learn_are_columns():
    Y = np.array([[1, 0], [1, 1]] * 5)
    embedder = TextEmbedder(cache=False)
    for model in (
        OneVsRestClassifier(LogisticRegression()),
        MultiOutputClassifier(LogisticRegression()),
    ):
        Y[:2, 0] = 0
        found = explain(make_pipeline(embedder, model).fit(GOOD + BAD, Y), TEXTS, target=1)
        assert found.target == [1, 1]
    three = np.stack([np.arange(10) % 3] * 2, axis=1)
    model = make_pipeline(embedder, MultiOutputClassifier(LogisticRegression())).fit(
        GOOD + BAD, three
    )
    with pytest.raises(TargetError, match="several classes per row"):
        explain(model, TEXTS)


@pytest.mark.parametrize("value", [0, 1])
def test_a_label_of_all_rows_has_a_probability_of_0_or_1(value):
    Y = np.array([[value, 0], [value, 1]] * 5)
    X = np.random.default_rng(0).normal(size=(10, 2))
    model = RandomForestClassifier(2, random_state=0).fit(X, Y)
    assert explain(model, X, target=0).output.tolist() == [value] * 10


def test_a_list_of_rows_of_numbers_is_a_matrix():
    X = np.random.default_rng(0).normal(size=(10, 2))
    model = LogisticRegression().fit(X, X[:, 1] > 0)
    found = explain(model, X[:3].tolist(), background=X.tolist())
    np.testing.assert_array_equal(found.shares, explain(model, X[:3], background=X).shares)
    assert found.columns == ["0", "1"]


def test_numbers_are_explained_and_of_several_one_is_chosen():
    embedder = TextEmbedder(cache=False)
    model = make_pipeline(embedder, Ridge(0.01)).fit(GOOD + BAD, [1.0] * 5 + [-1.0] * 5)
    found = explain(model, TEXTS)
    words = ["a bad , bad day", *(f"what {rest}" for rest in ("bad , bad day", "a , bad day"))]
    expected = found.output[0] - model.predict(words)
    np.testing.assert_allclose([w for *_, w in found.parts[0]["0"][:3]], expected, atol=1e-4)
    assert found.target is None
    model = make_pipeline(embedder, LinearRegression()).fit(GOOD + BAD, np.eye(10)[:, :3])
    with pytest.raises(TargetError, match="3 numbers per row"):
        explain(model, TEXTS)
    np.testing.assert_allclose(
        explain(model, TEXTS, target=2).output, model.predict(TEXTS)[:, 2], atol=1e-5
    )
    outliers = make_pipeline(embedder, IsolationForest(random_state=0)).fit(GOOD)
    assert explain(outliers, TEXTS).unit == "score"


# Errors --------------------------------------------------------------------------------------


def test_models_that_do_not_predict_rows_are_refused():
    with pytest.raises(NotFittedError):
        explain(make_pipeline(TextEmbedder(), LogisticRegression()), TEXTS)
    with pytest.raises(NotFittedError):
        explain(GridSearchCV(LogisticRegression(), {}), TEXTS)
    with pytest.raises(TypeError, match="does not predict"):
        explain(TextEmbedder(cache=False).fit(TEXTS), TEXTS)
    for wrong in (LogisticRegression, "model"):
        with pytest.raises(TypeError, match="does not predict"):
            explain(wrong, TEXTS)
    tagger = TextTagger(cache=False, max_epochs=1).fit(["a b"] * 4, [[(0, 1, "x")]] * 4)
    with pytest.raises(TypeError, match="one class, label or number per row"):
        explain(tagger, ["a b"])


def test_a_bad_cell_is_named_by_its_row():
    with pytest.raises(BadCellError, match="row 1"):
        explain(text_model(), ["good", None])
    with pytest.raises(BadCellError, match=r"row 1 \(index 13\)"):
        explain(table_model(), table().assign(photo=[*images(1), "missing.png", *images(6)]))


def test_missing_cells_have_shares_of_other_rows_and_no_parts():
    model = make_pipeline(TextEmbedder(missing="empty", cache=False), LogisticRegression(C=10))
    found = explain(model.fit(GOOD + BAD, LABELS), ["a bad day", None])
    assert sorted(found.parts[0]) == ["0"]
    assert found.parts[1] == {}
    assert np.isfinite(found.shares).all()
    nan = make_pipeline(
        TextEmbedder(missing="nan", cache=False), HistGradientBoostingClassifier(min_samples_leaf=1)
    )
    assert explain(nan.fit(GOOD + BAD, LABELS), ["bad", None, "good"]).parts[1] == {}


def test_a_row_without_a_prediction_has_none():
    options = {"image_size": 16, "cache": False, "max_epochs": 1, "random_state": 0}
    model = ImageClassifier(tiny_network(), on_error="nan", **options).fit(images(6), [0, 1] * 3)
    with pytest.warns(UserWarning, match="cannot be used"):
        found = explain(model, [images(1)[0], "missing.png"], max_evals=4)
    assert np.isnan(found.output).tolist() == [False, True]
    assert np.isnan(found.shares[1]).all()
    assert found.parts[1] == {}


def test_a_background_of_other_columns_is_refused():
    with pytest.raises(ColumnError, match=r"background has the columns photo, title, price, and X"):
        explain(table_model(), table(), background=table().drop(columns="shop"))
    with pytest.raises(ColumnError, match="same table"):
        explain(table_model(), table(), background=table().rename(columns={"shop": "store"}))


def test_a_method_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="method must be 'auto' or 'leave_out', got 'shap'"):
        explain(text_model(), TEXTS, method="shap")


@pytest.mark.parametrize("name", ["max_evals", "n_background"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "auto", True, None])
def test_counts_must_be_integers_of_at_least_one(name, value):
    with pytest.raises(ValueError, match=name):
        explain(text_model(), TEXTS, **{name: value})


# Edges and bounds ----------------------------------------------------------------------------


def test_the_smallest_cells_are_explained():
    found = explain(text_model(), ["bad", "?"])
    assert [len(parts["0"]) for parts in found.parts] == [1, 1]
    assert found.parts[0]["0"][0][3] == pytest.approx(found.shares[0, 0], abs=1e-6)
    found = explain(image_model(), [np.zeros((1, 1, 3), np.uint8), np.zeros((1, 9), np.uint8)])
    assert [np.asarray(parts["0"]).shape for parts in found.parts] == [(1, 1), (1, 9)]


class Counting(LogisticRegression):
    """Counts the rows that it predicts."""

    def predict_proba(self, X):
        self.n_rows_ = getattr(self, "n_rows_", 0) + len(X)
        return super().predict_proba(X)


def counting(embedder, X, y):
    return make_pipeline(embedder, Counting(C=10)).fit(X, y)


@pytest.mark.parametrize("max_evals", [1, 2, 7, 16])
def test_no_more_copies_are_predicted_than_allowed(max_evals):
    model = counting(TextEmbedder(cache=False), GOOD + BAD, LABELS)
    explain(model, [" ".join(["so"] * 60 + ["bad"] + ["so"] * 60)], max_evals=max_evals)
    # The row itself, and without its only column, which gives the baseline too.
    assert model[-1].n_rows_ <= max_evals + 3
    model = counting(image_embedder(), images(8), [0, 1] * 4)
    explain(model, images(1), max_evals=max_evals)
    assert model[-1].n_rows_ <= max_evals + 3


def test_the_word_of_a_long_text_is_found_by_splitting():
    words = ["so"] * 3_000
    words[100] = "bad"
    with pytest.warns(LeftOutWarning, match="only their start is used"):
        found = explain(text_model(), [" ".join(words)], target="-", max_evals=48)
    word = top_word(found.parts[0]["0"]).split()
    assert "bad" in word
    assert len(word) < 16
    # What the network does not read has no weight.
    assert all(weight == 0 for start, _, _, weight in found.parts[0]["0"] if start > 2_000)


def test_a_large_image_is_explained_at_its_size():
    image = np.zeros((1_500, 2_000, 3), dtype=np.uint8)
    image[:750, :1_000] = 255
    found = explain(image_model(), [image], max_evals=16)
    heat = found.parts[0]["0"]
    assert np.asarray(heat).shape == (1_500, 2_000)
    assert max(heat.weights.shape) < 100


# The cache -----------------------------------------------------------------------------------


def test_copies_are_not_stored_and_stored_rows_are_read(tmp_path):
    model = make_pipeline(TextEmbedder(cache=tmp_path), LogisticRegression()).fit(
        GOOD + BAD, LABELS
    )
    before = cache_info(tmp_path).rows
    explain(model, [GOOD[0], "another good day"], background=GOOD + BAD)
    assert cache_info(tmp_path).rows == before + 1  # the row that was not there
    assert model[0].cache == tmp_path
    computed = cache_info().computed
    explain(model, [GOOD[0]], background=GOOD + BAD)
    assert cache_info().computed == computed + len(GOOD[0].split())


def test_the_model_and_the_rows_stay_as_they_are():
    X = table()
    before = X.copy()
    explain(table_model(), X, max_evals=2)
    pd.testing.assert_frame_equal(X, before)


def test_nothing_warns_twice_of_what_is_left_out():
    text = "a very bad day " * 100
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        explain(text_model(), [text, text], max_evals=4)
    assert len(caught) == 1


def test_an_embedder_of_paths_is_explained(tmp_path):
    from PIL import Image

    paths = []
    for number, image in enumerate(images(8)):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(image).save(paths[-1])
    X = pd.DataFrame({"path": paths, "title": GOOD[:4] + BAD[:4]})
    embedder = ImageEmbedder(tiny_network(), image_size=16, cache=False)
    columns = type(table_model()[0])([("i", embedder, "path"), ("t", TextEmbedder(), "title")])
    model = make_pipeline(columns, LogisticRegression()).fit(X, [0, 1] * 4)
    found = explain(model, X.iloc[:2], max_evals=8)
    assert np.asarray(found.parts[0]["path"]).shape == (16, 16)


@pytest.mark.parametrize("blank", ["\u200b", "\ufeff", "\u2060 "])
def test_a_text_of_invisible_characters_beside_a_word_is_explained(blank):
    found = explain(text_model(), [blank + "bad"])
    assert {word: weight > 0 for *_, word, weight in found.parts[0]["0"]}["bad"]
