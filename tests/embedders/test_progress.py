"""The progress of a fit is reported to scikit-learn's callbacks, and to standard error with `verbose`."""

import re
import sys
import warnings

import pytest
import rich.console
from sklearn.callback import ProgressBar
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sktransfer import ImageClassifier, ImageEmbedder, TextEmbedder
from tests._tiny import images, texts, tiny_network


class Recorder:
    """A callback that records its calls."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self.events.append(f"end {context.task_name}")

    def teardown(self, estimator, context):
        self.events.append("teardown")


def test_callbacks_receive_the_number_of_rows_computed(cache_folder):
    recorder = Recorder()
    embedder = ImageEmbedder(tiny_network(), batch_size=2).set_callbacks(recorder)
    embedder.fit_transform(images(8))
    assert recorder.events[:2] == ["setup", "begin embed"]
    assert recorder.events[-2:] == ["end embed", "teardown"]
    assert recorder.events.count("end rows") == 8


def test_callbacks_of_a_cached_column_begin_and_end(cache_folder):
    recorder = Recorder()
    embedder = ImageEmbedder(tiny_network()).fit(images(4))
    embedder.transform(images(4))
    embedder.set_callbacks(recorder).fit_transform(images(4))
    assert recorder.events == ["setup", "begin embed", "end embed", "teardown"]


def test_one_progress_bar_shows_a_whole_search(cache_folder, capsys):
    model = make_pipeline(TextEmbedder(), RidgeClassifier())
    search = GridSearchCV(model, {"ridgeclassifier__alpha": [1, 10]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RidgeClassifier has no callbacks yet and warns
        search.fit(texts(12), [0, 1] * 6)
    assert "TextEmbedder" in capsys.readouterr().out


def test_verbose_shows_progress_on_standard_error(cache_folder, capsys):
    embedder = ImageEmbedder(tiny_network(), verbose=1).fit(images(5))
    embedder.transform(images(5))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "ImageEmbedder: 5 rows, 5 to compute" in shown.err
    embedder.transform(images(7))
    assert "ImageEmbedder: 7 rows, 2 to compute" in capsys.readouterr().err


def test_verbose_shows_nothing_where_nothing_is_computed(cache_folder, capsys):
    embedder = ImageEmbedder(tiny_network(), verbose=1).fit(images(5))
    embedder.transform(images(5))
    capsys.readouterr()
    embedder.fit_transform(images(5))
    embedder.transform(images(3))
    assert capsys.readouterr() == ("", "")


def test_a_search_shows_each_row_once(cache_folder, capsys):
    model = make_pipeline(TextEmbedder(verbose=1), RidgeClassifier())
    search = GridSearchCV(model, {"ridgeclassifier__alpha": [1, 10, 100]}, cv=3)
    search.fit(texts(12), [0, 1] * 6)
    computed = re.findall(r"rows, (\d+) to compute", capsys.readouterr().err)
    assert sum(map(int, computed)) == 12
    assert len(computed) <= 3


@pytest.mark.parametrize("kind", ["embedder", "fine-tuner"])
def test_a_notebook_without_widgets_shows_a_bar_once(kind, monkeypatch, capsys):
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    if kind == "embedder":
        ImageEmbedder(tiny_network(), cache=False, batch_size=1, verbose=1).fit_transform(images(8))
    else:
        ImageClassifier(tiny_network(), max_epochs=8, verbose=1).fit(images(8), [0, 1] * 4)
    shown = capsys.readouterr().err
    assert shown.count("8/8") == shown.count("━ ") == 1
    assert "\r" not in shown
    assert "ipywidgets" not in shown


def test_nothing_is_shown_by_default(cache_folder, capsys):
    ImageEmbedder(tiny_network()).fit_transform(images(3))
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")
