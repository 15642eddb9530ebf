"""Recipes for images from ``preprocessor_config.json``, read as plain data.

The processors of transformers give different pixels with and without torchvision, and their
defaults depend on the class that the file names; a recipe is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sktransfer.backbones.huggingface._folder import read_json
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.image import IMAGENET_MEAN, IMAGENET_STD, ImageRecipe

# Pillow's numbers of its filters.
_FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")

_HALF = (0.5, 0.5, 0.5)
_CLIP = {
    "size": {"shortest_edge": 224},
    "crop_size": 224,
    "do_center_crop": True,
    "resample": 3,
    "image_mean": (0.48145466, 0.4578275, 0.40821073),
    "image_std": (0.26862954, 0.26130258, 0.27577711),
}

# Defaults of the classes of processors.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "": {"size": 224, "resample": 2, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD},
    "Bit": _CLIP,
    "CLIP": _CLIP,
    "ConvNext": {
        "size": {"shortest_edge": 384},
        "crop_pct": 224 / 256,
        "resample": 3,
        "image_mean": _HALF,
        "image_std": _HALF,
    },
    "DeiT": {
        "size": {"height": 256, "width": 256},
        "crop_size": 224,
        "do_center_crop": True,
        "resample": 3,
        "image_mean": _HALF,
        "image_std": _HALF,
    },
    "Siglip": {"resample": 3, "image_mean": _HALF, "image_std": _HALF},
    "ViT": {"image_mean": _HALF, "image_std": _HALF},
}

# From this size on ConvNeXt's processor resizes the whole image and does not crop.
_CONVNEXT_RESIZES_FROM = 384

# Settings that change pixels, and the one value of each that is implemented.
_SETTINGS = {
    "do_resize": True,
    "do_pad": False,
    "do_flip_channel_order": False,
    "do_center_pad": False,
}


def image_recipe(folder: Path, config: Any, *, fixed_size: bool) -> ImageRecipe:
    """Return the recipe stated in a folder, or ImageNet's at the size of the model's config."""
    stated = read_json(folder / "preprocessor_config.json", default={})
    # transformers 5 saves all processors of a model in one file.
    together = read_json(folder / "processor_config.json", default={})
    stated = stated or together.get("image_processor")
    return _stated(stated, fixed_size) if stated else default_recipe(config, fixed_size=fixed_size)


def default_recipe(config: Any, *, fixed_size: bool) -> ImageRecipe:
    """Return ImageNet's recipe at the size of a model's config."""
    size = getattr(config, "image_size", 224)
    recipe = ImageRecipe().at(tuple(size) if isinstance(size, list | tuple) else size)
    return ImageRecipe(size=recipe.size, resize=recipe.resize, fixed_size=fixed_size)


def _stated(stated: Mapping[str, Any], fixed_size: bool) -> ImageRecipe:
    kind = str(stated.get("image_processor_type") or stated.get("feature_extractor_type") or "")
    fields = dict(_DEFAULTS[""])
    for name, defaults in _DEFAULTS.items():
        fields |= defaults if kind.startswith(name) else {}
    fields |= {name: value for name, value in stated.items() if value is not None}
    if fields["resample"] not in range(len(_FILTERS)):
        raise BackboneError(f"resample={fields['resample']!r} is not a filter of Pillow.")
    for name, value in _SETTINGS.items():
        if fields.get(name, value) != value:
            raise BackboneError(
                f"The image processor sets {name} to {fields[name]!r}, which is not supported."
            )
    size, resize = _convnext_sizes(fields) if "crop_pct" in fields else _sizes(fields)
    mean, std = _scaling(fields)
    return ImageRecipe(
        size=size,
        resize=resize,
        interpolation=_FILTERS[fields["resample"]],
        mean=mean,
        std=std,
        fixed_size=fixed_size,
    )


def _sizes(fields: Mapping[str, Any]) -> tuple[tuple[int, int], int | tuple[int, int]]:
    size, resize = fields["size"], _pair(fields["size"])
    crops = bool(fields.get("do_center_crop", "crop_size" in fields))
    if isinstance(size, Mapping) and "shortest_edge" in size:
        short: int | tuple[int, int] = size["shortest_edge"]
    else:
        # In old files a number is the short side where a crop follows, and a square otherwise.
        short = size if isinstance(size, int) and crops else resize
    return _pair(fields.get("crop_size", resize)) if crops else resize, short


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping):
        side = size.get("shortest_edge")
        return (side, side) if side else (size["height"], size["width"])
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _convnext_sizes(fields: Mapping[str, Any]) -> tuple[tuple[int, int], int | tuple[int, int]]:
    size = _pair(fields["size"])
    if size[0] >= _CONVNEXT_RESIZES_FROM:
        return size, size
    return size, int(size[0] / fields["crop_pct"])


def _scaling(fields: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, std = tuple(fields["image_mean"]), tuple(fields["image_std"])
    if not fields.get("do_normalize", True):
        mean, std = (0.0,) * 3, (1.0,) * 3
    # Pixels are divided by 255 here; mean and std compensate for another factor.
    factor = 255 * fields.get("rescale_factor", 1 / 255) if fields.get("do_rescale", True) else 255
    if abs(factor - 1) < 1e-6:
        return mean, std
    return tuple(m / factor for m in mean), tuple(s / factor for s in std)
