"""What is frozen stays frozen, and goes through the network once a row."""

import copy

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sktransfer import ImageClassifier, ImageEmbedder, TextClassifier, cache_info
from sktransfer.backbones import get_backbone
from sktransfer.exceptions import ReuseWarning
from sktransfer.finetune import _material
from tests._tiny import images, texts

RESNET = {"backbone": "resnet18", "weights": None, "image_size": 32, "random_state": 0}


def test_what_is_frozen_keeps_its_weights_and_its_batch_statistics():
    column, y = images(12), np.arange(12) % 2
    shared = get_backbone("resnet18", weights=None, modality="image").network
    before = copy.deepcopy(shared.state_dict())
    options = {**RESNET, "max_epochs": 2, "batch_size": 4, "lr": 0.1}
    module = ImageClassifier(trainable=2, **options).fit(column, y).module_
    after = module.network.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(name.startswith(("stages.layer3", "stages.layer4")) for name in moved)
    assert any("running_mean" in name for name in moved)  # of opened ones they follow the data
    for name, tensor in shared.state_dict().items():  # and everybody else's network is as it was
        assert torch.equal(tensor, before[name]), name


def test_frozen_weights_are_shared_and_opened_ones_are_not():
    shared = get_backbone("resnet18", weights=None, modality="image").network
    module = ImageClassifier(trainable=1, max_epochs=1, **RESNET).fit(images(4), [0, 1, 0, 1])
    places = {p.data_ptr() for p in shared.parameters()}
    stages = module.module_.network.stages
    assert all(p.data_ptr() in places for p in stages["layer3"].parameters())
    assert not any(p.data_ptr() in places for p in stages["layer4"].parameters())


@pytest.mark.parametrize("trainable", ["head", 1])
def test_epochs_folds_and_candidates_share_what_is_below_the_cut(trainable, cache_folder):
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


def test_a_cell_that_is_there_twice_is_computed_once(cache_folder):
    column = images(3)[[0, 1, 2, 0, 0, 1]]
    before = cache_info().computed
    estimator = ImageClassifier(max_epochs=1, **RESNET).fit(column, [0, 1, 0, 0, 0, 1])
    rows = estimator.transform(column)
    np.testing.assert_array_equal(rows[0], rows[3])
    assert cache_info().computed - before == 3


def test_large_activations_go_to_disk_and_then_nowhere(monkeypatch):
    column, y = images(20), np.arange(20) % 2
    options = {**RESNET, "trainable": 1, "max_epochs": 2, "batch_size": 8, "cache": False}
    expected = ImageClassifier(**options).fit(column, y).predict_proba(column)
    monkeypatch.setattr(_material, "MEMORY", 1000)
    on_disk = ImageClassifier(**options).fit(column, y).predict_proba(column)
    np.testing.assert_array_equal(on_disk, expected)
    monkeypatch.setattr(_material, "disk_room", lambda: 1000)
    with pytest.warns(ReuseWarning, match=r"20 rows is .* computed in each epoch anew"):
        anew = ImageClassifier(**options).fit(column, y).predict_proba(column)
    np.testing.assert_array_equal(anew, expected)
    insisted = ImageClassifier(**options, reuse_activations=True).fit(column, y)
    np.testing.assert_array_equal(insisted.predict_proba(column), expected)


@pytest.mark.parametrize("reuse", ["auto", True])
def test_a_disk_without_room_is_found_out_before_anything_is_written(monkeypatch, reuse):
    def full(*args):
        raise OSError(28, "No space left on device")

    column, y = images(20), np.arange(20) % 2
    options = {**RESNET, "trainable": 1, "max_epochs": 2, "batch_size": 8, "cache": False}
    expected = ImageClassifier(**options).fit(column, y).predict_proba(column)
    monkeypatch.setattr(_material, "MEMORY", 1000)
    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.warns(ReuseWarning, match=r"computed in each epoch anew.* or make room in"):
        anew = ImageClassifier(**options, reuse_activations=reuse).fit(column, y)
    np.testing.assert_array_equal(anew.predict_proba(column), expected)


@pytest.mark.parametrize("reuse", [True, False])
def test_a_bool_of_numpy_is_one(monkeypatch, reuse):
    kept = []
    plain = _material.StoredRows

    def noted(*args, **kwargs):
        kept.append(args)
        return plain(*args, **kwargs)

    monkeypatch.setattr(_material, "StoredRows", noted)
    options = {**RESNET, "max_epochs": 1, "cache": False, "reuse_activations": np.bool_(reuse)}
    ImageClassifier(**options).fit(images(4), [0, 1, 0, 1])
    assert bool(kept) == reuse


def test_without_the_cache_nothing_is_kept(cache_folder):
    ImageClassifier(trainable=1, max_epochs=1, cache=False, **RESNET).fit(images(4), [0, 1, 0, 1])
    assert cache_info().rows == 0


def test_one_more_stage_opens_in_each_epoch():
    opened = []
    estimator = ImageClassifier(trainable="gradual", max_epochs=3, cache=False, **RESNET)

    class Notes(Callback):
        def on_epoch_begin(self, net, **kwargs):
            stages = net.module_.network.stages
            opened.append(
                [n for n, s in stages.items() if any(p.requires_grad for p in s.parameters())]
            )

    estimator.set_params(callbacks=[Notes()]).fit(images(4), [0, 1, 0, 1])
    assert opened == [["layer4"], ["layer3", "layer4"], ["layer2", "layer3", "layer4"]]


def test_only_the_head_learns_in_the_probe():
    estimator = TextClassifier(
        trainable=1, probe_epochs=2, max_epochs=1, cache=False, random_state=0, lr=1e-4
    ).fit(texts(8), [0, 1] * 4)
    assert [record["phase"] for record in estimator.history_] == ["probe", "probe", "train"]


def test_augmentation_sees_training_rows_only_and_in_each_epoch_anew():
    seen = []

    def note(image):
        seen.append(image.clone())
        return image

    column, y = images(6, size=32), [0, 1] * 3
    estimator = ImageClassifier(augment=note, max_epochs=2, cache=False, **RESNET)
    estimator.fit(column, y, X_val=images(4, size=32, seed=1), y_val=[0, 1] * 2)
    estimator.predict(column)
    assert len(seen) == 12
    assert {image.shape for image in seen} == {(3, 32, 32)}
    assert {image.dtype for image in seen} == {torch.uint8}


@pytest.mark.parametrize("augment", ["light", "standard"])
def test_augmented_fits_are_repeatable_and_differ_from_plain_ones(augment):
    column, y = images(8, size=32), [0, 1] * 4
    options = {**RESNET, "max_epochs": 2, "cache": False}
    found = [
        ImageClassifier(augment=a, **options).fit(column, y).predict_proba(column)
        for a in (augment, augment, None)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def test_tokens_are_dropped_in_training():
    column, y = texts(8), [0, 1] * 4
    options = {"max_epochs": 2, "cache": False, "random_state": 0, "lr": 0.01}
    found = [
        TextClassifier(augment=a, **options).fit(column, y).predict_proba(column)
        for a in ("token_dropout", "token_dropout", None)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])
