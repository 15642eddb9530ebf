"""Copies within a column and across two."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError

from sktransfer import (
    Duplicates,
    ImageEmbedder,
    TextClassifier,
    TextEmbedder,
    find_duplicates,
    leakage_report,
)
from sktransfer.exceptions import BadCellError, BadCellWarning, ConflictWarning
from tests._tiny import sounds, tiny_network
from tests.modalities.image.test_picture_matcher import COPIES, as_jpeg, picture

IMAGES = ImageEmbedder(tiny_network(), cache=False)
TEXTS = TextEmbedder(cache=False)
PICTURES = [picture(seed) for seed in range(6)]
QUESTIONS = ["What is a cat?", "Who was Newton?", "What is a cat?", "What is a cat ?", "Why?"]


def found(copies):
    return {tuple(pair): how for pair, how in zip(copies.pairs.tolist(), copies.how, strict=True)}


@pytest.fixture(scope="module")
def questions():
    return find_duplicates(QUESTIONS, embedder=TEXTS)


def test_exact_and_near_texts_are_pairs(questions):
    assert found(questions) == {(0, 2): "exact", (0, 3): "near"}
    assert questions.similarity[0] == 1
    assert 0.95 <= questions.similarity[1] < 1
    assert questions.groups.tolist() == [0, 1, 0, 0, 2]
    assert list(questions.table[0].values()) == [0, 2, "exact", 1.0]
    assert repr(questions) == "5 rows: 2 pairs of copies (1 exact, 1 near), 1 groups of 2 to 3 rows"


def test_the_threshold_decides_which_texts_are_near():
    strict = find_duplicates(QUESTIONS, embedder=TEXTS, threshold=1)
    assert found(strict) == {(0, 2): "exact"}
    assert len(find_duplicates(QUESTIONS, embedder=TEXTS, threshold=0.01).pairs) > 2


def test_copies_of_pictures_are_found_whatever_was_done():
    cells = [*PICTURES, PICTURES[0], *(copy(PICTURES[1]) for copy in COPIES.values())]
    copies = find_duplicates(cells, embedder=IMAGES)
    groups = copies.groups
    assert groups[6] == groups[0]
    assert set(groups[7:]) == {groups[1]}
    assert len(set(groups[:6])) == 6
    assert set(copies.how) == {"exact", "near", "mirrored"}


def test_blank_pictures_are_copies_only_if_they_are_exact():
    blank = [np.full((8, 8, 3), grey, np.uint8) for grey in (200, 200, 201, 0)]
    blank.append(np.full((16, 16, 3), 200, np.uint8))
    assert found(find_duplicates(blank, embedder=IMAGES)) == {(0, 1): "exact"}


def test_many_exact_copies_are_as_many_pairs():
    copies = find_duplicates(["one", "two"] * 500, embedder=TEXTS)
    assert len(copies.pairs) == 998
    assert np.unique(copies.groups).tolist() == [0, 1]


@pytest.mark.parametrize("cells", [["one"], ["one", "two words"]])
def test_without_copies_every_row_is_a_group(cells):
    copies = find_duplicates(cells, embedder=TEXTS)
    assert copies.pairs.shape == (0, 2)
    assert copies.table == []
    assert copies.groups.tolist() == list(range(len(cells)))
    assert repr(copies) == f"{len(cells)} rows: 0 pairs of copies"


def test_rows_have_their_label_in_the_index():
    series = pd.Series(QUESTIONS, index=list("abcde"), name="question")
    row = find_duplicates(series, embedder=TEXTS).table[0]
    assert (row["row_index"], row["copy_index"]) == ("a", "c")
    row = leakage_report(series, series[["c"]], embedder=TEXTS).table[0]
    assert (row["train_row_index"], row["test_row_index"]) == ("a", "c")


@pytest.mark.parametrize(
    ("y", "named"),
    [
        ([1, 1, 2, 1, 1], r"1 groups .*: row 0 \(1\) and row 2 \(2\)\."),
        (["a", "b", "a", "c", "d"], r"row 0 \('a'\) and row 3 \('c'\)"),
        (np.array([[0, 1], [0, 0], [1, 1], [0, 1], [0, 0]]), r"row 0 \(\(0, 1\)\) and row 2"),
        (pd.Series([None, 1, 5, 6, 1]), r"row 2 \(5.0\) and row 3 \(6.0\)"),
    ],
)
def test_copies_with_different_labels_are_named(y, named):
    with pytest.warns(ConflictWarning, match=named):
        find_duplicates(QUESTIONS, embedder=TEXTS, y=y)


def test_equal_and_missing_labels_are_no_conflict():
    find_duplicates(QUESTIONS, embedder=TEXTS, y=[1, 2, None, 1, 3])


def test_cells_that_cannot_be_used_are_left_out_and_named():
    cells = [PICTURES[0], b"no picture", PICTURES[0], b"no picture", None]
    with pytest.raises(BadCellError, match="row 4"):
        find_duplicates(cells, embedder=IMAGES)
    lenient = ImageEmbedder(tiny_network(), cache=False, on_error="nan")
    with pytest.warns(BadCellWarning, match="3 of 5 rows"):
        copies = find_duplicates(cells, embedder=lenient)
    assert found(copies) == {(0, 2): "exact"}
    assert copies.left_out.tolist() == [1, 3, 4]
    assert copies.groups.tolist() == [0, 1, 0, 2, 3]
    assert repr(copies).endswith("3 rows left out")
    with pytest.warns(BadCellWarning):
        copies = find_duplicates([None, None], embedder=lenient)
    assert copies.left_out.tolist() == [0, 1]


def test_missing_texts_are_left_out_without_a_warning():
    embedder = TextEmbedder(cache=False, missing="nan", on_error="nan")
    copies = find_duplicates(["one", None, None, "one"], embedder=embedder)
    assert found(copies) == {(0, 3): "exact"}
    assert copies.left_out.tolist() == [1, 2]


def test_flattened_pictures_and_a_fitted_embedder_are_taken():
    rows = np.stack([p[::4, ::4].ravel() for p in (*PICTURES[:3], PICTURES[0])])
    embedder = ImageEmbedder(tiny_network(), image_shape=(30, 30, 3), cache=False).fit(rows)
    assert found(find_duplicates(rows, embedder=embedder)) == {(0, 3): "exact"}


def test_sounds_are_compared_by_features():
    from sktransfer import AudioEmbedder

    clips = sounds(3)
    cells = [(clip, 16_000) for clip in (*clips, clips[1])]
    embedder = AudioEmbedder("log-mel", cache=False)
    assert (1, 3) in found(find_duplicates(cells, embedder=embedder))


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, "high", np.nan, True])
def test_a_threshold_that_is_none_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold must be a number above 0 and up to 1"):
        find_duplicates(["one"], embedder=TEXTS, threshold=threshold)


def test_an_embedder_that_is_none_is_refused():
    with pytest.raises(TypeError, match="embedder must be an embedder such as TextEmbedder"):
        find_duplicates(["one"], embedder=str)


def test_an_embedder_that_learns_from_targets_is_passed_fitted():
    with pytest.raises(NotFittedError, match="TextClassifier learns from targets"):
        find_duplicates(["a", "b"], embedder=TextClassifier())


def test_labels_of_another_number_are_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        find_duplicates(["one", "two"], embedder=TEXTS, y=[1])


def test_test_rows_with_a_copy_in_train_are_counted():
    test = ["Where is Rome?", "What is a cat?", "What is a cat ?", "What is a cat ?", "Rome"]
    report = leakage_report(QUESTIONS, test, embedder=TEXTS)
    assert found(report) == {(0, 1): "exact", (3, 2): "exact", (3, 3): "exact"}
    report = leakage_report(QUESTIONS[:3], test, embedder=TEXTS)
    assert found(report) == {(0, 1): "exact", (0, 2): "near", (0, 3): "near"}
    assert report.test_rows.tolist() == [1, 2, 3]
    assert repr(report) == (
        "3 of 5 test rows (60.0%) have a copy in train; 3 pairs (1 exact, 2 near)"
    )


def test_copies_of_pictures_in_train_are_found():
    test = [picture(50), *(copy(PICTURES[2]) for copy in COPIES.values())]
    report = leakage_report(PICTURES, test, embedder=IMAGES)
    assert report.pairs.tolist() == [[2, row] for row in range(1, 8)]
    assert leakage_report(PICTURES, test[:1], embedder=IMAGES).table == []


def test_labels_of_both_are_in_the_table():
    report = leakage_report(
        QUESTIONS, ["What is a cat?"], y_train=[1, 2, 3, 4, 5], y_test=[9], embedder=TEXTS
    )
    assert report.table[0]["train_label"] == 1
    assert report.table[0]["test_label"] == 9
    with pytest.raises(ValueError, match="go together"):
        leakage_report(QUESTIONS, QUESTIONS, y_test=[1] * 5, embedder=TEXTS)


def test_groups_are_connected_through_others():
    pairs = np.array([[0, 1], [1, 2], [4, 5]])
    copies = Duplicates(pairs, np.full(3, "near"), np.full(3, 0.96), n_rows=6)
    assert copies.groups.tolist() == [0, 0, 0, 1, 2, 2]


@pytest.mark.parametrize("order", [1, -1])
def test_many_copies_of_a_picture_do_not_crowd_out_the_others(order):
    """Each picture has more copies of its own crop than neighbours that it is compared with."""
    whole = PICTURES[0]
    cropped = np.ascontiguousarray(whole[10:-1, 9:-2])
    mirrored = np.ascontiguousarray(whole[:, ::-1])
    cells = [as_jpeg(p, quality) for p in (whole, cropped, mirrored) for quality in range(80, 88)]
    cells = [*cells, *PICTURES[1:]][::order]
    sizes = np.bincount(find_duplicates(cells, embedder=IMAGES).groups)
    assert sorted(sizes) == [1] * 5 + [24]


@pytest.mark.parametrize("threshold", [np.float32(0.95), np.float64(0.95), np.int64(1), 1])
def test_a_threshold_is_any_number(threshold):
    assert (0, 2) in found(find_duplicates(QUESTIONS, embedder=TEXTS, threshold=threshold))


def test_parameters_are_checked_before_cells_are_embedded():
    class Unused(TextEmbedder):
        def transform(self, X):
            raise AssertionError

    unused = Unused(cache=False)
    for bad, message in (({"threshold": 2}, "threshold must be"), ({"y": [1]}, "inconsistent")):
        with pytest.raises(ValueError, match=message):
            find_duplicates(QUESTIONS, embedder=unused, **bad)
    with pytest.raises(ValueError, match="inconsistent"):
        leakage_report(QUESTIONS, QUESTIONS, y_train=[1], y_test=[1], embedder=unused)


@pytest.mark.parametrize(
    ("y", "is_conflict"),
    [
        (np.array([[np.nan, 1]] * 5), False),
        ([np.array([1, 2]), np.array([3]), np.array([1, 2]), np.array([1, 2]), 1], False),
        ([np.array([1, 2]), np.array([3]), np.array([1, 4]), np.array([1, 2]), 1], True),
        (csr_array([[1, 0], [0, 1], [1, 0], [1, 0], [0, 1]]), False),
        (csr_array([[1, 0], [0, 1], [1, 1], [1, 0], [0, 1]]), True),
    ],
    ids=["missing", "arrays", "other arrays", "sparse", "other sparse"],
)
def test_labels_of_any_container_are_compared(y, is_conflict):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        find_duplicates(QUESTIONS, embedder=TEXTS, y=y)
    assert [w.category for w in caught] == [ConflictWarning] * is_conflict
