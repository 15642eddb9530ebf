"""The progress of a fit is reported to scikit-learn's callbacks, and to standard error with `verbose`."""

import warnings

from sklearn.callback import ProgressBar
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sktransfer import ImageEmbedder, TextEmbedder
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
    embedder.transform(images(5))
    assert "5 rows, 0 to compute" in capsys.readouterr().err


def test_nothing_is_shown_by_default(cache_folder, capsys):
    ImageEmbedder(tiny_network()).fit_transform(images(3))
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")
