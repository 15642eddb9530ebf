"""Rows held out for validation."""

import numpy as np

from sktransfer import ImageClassifier
from sktransfer.training import hold_out
from tests._tiny import images, tiny_network


def test_no_group_is_split():
    groups = np.repeat(np.arange(10), 4)
    rows, random = np.arange(40), np.random.RandomState(0)
    train, valid = hold_out(rows, 0.3, classes=None, groups=groups, random=random)
    assert not set(groups[train]) & set(groups[valid])
    assert sorted([*train, *valid]) == list(range(40))
    classifier = ImageClassifier(tiny_network(), early_stopping=True, max_epochs=1)
    classifier.fit(images(40), np.arange(40) % 2, groups=groups)


def test_validation_rows_are_stratified():
    classes = np.array([0] * 80 + [1] * 20)
    _, valid = hold_out(
        np.arange(100), 0.1, classes=classes, groups=None, random=np.random.RandomState(0)
    )
    assert np.bincount(classes[valid]).tolist() == [8, 2]
