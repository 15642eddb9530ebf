"""Confusion matrices with examples of the largest confusions."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline

from sktransfer import ConfusionDisplay, ImageEmbedder
from tests._tiny import images, texts, tiny_network

TRUE = ["a", "a", "a", "b", "b", "b", "b", "c"]
PREDICTED = ["a", "b", "b", "a", "c", "c", "c", "c"]


@pytest.fixture(autouse=True)
def _closed(cache_folder):
    yield
    plt.close("all")


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_the_largest_confusions_come_first_with_their_rows_and_examples(kind):
    display = ConfusionDisplay.from_predictions(kind(TRUE), kind(PREDICTED), texts(8), n_examples=2)
    np.testing.assert_array_equal(display.matrix, confusion_matrix(TRUE, PREDICTED))
    assert [(c.true, c.predicted, c.rows) for c in display.confusions] == [
        ("b", "c", [4, 5, 6]),
        ("a", "b", [1, 2]),
        ("b", "a", [3]),
    ]
    assert [len(c.previews) for c in display.confusions] == [2, 2, 1]
    assert display.example_axes_.shape == (3, 2)
    display.figure_.canvas.draw()


def test_images_of_a_fitted_pipeline_are_shown():
    column, y = images(12), np.arange(12) % 2
    model = make_pipeline(ImageEmbedder(tiny_network(), cache=False), RidgeClassifier(1e6))
    model.fit(column, y)
    display = ConfusionDisplay.from_estimator(model, column, 1 - model.predict(column))
    rows = display.confusions[0].rows
    np.testing.assert_array_equal(display.confusions[0].previews[0], column[rows[0]])
    shown = display.example_axes_[0, 0].images[0].get_array()
    np.testing.assert_array_equal(shown, column[rows[0]])


def test_without_cells_or_mistakes_only_the_matrix_is_drawn():
    for y_pred, cells in ((PREDICTED, None), (TRUE, texts(8)), (PREDICTED, np.zeros((8, 3)))):
        display = ConfusionDisplay.from_predictions(TRUE, y_pred, cells)
        assert display.example_axes_.size == 0
        assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["a", "b", "c"]
        display.figure_.canvas.draw()


def test_the_matrix_shows_shares_of_each_true_class_even_of_one_without_rows():
    display = ConfusionDisplay.from_predictions([0, 0, 1], [0, 2, 1])
    texts_of = [text.get_text() for text in display.ax_.texts]
    assert texts_of == ["50%", "0%", "50%", "0%", "100%", "0%", "0%", "0%", "0%"]


def test_bools_numbers_and_one_class():
    assert ConfusionDisplay.from_predictions([True, False], [True, True]).confusions[0].rows == [1]
    assert ConfusionDisplay.from_predictions([3, 3], [3, 3]).confusions == []


def test_bad_cells_have_a_text():
    display = ConfusionDisplay.from_predictions(
        [0, 1, 0], [0, 0, 1], [images(1)[0], b"x", "no.png"]
    )
    assert all(isinstance(c.previews[0], str) for c in display.confusions)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([0, 1], [0]), "inconsistent numbers of samples"),
        (([0, 1], [1, 0], texts(3)), "There are 3 cells for 2 rows"),
        (([0.5, 1], [0, 1]), "continuous|mix"),
    ],
)
def test_wrong_arguments_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        ConfusionDisplay.from_predictions(*arguments)


def test_names_of_classes_are_no_formulas():
    display = ConfusionDisplay.from_predictions(["$x_$", "b"], ["$x_$", "$x_$"])
    display.figure_.draw_without_rendering()
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["$x_$", "b"]


def test_long_names_are_cut_in_titles_and_at_axes():
    long = "a class of many words " * 5
    display = ConfusionDisplay.from_predictions([long, "b"], ["b", "b"], ["x", "y"])
    cut = "a class of many words a cla…"
    assert display.ax_.get_yticklabels()[0].get_text() == cut
    assert display.figure_.subfigs[1].subfigs[0].get_suptitle() == f"{cut} taken for b (1)"


def test_several_labels_per_row_are_refused():
    with pytest.raises(ValueError, match="1d"):
        ConfusionDisplay.from_predictions(np.eye(3, dtype=int), np.eye(3, dtype=int))
