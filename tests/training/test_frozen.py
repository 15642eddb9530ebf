"""Frozen stages do not change, and compute each row once."""

import copy

import numpy as np
import pytest
import torch

from sktransfer import ImageClassifier, ImageEmbedder, cache_info
from sktransfer.backbones import get_backbone
from sktransfer.exceptions import ReuseWarning
from sktransfer.training import _reuse
from tests._tiny import images

RESNET = {"backbone": "resnet18", "weights": None, "image_size": 32, "random_state": 0}


def test_frozen_stages_keep_their_weights_and_batch_statistics():
    column, y = images(12), np.arange(12) % 2
    shared = get_backbone("resnet18", weights=None, modality="image").network
    before = copy.deepcopy(shared.state_dict())
    options = {**RESNET, "max_epochs": 2, "batch_size": 4, "lr": 0.1}
    module = ImageClassifier(trainable=2, **options).fit(column, y).module_
    after = module.network.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(name.startswith(("stages.layer3", "stages.layer4")) for name in moved)
    assert any("running_mean" in name for name in moved)  # those of opened stages follow the data
    for name, tensor in shared.state_dict().items():  # the shared network is unchanged
        assert torch.equal(tensor, before[name]), name


def test_frozen_weights_are_shared_and_opened_ones_are_not():
    shared = get_backbone("resnet18", weights=None, modality="image").network
    module = ImageClassifier(trainable=1, max_epochs=1, **RESNET).fit(images(4), [0, 1, 0, 1])
    places = {p.data_ptr() for p in shared.parameters()}
    stages = module.module_.network.stages
    assert all(p.data_ptr() in places for p in stages["layer3"].parameters())
    assert not any(p.data_ptr() in places for p in stages["layer4"].parameters())


@pytest.mark.parametrize("trainable", ["head", 1])
def test_epochs_folds_and_candidates_share_activations_below_the_cut(trainable, cache_folder):
    column, y = images(12), np.arange(12) % 2
    before = cache_info().computed
    for lr in (0.1, 0.01):
        estimator = ImageClassifier(trainable=trainable, lr=lr, max_epochs=3, **RESNET)
        estimator.fit(column[:8], y[:8]).predict(column)
    assert cache_info().computed - before == 12


def test_a_head_and_an_embedder_share_their_rows(cache_folder):
    column = images(6)
    ImageEmbedder("resnet18", weights=None, image_size=32).fit_transform(column)
    before = cache_info().computed
    ImageClassifier(max_epochs=1, **RESNET).fit(column, [0, 1] * 3)
    assert cache_info().computed == before


def test_equal_cells_are_computed_once(cache_folder):
    column = images(3)[[0, 1, 2, 0, 0, 1]]
    before = cache_info().computed
    estimator = ImageClassifier(max_epochs=1, **RESNET).fit(column, [0, 1, 0, 0, 0, 1])
    rows = estimator.transform(column)
    np.testing.assert_array_equal(rows[0], rows[3])
    assert cache_info().computed - before == 3


def test_large_activations_are_read_from_the_cache_and_larger_ones_recomputed(
    monkeypatch, cache_folder
):
    column, y = images(20), np.arange(20) % 2
    options = {**RESNET, "trainable": 1, "max_epochs": 2, "batch_size": 8}
    expected = ImageClassifier(**options, cache=False).fit(column, y).predict_proba(column)
    monkeypatch.setattr(_reuse, "MEMORY", 1000)
    before = cache_info().computed
    from_cache = ImageClassifier(**options).fit(column, y).predict_proba(column)
    assert cache_info().computed - before == 20
    np.testing.assert_array_equal(from_cache, expected)
    insisted = ImageClassifier(**options, cache=False, reuse_activations=True)
    np.testing.assert_array_equal(insisted.fit(column, y).predict_proba(column), expected)
    for limited in (ImageClassifier(**options, cache=False), ImageClassifier(**options)):
        with pytest.warns(ReuseWarning, match=r"20 rows take .* computed again in each epoch"):
            recomputed = limited.fit(column, y).predict_proba(column)
        np.testing.assert_array_equal(recomputed, expected)
        monkeypatch.setattr(_reuse, "size_limit", lambda: 1000)


@pytest.mark.parametrize("reuse", [True, False])
def test_reuse_activations_may_be_a_numpy_bool(monkeypatch, reuse):
    kept = []
    plain = _reuse.ActivationSource

    def recorded(activations, outputs=None):
        kept.append(outputs)
        return plain(activations, outputs)

    monkeypatch.setattr(_reuse, "ActivationSource", recorded)
    options = {**RESNET, "max_epochs": 1, "cache": False, "reuse_activations": np.bool_(reuse)}
    ImageClassifier(**options).fit(images(4), [0, 1, 0, 1])
    assert [outputs is not None for outputs in kept] == [reuse]


def test_without_the_cache_nothing_is_stored(cache_folder):
    ImageClassifier(trainable=1, max_epochs=1, cache=False, **RESNET).fit(images(4), [0, 1, 0, 1])
    assert cache_info().rows == 0
