"""History, best epoch, early stopping and interrupts of a training."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from skorch.callbacks import Callback, EarlyStopping, EpochScoring

from sktransfer import ImageClassifier
from sktransfer.exceptions import StoppedWarning
from tests._tiny import images, tiny_network


def tiny(**options):
    common = {"lr": 0.05, "random_state": 0, "max_epochs": 6}
    return ImageClassifier(tiny_network(), **{**common, **options})


def test_validation_rows_are_scored_in_each_epoch():
    classifier = tiny().fit(
        images(10), np.arange(10) % 2, X_val=images(4, seed=1), y_val=[0, 1] * 2
    )
    frame = pd.DataFrame(classifier.history_)
    assert frame["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert frame[["train_loss", "valid_loss", "valid_score", "seconds"]].notna().all(axis=None)
    outputs = classifier.predict_proba(images(4, seed=1))
    loss = -np.log(outputs[np.arange(4), [0, 1, 0, 1]]).mean()
    np.testing.assert_allclose(frame["valid_loss"].iloc[-1], loss, rtol=1e-5)
    assert frame["valid_score"].iloc[-1] == classifier.score(images(4, seed=1), [0, 1] * 2)


def test_the_learning_rate_of_an_epoch_is_that_of_its_last_step():
    options = {"max_epochs": 2, "warmup": 0.0, "lr": 0.1}
    history = tiny(**options).fit(images(4), [0, 1] * 2).history_
    np.testing.assert_allclose([record["lr"] for record in history], [0.1, 0.05])


def test_early_stopping_keeps_the_best_epoch():
    rng = np.random.default_rng(0)
    column, y = images(40), rng.integers(0, 2, 40)
    options = {"early_stopping": True, "n_iter_no_change": 3, "max_epochs": 100, "lr": 0.3}
    classifier = tiny(**options, validation_fraction=0.5).fit(column, y)
    losses = [record["valid_loss"] for record in classifier.history_]
    assert len(losses) < 100
    assert classifier.best_epoch_ == int(np.argmin(losses)) + 1
    assert len(losses) == classifier.best_epoch_ + 3
    again = tiny(**{**options, "max_epochs": 100}, validation_fraction=0.5)
    np.testing.assert_array_equal(
        again.fit(column, y).predict_proba(column), classifier.predict_proba(column)
    )


def test_an_interrupt_keeps_the_finished_epochs():
    class Interrupt(Callback):
        def on_batch_begin(self, net, training=False, **kwargs):
            if len(net.history) == 3 and training:
                raise KeyboardInterrupt

    column, y = images(10), np.arange(10) % 2
    stopped = tiny(callbacks=[Interrupt()], lr_schedule="constant", warmup=0.0)
    with pytest.warns(StoppedWarning, match="2 of 6 epochs"):
        stopped.fit(column, y)
    two = tiny(max_epochs=2, lr_schedule="constant", warmup=0.0).fit(column, y)
    np.testing.assert_array_equal(stopped.predict_proba(column), two.predict_proba(column))


def test_an_interrupt_in_the_first_epoch_leaves_the_estimator_unchanged():
    class Interrupt(Callback):
        def on_batch_begin(self, net, **kwargs):
            raise KeyboardInterrupt

    column, y = images(10), np.arange(10) % 2
    classifier = tiny().fit(column, y)
    before = classifier.predict_proba(column)
    with pytest.raises(KeyboardInterrupt):
        classifier.set_params(callbacks=[Interrupt()]).fit(column, 1 - y)
    np.testing.assert_array_equal(classifier.predict_proba(column), before)


def test_early_stopping_of_skorch_ends_a_fit_without_warning():
    stop = EarlyStopping(monitor="train_loss", patience=1, threshold=10, sink=lambda text: None)
    classifier = tiny(callbacks=[stop], max_epochs=50).fit(images(10), np.arange(10) % 2)
    assert len(classifier.history_) < 50


class Temperature(Callback):
    """Records a number, a string, and a name that is already in the history."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("temperature", 20 + len(net.history))
        net.history.record("remark", "no number")
        net.history.record("lr", -1.0)


def test_values_recorded_by_callbacks_are_history_columns():
    """Only numbers; our own columns keep their meaning, and skorch's own are left out."""
    scores = EpochScoring("f1_macro", name="valid_f1", lower_is_better=False)
    trained = EpochScoring("accuracy", name="train_accuracy", on_train=True, lower_is_better=False)
    classifier = tiny(callbacks=[scores, trained, Temperature()], batch_size=4, max_epochs=3)
    valid = images(4, seed=1), [0, 1] * 2
    classifier.fit(images(8), [0, 1] * 4, X_val=valid[0], y_val=valid[1])
    records = pd.DataFrame(classifier.history_)
    own = ["epoch", "phase", "lr", "train_loss", "valid_loss", "valid_score", "seconds"]
    assert sorted(records.columns) == sorted([*own, "valid_f1", "train_accuracy", "temperature"])
    assert records["temperature"].tolist() == [21, 22, 23]
    assert (records["lr"] >= 0).all()
    assert records["train_accuracy"].between(0, 1).all()
    assert all(type(record["valid_f1"]) is float for record in classifier.history_)
    predicted = classifier.predict(valid[0])
    assert records["valid_f1"].iloc[-1] == pytest.approx(
        f1_score(valid[1], predicted, average="macro")
    )
    assert json.loads(json.dumps(classifier.history_)) == classifier.history_
    assert pickle.loads(pickle.dumps(classifier)).history_ == classifier.history_


def test_a_warm_start_keeps_the_columns_of_callbacks():
    scores = EpochScoring("accuracy", name="mine", on_train=True, lower_is_better=False)
    classifier = tiny(callbacks=[scores], max_epochs=2, warm_start=True)
    for _ in range(2):
        classifier.fit(images(8), [0, 1] * 4)
    assert [0 <= record["mine"] <= 1 for record in classifier.history_] == [True] * 4
