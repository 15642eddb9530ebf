"""OpenVINO gives the features that torch gives, within the stated tolerance.

A fallback to torch would emit an `EngineWarning`, which is an error here.
"""

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import nn

from sktransfer import AudioEmbedder, ImageEmbedder, TextEmbedder, list_backbones
from sktransfer.backbones import ImageRecipe
from tests._tiny import images, sounds, texts, tiny_network
from tests.backbones import _huggingface_folders as folders
from tests.backbones.test_bundled import needs
from tests.embedders.test_reference_features import furthest

PHOTOS = [Image.fromarray(photo) for photo in load_sample_images().images]
TEXTS = ["a", *texts(12), "river " * 100]
BUNDLED = [(row["name"], row["modality"]) for row in list_backbones(source="bundled")]


def both(embedder, column, **options):
    """Return the features of torch and of OpenVINO."""
    make = embedder(cache=False, **options)
    expected = make.fit_transform(column)
    return expected, make.set_params(engine="openvino").fit_transform(column)


def bundled(name, modality):
    needs(name)
    if modality == "text":
        return TextEmbedder, TEXTS, {"backbone": name}
    if modality == "audio":
        return AudioEmbedder, sounds(6), {"backbone": name, "sampling_rate": 16_000}
    return ImageEmbedder, [*PHOTOS, *images(3, 64)], {"backbone": name}


@pytest.mark.parametrize(("name", "modality"), BUNDLED)
def test_every_bundled_backbone_gives_the_same_features(name, modality):
    embedder, column, options = bundled(name, modality)
    expected, found = both(embedder, column, **options)
    assert found.dtype == np.float32
    assert 0 < furthest(found, expected) < 1e-5


@pytest.mark.parametrize(("name", "modality"), BUNDLED)
def test_the_error_in_bfloat16_is_similar_to_that_of_torch(name, modality):
    embedder, column, options = bundled(name, modality)
    column = column[:3]  # bfloat16 is slow on many CPUs
    exact = embedder(cache=False, **options).fit_transform(column)
    torchs, found = both(embedder, column, precision="bfloat16", **options)
    assert 1e-4 < furthest(found, exact) < 1.5 * furthest(torchs, exact)


def small_vit():
    return torchvision.models.VisionTransformer(32, 8, 2, 2, 32, 64)


def of_timm(name, **settings):
    return lambda: timm.create_model(name, num_classes=5, **settings)


SWIN = {"img_size": 56, "embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 2, 2)}
NETWORKS = {
    "resnet18": torchvision.models.resnet18,
    "mobilenet_v3_small": torchvision.models.mobilenet_v3_small,
    "shufflenet": torchvision.models.shufflenet_v2_x0_5,
    "vision transformer": small_vit,
    "timm convnext": of_timm("convnext_atto", depths=(1, 1, 1, 1), dims=(8, 16, 24, 32)),
    "timm vit": of_timm("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=2),
    "timm swin": of_timm("swin_tiny_patch4_window7_224", window_size=7, **SWIN),
    "tiny": tiny_network,
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_architectures_give_the_same_features(kind):
    torch.manual_seed(0)
    network = NETWORKS[kind]().eval()
    side = {"timm swin": 56, "vision transformer": 32, "timm vit": 32}.get(kind, 64)
    network.recipe = ImageRecipe(size=(side, side), resize=side)
    for layer, pooling in [("pooled", "default"), (0, "max")]:
        expected, found = both(
            ImageEmbedder, images(5, 64), backbone=network, layer=layer, pooling=pooling
        )
        assert furthest(found, expected) < 1e-4


# In a sliding window a padding token attends to nothing, which gives NaN in OpenVINO; a Longformer
# cannot be converted. torch computes these.
TORCH_ONLY = {"gemma3_text", "longformer", "mistral", "modernbert", "modernbert-decoder"}
KINDS = [k for k in (*folders.TEXT_CONFIGS, *folders.IMAGE_CONFIGS) if k not in TORCH_ONLY]


@pytest.mark.parametrize("kind", ["mpnet", "dinov2", "convnextv2"])
def test_hugging_face_models_give_the_same_features(kind, tmp_path):
    check_family(kind, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_family_of_hugging_face_gives_the_same_features(kind, tmp_path):
    check_family(kind, tmp_path)


def check_family(kind, folder):
    folders.save(kind, folder)
    if kind in folders.TEXT_CONFIGS:
        words = np.random.default_rng(0).choice(folders.WORDS, (8, 20))
        column = [" ".join(row[: 2 * number + 1]) for number, row in enumerate(words)]
        expected, found = both(TextEmbedder, column, backbone=folder)
    else:
        expected, found = both(ImageEmbedder, images(5, 32), backbone=folder)
    assert furthest(found, expected) < 1e-4


@pytest.mark.parametrize(
    ("layer", "pooling"),
    [("embeddings", "default"), ("layer1", "mean"), ("layer1", "max"), ("layer1", "cls")],
)
def test_layers_and_poolings_of_texts_give_the_same_features(layer, pooling):
    expected, found = both(TextEmbedder, TEXTS, layer=layer, pooling=pooling)
    assert furthest(found, expected) < 1e-5


@pytest.mark.parametrize("image_size", [48, (40, 72)])
def test_images_of_another_size_give_the_same_features(image_size):
    options = {"backbone": tiny_network(), "layer": 0, "pooling": "flatten"}
    expected, found = both(ImageEmbedder, images(5, 64), image_size=image_size, **options)
    assert furthest(found, expected) < 1e-5


def test_pixels_that_are_floats_give_the_same_features():
    column = [image / 255 for image in images(5, 64).astype(np.float32)]
    expected, found = both(ImageEmbedder, column, backbone=tiny_network())
    assert furthest(found, expected) < 1e-5


@pytest.mark.parametrize("embedder", [ImageEmbedder, TextEmbedder])
def test_a_row_does_not_depend_on_its_batch(embedder):
    column = texts(20) if embedder is TextEmbedder else [*PHOTOS, *images(5, 64)]
    alone, *together = (
        embedder(engine="openvino", cache=False, batch_size=size).fit_transform(column)
        for size in (1, 3, 8, "auto")
    )
    for rows in together:
        assert furthest(rows, alone) < 1e-5


def test_auto_precision_is_the_same_as_for_torch():
    column = texts(3)
    rows = {
        precision: TextEmbedder(engine="openvino", precision=precision, cache=False).fit_transform(
            column
        )
        for precision in ("float32", "bfloat16", "auto")
    }
    assert not np.array_equal(rows["float32"], rows["bfloat16"])
    assert any(np.array_equal(rows["auto"], rows[name]) for name in ("float32", "bfloat16"))


def test_changed_weights_of_a_module_are_converted_again():
    network = tiny_network()
    before = ImageEmbedder(network, engine="openvino", cache=False).fit_transform(images(3))
    with torch.no_grad():
        network[-1].weight.mul_(2)
    expected, found = both(ImageEmbedder, images(3), backbone=network)
    assert furthest(found, expected) < 1e-5
    assert not np.allclose(found, before, rtol=0.1)


class Doubled(nn.Sequential):
    """Branches in Python, but on nothing that changes."""

    def forward(self, x):
        for module in self:
            x = module(x) if x.shape[1] else x
        return x


def test_a_module_with_its_own_forward_is_converted():
    expected, found = both(ImageEmbedder, images(3), backbone=Doubled(*tiny_network()))
    assert furthest(found, expected) < 1e-5
