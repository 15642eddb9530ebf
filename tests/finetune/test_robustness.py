"""Unusual parameters, modules and environments give correct results or are refused."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EpochTimer
from torch import nn

from sktransfer import ImageClassifier, TextClassifier
from sktransfer.exceptions import BackboneError, DivergedError, TargetError
from tests._tiny import images, texts, tiny_network

X, Y = images(12), np.arange(12) % 2
NETWORK = tiny_network()


def make(network=NETWORK, **parameters):
    common = {"image_size": 16, "max_epochs": 1, "batch_size": 4, "lr": 0.05}
    return ImageClassifier(
        network, **{**common, "random_state": 0, "cache": False, "warm_start": True, **parameters}
    )


@pytest.mark.parametrize(("first", "then"), [("head", 1), (1, "all"), (1, "gradual")])
def test_a_warm_start_may_open_more_stages(first, then):
    classifier = make(trainable=first).fit(X, Y)
    before = classifier.module_.trained()
    # The learning rate is so small that the weights show where the second fit began.
    classifier.set_params(trainable=then, lr=1e-12).fit(X, Y)
    after = classifier.module_.trained()
    assert len(classifier.history_) == 2
    assert len(after) > len(before)
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-6)


@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_gradual_opening_continues_where_it_stopped(way):
    opened = []

    class Record(Callback):
        def on_epoch_begin(self, net, **kwargs):
            opened.append(len(net.module_.learning))

    classifier = make(trainable="gradual", callbacks=[Record()])
    for _ in range(6):
        getattr(classifier, way)(X, Y)
    assert opened == [1, 2, 3, 4, 5, 5]


ONE_STEP = {"optimizer": "sgd", "lr_schedule": "constant", "warmup": 0.0, "batch_size": 12}


def test_a_diverging_last_step_raises():
    options = {**ONE_STEP, "trainable": "all", "weight_decay": 1e30}
    with pytest.raises(DivergedError, match="After epoch 1 there are weights that are no numbers"):
        make(lr=1e30, **options).fit(X, Y)


def test_non_finite_outputs_raise_in_predict():
    """The weights are finite, but the outputs are not."""
    classifier = make(lr=1e30, trainable="all", **ONE_STEP).fit(X, Y)
    for predict in (classifier.predict, classifier.predict_proba):
        with pytest.raises(DivergedError, match="row 0: the outputs of the network are not finite"):
            predict(X)


class NotFinite(nn.Module):
    def forward(self, x):
        return x * float("nan")


@pytest.mark.parametrize(
    ("trainable", "message"),
    [("head", "row 0: the network gives"), (1, "not finite before anything is trained")],
)
def test_non_finite_features_are_not_reported_as_diverging_training(trainable, message):
    with pytest.raises(BackboneError, match=message):
        make(nn.Sequential(tiny_network(), NotFinite()), trainable=trainable).fit(X, Y)


def test_an_augmentation_must_return_images_of_one_shape():
    heights = iter(range(1, 100))
    with pytest.raises(ValueError, match="a tensor per image, not a NoneType"):
        make(augment=lambda image: None).fit(X, Y)
    change = lambda image: image[:, : next(heights)]  # noqa: E731
    with pytest.raises(ValueError, match="images of one size, not"):
        make(augment=change).fit(X, Y)


@pytest.mark.parametrize(
    "callback",
    [
        *(("stop",), (EpochTimer(),), ("a", 1, EpochTimer()), ("a", EpochTimer), (3, EpochTimer())),
        *(EpochTimer, None, "early", lambda net: None),
    ],
)
def test_what_is_no_callback_is_refused(callback):
    with pytest.raises(TypeError, match="callbacks must be those of skorch"):
        make(callbacks=[callback]).fit(X, Y)


@pytest.mark.parametrize("weights", [{0: "a", 1: 1}, {0: 1j, 1: 1}, {"0": 1, "1": 2}, [{0: 1}]])
def test_class_weights_that_are_no_numbers_or_of_other_classes_are_refused(weights):
    with pytest.raises(TargetError, match="class_weight="):
        make(class_weight=weights).fit(X, np.arange(len(X)) % 2)


def on_meta():
    """Make meta the default device, which must not matter."""
    return torch.device("meta")


def in_autocast():
    return torch.autocast("cpu", torch.bfloat16)


@pytest.mark.parametrize("surrounding", [on_meta, in_autocast])
def test_a_default_device_and_autocast_of_the_caller_change_nothing(surrounding):
    expected = make(trainable=1).fit(X, Y).predict_proba(X)
    with surrounding():
        found = make(trainable=1).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(found, expected)


def test_a_network_loaded_under_a_default_device_is_complete():
    name = "squeezenet1_0"
    options = {"weights": None, "image_size": 32, "max_epochs": 1, "random_state": 0}
    with on_meta():
        inside = ImageClassifier(name, trainable=1, **options).fit(X, Y).predict_proba(X)
    outside = ImageClassifier(name, trainable=1, **options).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(outside, inside)


def test_a_default_device_does_not_move_texts():
    column, y = texts(4), [0, 1] * 2
    options = {"max_epochs": 1, "random_state": 0, "cache": False}
    with on_meta():
        inside = TextClassifier(trainable=1, **options).fit(column, y).predict_proba(column)
    outside = TextClassifier(trainable=1, **options).fit(column, y).predict_proba(column)
    np.testing.assert_array_equal(outside, inside)
