"""Low-rank adapters beside frozen weights."""

import pickle
import sys

import numpy as np
import pytest
import torch

from sktransfer import ImageClassifier, TextClassifier, TextEmbedder
from sktransfer.backbones import get_backbone
from sktransfer.exceptions import BackboneError
from tests._tiny import images, texts
from tests.backbones._huggingface_folders import save

OPTIONS = {"trainable": "lora", "random_state": 0, "cache": False, "max_epochs": 3, "lr": 1e-3}
COLUMN, SIDES = texts(12), np.arange(12) % 2


@pytest.fixture(scope="module")
def fitted():
    return TextClassifier(**OPTIONS).fit(COLUMN, SIDES)


def test_only_adapters_and_head_are_trained(fitted):
    shared = get_backbone("all-MiniLM-L6-v2", modality="text").network
    places = {p.data_ptr() for p in shared.parameters()}
    learning = {n: p for n, p in fitted.module_.network.named_parameters() if p.requires_grad}
    assert learning
    assert all(".lora_" in name for name in learning)
    kept = [p for n, p in fitted.module_.network.named_parameters() if n not in learning]
    assert {p.data_ptr() for p in kept} == places
    assert not hasattr(shared, "peft_config")
    assert sum(p.numel() for p in learning.values()) < 0.05 * sum(p.numel() for p in kept)


def test_adapters_start_at_zero_and_change_features():
    plain = TextEmbedder(cache=False).fit_transform(COLUMN)
    still = TextClassifier(**{**OPTIONS, "lr": 1e-12}).fit(COLUMN, SIDES)
    np.testing.assert_allclose(still.transform(COLUMN), plain, atol=1e-5)
    moved = TextClassifier(**OPTIONS).fit(COLUMN, SIDES)
    assert not np.allclose(moved.transform(COLUMN), plain, atol=1e-3)
    assert moved.history_[-1]["train_loss"] < moved.history_[0]["train_loss"]


def test_a_pickle_holds_adapters_and_head_only(fitted):
    written = pickle.dumps(fitted)
    trained = sum(t.numel() * 4 for t in fitted.module_.trained().values())
    assert len(written) <= trained + 100_000
    np.testing.assert_array_equal(
        pickle.loads(written).predict_proba(COLUMN), fitted.predict_proba(COLUMN)
    )


def test_fits_are_reproducible_and_do_not_use_the_global_generator():
    state = torch.get_rng_state()
    found = [TextClassifier(**OPTIONS).fit(COLUMN, SIDES).predict_proba(COLUMN) for _ in range(2)]
    np.testing.assert_array_equal(*found)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "backbone", ["resnet18", pytest.param("vit_b_16", marks=pytest.mark.slow), "efficientnet_lite0"]
)
def test_image_networks_have_adapters_too(backbone):
    weights = "pretrained" if backbone == "efficientnet_lite0" else None
    options = {**OPTIONS, "max_epochs": 1, "lr": 1e-2, "weights": weights}
    classifier = ImageClassifier(backbone, **options).fit(images(4), SIDES[:4])
    assert classifier.predict(images(4)).shape == (4,)
    names = {name.rpartition(".lora_")[0] for name in classifier.module_.trained()}
    assert len(names) > 2


def test_an_embedder_takes_the_adapted_network(fitted):
    rows = TextEmbedder(fitted, cache=False).fit_transform(COLUMN)
    np.testing.assert_allclose(rows, fitted.transform(COLUMN), atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "kinds"),
    [
        (torch.nn.Identity(), "none"),
        (torch.nn.BatchNorm2d(3), "BatchNorm2d"),
        (torch.nn.Conv2d(3, 3, 1, groups=3), "Conv2d"),
    ],
)
def test_a_network_without_linear_layers_or_convolutions_raises(layer, kinds):
    network = torch.nn.Sequential(layer, torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())
    with pytest.raises(BackboneError, match=rf"layers with weights: {kinds}\. .*trainable=1"):
        ImageClassifier(network, **OPTIONS).fit(images(4), SIDES[:4])


def test_the_kinds_of_layers_of_a_network_without_adapters_are_named(tmp_path):
    save("gpt2", tmp_path)
    with pytest.raises(BackboneError, match=r"weights: Conv1D, Embedding, LayerNorm\."):
        TextClassifier(tmp_path, **OPTIONS).fit(COLUMN, SIDES)


def test_without_peft_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ImportError, match=r"sktransfer\[lora\]"):
        TextClassifier(**OPTIONS).fit(COLUMN, SIDES)


def test_a_warm_start_cannot_change_the_strategy():
    classifier = TextClassifier(**OPTIONS, warm_start=True).fit(COLUMN, SIDES).fit(COLUMN, SIDES)
    assert len(classifier.history_) == 6
    with pytest.raises(BackboneError, match="warm_start=False"):
        classifier.set_params(trainable=1).fit(COLUMN, SIDES)
