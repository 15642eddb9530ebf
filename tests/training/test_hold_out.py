"""Rows held out for validation."""

from dataclasses import replace

import numpy as np
import torch

from sktransfer import ImageClassifier
from sktransfer.training import Split, hold_out
from sktransfer.training.targets import ClassTarget
from tests._tiny import images, tiny_network


def split_of(n_rows):
    return Split(None, np.arange(n_rows), None, None, torch.ones(n_rows))


def test_no_group_is_split():
    groups = np.repeat(np.arange(10), 4)
    random = np.random.RandomState(0)
    train, valid = hold_out(split_of(40), 0.3, groups=groups, random=random)
    assert not set(groups[train.rows]) & set(groups[valid.rows])
    assert sorted([*train.rows, *valid.rows]) == list(range(40))
    classifier = ImageClassifier(tiny_network(), early_stopping=True, max_epochs=1)
    classifier.fit(images(40), np.arange(40) % 2, groups=groups)


def test_validation_rows_are_stratified():
    classes = np.array([0] * 80 + [1] * 20)
    target = ClassTarget(np.arange(2))
    whole = replace(split_of(100), target=target, targets=torch.from_numpy(classes))
    _, valid = hold_out(whole, 0.1, groups=None, random=np.random.RandomState(0))
    assert np.bincount(classes[valid.rows]).tolist() == [8, 2]
