"""Progress of a training: scikit-learn's callbacks, and the table printed by `verbose`."""

import numpy as np
from sklearn.callback import ScoringMonitor

from sktransfer import ImageClassifier
from tests._tiny import images, tiny_network


def tiny(**options):
    common = {"lr": 0.05, "random_state": 0, "max_epochs": 6}
    return ImageClassifier(tiny_network(), **{**common, **options})


def test_callbacks_of_scikit_learn_are_called_per_epoch():
    monitor = ScoringMonitor(scoring="accuracy")
    classifier = tiny(max_epochs=3).set_callbacks(monitor)
    classifier.fit(images(10), np.arange(10) % 2)
    log = monitor.get_logs()[0] if isinstance(monitor.get_logs(), list) else monitor.get_logs()
    data = log.data_as_pandas
    assert (data["task_name"] == "epoch").sum() == 3
    assert data["accuracy"].between(0, 1).all()


def test_verbose_shows_epochs_on_standard_error(capsys):
    tiny(max_epochs=2, verbose=1).fit(images(4), [0, 1] * 2)
    shown = capsys.readouterr()
    assert not shown.out
    assert "train loss" in shown.err
    assert "2/2" in shown.err
    tiny(max_epochs=2).fit(images(4), [0, 1] * 2)
    assert capsys.readouterr() == ("", "")
