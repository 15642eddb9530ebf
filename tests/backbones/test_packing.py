"""A backbone restored from plain data equals the original, for every library."""

import copy
import json
from collections import namedtuple

import pytest
import torch

from sktransfer.backbones import find_from_file, get_backbone, keep_from_file, pack, unpack
from sktransfer.exceptions import BackboneError, WeightsError
from tests._tiny import tiny_network
from tests.backbones import _huggingface_folders as folders

OF_LIBRARIES = [
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "timm:resnet10t",
    "timm:vit_tiny_patch16_224",
]

Packed = namedtuple("Packed", ["about", "weights"])


def round_trip(packed: Packed) -> Packed:
    """Write a value to a file and return what is read back."""
    return Packed(json.loads(json.dumps(packed.about)), packed.weights)


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vit")
    folders.save("vit", folder)
    return Packed(*pack(get_backbone(folder, modality="image"))), get_backbone(
        folder, modality="image"
    )


@pytest.mark.parametrize("name", OF_LIBRARIES)
def test_a_library_network_is_restored(name):
    backbone = get_backbone(name, weights=None, modality="image")
    again = unpack(*round_trip(Packed(*pack(backbone))), fingerprint=backbone.fingerprint)
    assert (again.name, again.source, again.recipe) == (name, backbone.source, backbone.recipe)
    assert again.stages == backbone.stages


@pytest.mark.parametrize("kind", [*folders.TEXT_CONFIGS, *folders.IMAGE_CONFIGS])
def test_a_hugging_face_model_is_restored_without_its_folder(kind, tmp_path):
    folders.save(kind, tmp_path)
    modality = "text" if kind in folders.TEXT_CONFIGS else "image"
    backbone = get_backbone(tmp_path, modality=modality)
    expected = backbone.extract(folders.inputs(kind))
    packed = round_trip(Packed(*pack(backbone)))
    for path in tmp_path.iterdir():
        path.unlink()
    again = unpack(*packed, fingerprint=backbone.fingerprint)
    assert torch.equal(again.extract(folders.inputs(kind)), expected)


def test_bundled_backbones_are_restored():
    for name, modality in (("efficientnet_lite0", "image"), ("all-MiniLM-L6-v2", "text")):
        backbone = get_backbone(name, modality=modality)
        again = unpack(*round_trip(Packed(*pack(backbone))), fingerprint=backbone.fingerprint)
        assert again.library == backbone.library
    words = ["a cat", "Ünï ✓", ""]
    assert again.processor.encode(words, 9) == backbone.processor.encode(words, 9)


def test_a_users_module_is_not_packed():
    backbone = get_backbone(tiny_network(), modality="image")
    with pytest.raises(BackboneError, match="only you have"):
        pack(backbone)


def changed(packed: Packed, **blueprint) -> Packed:
    about = copy.deepcopy(packed.about)
    about["blueprint"] |= blueprint
    return Packed(about, packed.weights)


def test_weights_that_do_not_fit_are_listed_and_never_random(vit):
    packed, backbone = vit
    first, second, third = list(packed.weights)[:3]
    weights = dict(packed.weights)
    weights["more"] = weights.pop(first)
    weights[second] = weights[second].flatten()
    weights[third] = weights[third].double()
    with pytest.raises(WeightsError) as caught:
        unpack(*Packed(packed.about, weights), fingerprint=backbone.fingerprint)
    for part in (f"missing: {first}", "unexpected: more", second, third):
        assert part in str(caught.value)


def test_changed_weights_are_refused(vit):
    packed, backbone = vit
    name = next(iter(packed.weights))
    weights = {**packed.weights, name: packed.weights[name] + 1}
    with pytest.raises(WeightsError, match="not those of the fit"):
        unpack(*Packed(packed.about, weights), fingerprint=backbone.fingerprint)


def test_a_config_of_terabytes_is_refused_before_allocation(vit):
    packed, backbone = vit
    config = {**packed.about["blueprint"]["config"], "hidden_size": 400_000}
    with pytest.raises(WeightsError, match="of another shape"):
        unpack(*changed(packed, config=config), fingerprint=backbone.fingerprint)
    config = {**packed.about["blueprint"]["config"], "num_hidden_layers": 10**9}
    with pytest.raises(BackboneError, match="1,000,000,000 layers"):
        unpack(*changed(packed, config=config), fingerprint=backbone.fingerprint)


@pytest.mark.parametrize(
    "blueprint",
    [
        {"builder": "module"},
        {"builder": "timm", "model": "hf-hub:someone/model"},
        {"builder": "torchvision", "model": "inception_v9", "headless": False},
    ],
)
def test_only_known_networks_are_built(vit, blueprint):
    packed, backbone = vit
    with pytest.raises(BackboneError):
        unpack(*changed(packed, **blueprint), fingerprint=backbone.fingerprint)


def test_a_backbone_from_a_file_is_used_only_by_the_estimators_fitted_with_it(vit):
    packed, backbone = vit
    keep_from_file(
        unpack(*packed, fingerprint=backbone.fingerprint), named="resnet18", weights=None
    )
    assert get_backbone("resnet18", weights=None, modality="image").name == "resnet18"
    assert find_from_file(backbone.fingerprint, "resnet18", None) is not None
    assert find_from_file(backbone.fingerprint, "resnet18", "pretrained") is None
    assert find_from_file("0" * 32, "resnet18", None) is None
    assert find_from_file(backbone.fingerprint, tiny_network(), None) is None
