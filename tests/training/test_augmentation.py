"""Augmentation of training rows."""

import numpy as np
import pytest
import torch

from sktransfer import ImageClassifier, TextClassifier
from sktransfer.modalities.image import ImageModality
from tests._tiny import images, texts

RESNET = {"backbone": "resnet18", "weights": None, "image_size": 32, "random_state": 0}


def test_training_rows_are_augmented_in_each_epoch_and_other_rows_never():
    seen = []

    def record(image):
        seen.append(image.clone())
        return image

    column, y = images(6, size=32), [0, 1] * 3
    estimator = ImageClassifier(augment=record, max_epochs=2, cache=False, **RESNET)
    estimator.fit(column, y, X_val=images(4, size=32, seed=1), y_val=[0, 1] * 2)
    estimator.predict(column)
    assert len(seen) == 12
    assert {image.shape for image in seen} == {(3, 32, 32)}
    assert {image.dtype for image in seen} == {torch.uint8}


@pytest.mark.parametrize("augment", ["light", "standard"])
def test_augmented_fits_are_reproducible_and_differ_from_plain_ones(augment):
    column, y = images(8, size=32), [0, 1] * 4
    options = {**RESNET, "max_epochs": 2, "cache": False}
    found = [
        ImageClassifier(augment=a, **options).fit(column, y).predict_proba(column)
        for a in (augment, augment, None)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def test_dropping_tokens_is_reproducible_and_changes_the_fit():
    column, y = texts(8), [0, 1] * 4
    options = {"max_epochs": 2, "cache": False, "random_state": 0, "lr": 0.01}
    found = [
        TextClassifier(augment=a, **options).fit(column, y).predict_proba(column)
        for a in ("token_dropout", "token_dropout", None)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def test_an_augmentation_may_change_the_targets(monkeypatch):
    def swapped(items, targets):
        return items, 1 - targets

    column, y = images(8, size=32), [0, 1] * 4
    options = {**RESNET, "max_epochs": 2, "cache": False}
    expected = ImageClassifier(augment=lambda image: image, **options).fit(column, [1, 0] * 4)
    monkeypatch.setattr(ImageModality, "augmentation", classmethod(lambda cls, augment: swapped))
    found = ImageClassifier(augment="light", **options).fit(column, y)
    np.testing.assert_array_equal(found.predict_proba(column), expected.predict_proba(column))
