"""skorch's callbacks work in fine-tuners as in skorch."""

import json

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import accuracy_score, get_scorer
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    LRScheduler,
    PrintLog,
    TensorBoard,
    TrainEndCheckpoint,
    WandbLogger,
)
from torch.optim.lr_scheduler import StepLR

from sktransfer import ImageClassifier, ImageRegressor, TextRegressor
from sktransfer.exceptions import DivergedError
from tests._tiny import images, texts, tiny_network

COLUMN, SIDES = images(24), np.arange(24) % 2
HELD_OUT = {"X_val": images(8, seed=1), "y_val": SIDES[:8]}
# Wrong targets, so that the first epoch has the lowest validation loss.
WRONG = {"X_val": COLUMN, "y_val": 1 - SIDES}


def tiny(*callbacks, **options):
    settings = {"max_epochs": 4, "batch_size": 8, "lr": 0.05, "random_state": 0, "cache": False}
    return ImageClassifier(tiny_network(), callbacks=list(callbacks), **{**settings, **options})


def column(estimator, key):
    return [record[key] for record in estimator.history_]


class StoreHistories(Callback):
    """Stores skorch's history after each epoch."""

    def __init__(self):
        self.records = []

    def on_epoch_end(self, net, **kwargs):
        self.records.append(dict(net.history[-1]))


def test_tensorboard_gets_the_losses_and_scores_of_each_epoch(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from torch.utils.tensorboard import SummaryWriter

    classifier = tiny(TensorBoard(SummaryWriter(str(tmp_path)))).fit(COLUMN, SIDES, **HELD_OUT)
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    tags = {"Loss/train_loss": "train_loss", "Loss/valid_loss": "valid_loss"}
    tags["Loss/valid_score"] = "valid_score"
    for tag, key in tags.items():
        written = events.Scalars(tag)
        assert [event.step for event in written] == [1, 2, 3, 4]
        np.testing.assert_allclose([event.value for event in written], column(classifier, key))


def test_callbacks_see_one_history_over_phases_and_warm_starts():
    epochs, histories = [], StoreHistories()

    class CountEpochs(Callback):
        def on_epoch_end(self, net, **kwargs):
            epochs.append(len(net.history))
            histories.records = [dict(record) for record in net.history]

    classifier = ImageClassifier(
        "resnet18",
        weights=None,
        image_size=32,
        trainable=1,
        contrastive_epochs=2,
        probe_epochs=1,
        max_epochs=2,
        warm_start=True,
        random_state=0,
        callbacks=[CountEpochs()],
    )
    for _ in range(2):
        classifier.fit(images(8), [0, 1] * 4)
    # Contrastive epochs have no predictions, so no callback is called; they are in the history.
    assert epochs == [3, 4, 5, 6, 7]
    assert [record["train_loss"] for record in histories.records] == pytest.approx(
        column(classifier, "train_loss")
    )


def test_wandb_gets_losses_and_weights_offline(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    run = wandb.init(mode="offline", dir=str(tmp_path), project="sktransfer")
    try:
        classifier = tiny(WandbLogger(run)).fit(COLUMN, SIDES, **HELD_OUT)
        last = classifier.history_[-1]
        for key in ("train_loss", "valid_loss", "valid_score"):
            assert run.summary[key] == pytest.approx(last[key])
        weights = torch.load(f"{run.dir}/best_model.pth", weights_only=True)
        assert set(weights) == set(classifier.module_.state_dict())
        logs = list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    finally:
        run.finish()
    assert len(logs) == 1


def wrong_loss(classifier):
    outputs = classifier.predict_proba(WRONG["X_val"])
    return -np.log(outputs[np.arange(24), WRONG["y_val"]]).mean()


def test_a_checkpoint_holds_the_best_epoch_and_can_be_loaded(tmp_path):
    classifier = tiny(Checkpoint(dirname=str(tmp_path))).fit(COLUMN, SIDES, **WRONG)
    losses = column(classifier, "valid_loss")
    assert np.argmin(losses) == 0
    np.testing.assert_allclose(wrong_loss(classifier), losses[-1], rtol=1e-5)
    assert len(json.loads((tmp_path / "history.json").read_text())) == 1
    state = torch.load(tmp_path / "optimizer.pt", weights_only=True)
    assert {group["name"] for group in state["param_groups"]} >= {"head"}
    classifier.module_.load_state_dict(torch.load(tmp_path / "params.pt", weights_only=True))
    np.testing.assert_allclose(wrong_loss(classifier), losses[0], rtol=1e-5)


def test_a_checkpoint_can_restore_the_best_epoch(tmp_path):
    checkpoint = Checkpoint(dirname=str(tmp_path), load_best=True)
    classifier = tiny(checkpoint).fit(COLUMN, SIDES, **WRONG)
    losses = column(classifier, "valid_loss")
    assert len(losses) == 4
    np.testing.assert_allclose(wrong_loss(classifier), losses[0], rtol=1e-5)


def test_a_checkpoint_at_the_end_holds_the_fitted_network(tmp_path):
    classifier = tiny(TrainEndCheckpoint(dirname=str(tmp_path)), trainable=1).fit(COLUMN, SIDES)
    saved = torch.load(tmp_path / "train_end_params.pt", weights_only=True)
    for name, tensor in classifier.module_.state_dict().items():
        assert torch.equal(saved[name], tensor), name


def test_a_callable_scores_each_epoch():
    def accuracy(net, X, y):
        return accuracy_score(y, net.predict(X))

    histories = StoreHistories()
    scoring = EpochScoring(accuracy, name="mine", lower_is_better=False)
    training = EpochScoring(accuracy, name="on_train", lower_is_better=False, on_train=True)
    classifier = tiny(scoring, training, histories).fit(COLUMN, SIDES, **HELD_OUT)
    mine = [record["mine"] for record in histories.records]
    assert mine == column(classifier, "valid_score")
    assert all(0 <= record["on_train"] <= 1 for record in histories.records)


@pytest.mark.parametrize("scoring", ["accuracy", "f1_macro", "roc_auc", "neg_log_loss"])
def test_scorers_of_scikit_learn_are_accepted_by_name(scoring):
    histories = StoreHistories()
    named = EpochScoring(scoring, name="mine", lower_is_better=False)
    classifier = tiny(named, histories).fit(COLUMN, SIDES, **HELD_OUT)
    expected = get_scorer(scoring)(classifier, HELD_OUT["X_val"], HELD_OUT["y_val"])
    assert histories.records[-1]["mine"] == pytest.approx(expected, abs=1e-5)


def test_scorers_of_label_matrices_and_numbers_are_accepted_by_name():
    shapes = [(ImageClassifier, np.stack([SIDES, 1 - SIDES], 1), "f1_macro")]
    shapes.append((ImageRegressor, np.arange(24.0), "r2"))
    for kind, y, scoring in shapes:
        histories = StoreHistories()
        callbacks = [EpochScoring(scoring, name="mine", lower_is_better=False), histories]
        estimator = kind(tiny_network(), callbacks=callbacks, max_epochs=2, random_state=0)
        estimator.fit(COLUMN, y, X_val=COLUMN[:8], y_val=y[:8])
        expected = get_scorer(scoring)(estimator, COLUMN[:8], y[:8])
        assert histories.records[-1]["mine"] == pytest.approx(expected, abs=1e-5)


def test_a_callback_without_validation_rows_raises():
    with pytest.raises(KeyError, match="valid_loss"):
        tiny(EarlyStopping()).fit(COLUMN, SIDES)


class Raising(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise RuntimeError("of my own")


def score_of(value, kind=EpochScoring, **options):
    return kind(lambda net, X, y: value, name="mine", **options)


@pytest.mark.parametrize(
    ("callback", "notes"),
    [
        (
            score_of("good"),
            ["'EpochScoring', in its on_epoch_end", "'mine', must return one number"],
        ),
        (
            score_of(None, on_train=True),
            ["'EpochScoring', in its on_epoch_end", "'mine', must return one number"],
        ),
        (
            score_of(np.ones(2)),
            ["'EpochScoring', in its on_epoch_end", "'mine', must return one number"],
        ),
        (
            ("named", score_of("good")),
            ["'named', in its on_epoch_end", "'mine', must return one number"],
        ),
        (
            score_of(None, BatchScoring),
            ["'BatchScoring', in its on_epoch_end", "'mine', must return one number"],
        ),
        (EarlyStopping(monitor="nothing"), ["'EarlyStopping', in its on_epoch_end"]),
        (Raising(), ["'Raising', in its on_epoch_end"]),
    ],
    ids=["str", "None", "array", "named", "batch", "monitored", "own"],
)
def test_an_error_in_a_callback_names_it(callback, notes):
    with pytest.raises((TypeError, ValueError, KeyError, RuntimeError)) as caught:
        tiny(callback).fit(COLUMN, SIDES, **HELD_OUT)
    assert len(caught.value.__notes__) == len(notes)
    assert all(note in told for note, told in zip(notes, caught.value.__notes__, strict=True))


def test_an_error_of_the_training_itself_names_no_callback():
    with pytest.raises(DivergedError) as caught:
        tiny(EpochScoring("accuracy"), lr=1e30, weight_decay=1e30, trainable="all").fit(
            COLUMN, SIDES
        )
    assert not hasattr(caught.value, "__notes__")


def test_a_callable_scores_each_batch():
    histories = StoreHistories()
    scoring = BatchScoring(lambda net, X, y: len(y), name="rows", on_train=True)
    tiny(scoring, histories).fit(COLUMN, SIDES)
    assert [record["rows"] for record in histories.records] == [8] * 4


def test_a_printed_log_has_one_line_per_epoch():
    lines = []
    classifier = tiny(PrintLog(sink=lines.append)).fit(COLUMN, SIDES, **HELD_OUT)
    head, _, *rest = lines
    assert "train_loss" in head
    assert "valid_loss" in head
    assert len(rest) == 4
    assert f"{classifier.history_[-1]['train_loss']:.4f}" in rest[-1]


def test_nothing_is_printed_unless_verbose(capfd):
    tiny(PrintLog()).fit(COLUMN, SIDES)
    assert capfd.readouterr() == ("", "")


def test_a_schedule_of_skorch_replaces_a_constant_one():
    halved = LRScheduler(StepLR, step_size=1, gamma=0.5)
    classifier = tiny(halved, lr_schedule="constant", warmup=0.0).fit(COLUMN, SIDES)
    np.testing.assert_allclose(column(classifier, "lr"), [0.05, 0.025, 0.0125, 0.00625])


def test_gradients_are_clipped():
    still = tiny(GradientNormClipping(1e-9), optimizer="sgd", weight_decay=0.0)
    losses = column(still.fit(COLUMN, SIDES), "train_loss")
    np.testing.assert_allclose(losses, losses[0], rtol=1e-4)


def test_parameters_frozen_by_a_callback_do_not_change():
    plain = tiny(max_epochs=1, trainable="head").fit(COLUMN, SIDES).module_.network.state_dict()
    frozen = tiny(Freezer("network*"), trainable=1).fit(COLUMN, SIDES).module_.network
    for name, tensor in frozen.state_dict().items():
        assert torch.equal(tensor, plain[name]), name


def test_early_stopping_of_skorch_ends_the_training():
    enough = EarlyStopping(monitor="train_loss", patience=2, sink=lambda text: None)
    assert len(tiny(enough, lr=1e-9, max_epochs=20).fit(COLUMN, SIDES).history_) == 3


def test_callbacks_may_have_names():
    lines = []
    named = ("log", PrintLog(sink=lines.append))
    tiny(named).fit(COLUMN, SIDES)
    assert len(lines) == 6


def test_callbacks_are_reset_in_each_fit():
    enough = EarlyStopping(monitor="train_loss", patience=2, sink=lambda text: None)
    classifier = tiny(enough, lr=1e-9, max_epochs=20)
    for _ in range(2):
        assert len(classifier.fit(COLUMN, SIDES).history_) == 3


def test_clones_have_their_own_callbacks(tmp_path):
    checkpoint = Checkpoint("train_loss_best", dirname=str(tmp_path))
    copied = clone(tiny(checkpoint))
    assert copied.callbacks[0] is not checkpoint
    assert copied.callbacks[0].get_params() == checkpoint.get_params()


def test_callbacks_work_for_numbers_and_texts(tmp_path):
    checkpoint = TrainEndCheckpoint(dirname=str(tmp_path))
    regressor = TextRegressor(callbacks=[checkpoint], max_epochs=2, random_state=0)
    regressor.fit(texts(12), np.arange(12.0))
    saved = torch.load(tmp_path / "train_end_params.pt", weights_only=True)
    assert torch.equal(saved["head.linear.weight"], regressor.module_.head.linear.weight)


def test_gradual_opening_is_one_training_to_callbacks():
    stop = EarlyStopping(monitor="train_loss", patience=2, sink=lambda text: None)
    classifier = ImageClassifier(
        "resnet18",
        weights=None,
        image_size=32,
        trainable="gradual",
        lr=1e-9,
        max_epochs=12,
        random_state=0,
        callbacks=(stop,),
    ).fit(images(8), [0, 1] * 4)
    assert len(classifier.history_) < 8


@pytest.mark.slow
def test_parallel_workers_write_checkpoints_to_their_own_folders(tmp_path):
    column, y = images(12), np.arange(12) % 2

    def task(seed, folder):
        checkpoint = Checkpoint("train_loss_best", dirname=str(folder), load_best=True)
        classifier = ImageClassifier(
            "resnet18",
            weights=None,
            image_size=32,
            max_epochs=3,
            random_state=seed,
            callbacks=[checkpoint],
        )
        return joblib.delayed(_shares)(classifier, column, y)

    parallel = joblib.Parallel(n_jobs=2, backend="loky")
    together = parallel([task(seed, tmp_path / "one") for seed in (0, 1)])
    apart = parallel([task(seed, tmp_path / str(seed)) for seed in (0, 1)])
    for found, expected in zip(together, apart, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(list((tmp_path / "one").glob("fit-*"))) == 2


def _shares(classifier, column, y):
    return classifier.fit(column, y).predict_proba(column)
