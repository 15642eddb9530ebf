"""The training display shows the records of the history."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import HistoryDisplay, ImageClassifier, ImageRegressor
from tests._tiny import images, tiny_network

COLUMN, SIDES = images(12), np.arange(12) % 2


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def tiny(**options):
    settings = {"max_epochs": 4, "lr": 0.05, "random_state": 0, "cache": False}
    return ImageClassifier(tiny_network(), **{**settings, **options})


def labels(display):
    return [line.get_label() for line in display.lines_]


def column(estimator, key):
    return [record[key] for record in estimator.history_]


def test_lines_are_the_losses_and_the_score_of_each_epoch():
    classifier = tiny(early_stopping=True, validation_fraction=0.5).fit(COLUMN, SIDES)
    display = HistoryDisplay.from_estimator(classifier)
    assert labels(display) == ["training loss", "validation loss", "validation accuracy"]
    for line, key in zip(display.lines_, ("train_loss", "valid_loss", "valid_score"), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), column(classifier, "epoch"))
        np.testing.assert_array_equal(line.get_ydata(), column(classifier, key))
    assert display.lines_[2].axes is display.score_ax_ is not display.ax_
    assert display.figure_ is display.ax_.figure


def test_without_validation_rows_there_is_one_line_and_one_axis():
    display = HistoryDisplay.from_estimator(tiny().fit(COLUMN, SIDES))
    assert labels(display) == ["training loss"]
    assert display.score_ax_ is None


def test_the_score_of_a_regressor_is_r_squared():
    regressor = ImageRegressor(tiny_network(), max_epochs=2, random_state=0, cache=False)
    regressor.fit(COLUMN, SIDES, X_val=COLUMN, y_val=SIDES)
    assert labels(HistoryDisplay.from_estimator(regressor))[-1] == "validation R²"


def test_the_epoch_of_the_best_weights_is_marked():
    classifier = tiny(early_stopping=True, validation_fraction=0.5).fit(COLUMN, SIDES)
    display = HistoryDisplay.from_estimator(classifier)
    marked = [line for line in display.ax_.lines if "kept" in str(line.get_label())]
    assert [line.get_xdata()[0] for line in marked] == [classifier.best_epoch_]
    assert f"(epoch {classifier.best_epoch_})" in marked[0].get_label()


def test_phases_are_labelled_if_there_are_several():
    one = HistoryDisplay.from_estimator(tiny(trainable=1).fit(COLUMN, SIDES))
    assert [text.get_text() for text in one.ax_.texts] == []
    two = HistoryDisplay.from_estimator(tiny(trainable=1, probe_epochs=2).fit(COLUMN, SIDES))
    assert [text.get_text() for text in two.ax_.texts] == ["probe", "train"]
    assert len(two.ax_.patches) == 1


def test_no_line_connects_a_contrastive_loss_with_that_of_a_head():
    classifier = tiny(trainable=1, contrastive_epochs=2).fit(COLUMN, SIDES)
    losses = HistoryDisplay.from_estimator(classifier).lines_[0].get_ydata()
    assert np.flatnonzero(np.isnan(losses)).tolist() == [2]
    assert losses[~np.isnan(losses)].tolist() == column(classifier, "train_loss")


def test_a_continued_training_is_one_line():
    classifier = tiny(warm_start=True).fit(COLUMN, SIDES).fit(COLUMN, SIDES)
    display = HistoryDisplay.from_estimator(classifier)
    assert display.lines_[0].get_xdata().tolist() == list(range(1, 9))


def test_it_plots_into_the_given_axes_with_the_given_style():
    _, ax = plt.subplots()
    display = HistoryDisplay.from_estimator(
        tiny().fit(COLUMN, SIDES), ax=ax, color="black", linewidth=3
    )
    assert display.ax_ is ax
    assert display.lines_[0].get_color() == "black"
    assert display.lines_[0].get_linewidth() == 3
    assert display.plot() is display
    assert display.ax_ is not ax


def test_a_given_label_replaces_the_default_one():
    display = HistoryDisplay.from_estimator(tiny().fit(COLUMN, SIDES), label="mine")
    assert labels(display) == ["mine"]


def test_estimators_without_a_history_are_refused():
    with pytest.raises(NotFittedError):
        HistoryDisplay.from_estimator(tiny())
    model = make_pipeline(tiny()).fit(COLUMN, SIDES)
    with pytest.raises(TypeError, match=r"Pipeline has no history_.*model\[-1\]"):
        HistoryDisplay.from_estimator(model)
    HistoryDisplay.from_estimator(model[-1])
    with pytest.raises(TypeError, match="LogisticRegression has no history_"):
        HistoryDisplay.from_estimator(LogisticRegression())


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    classifier = tiny().fit(COLUMN, SIDES)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sktransfer\[demo\]"):
        HistoryDisplay.from_estimator(classifier)
