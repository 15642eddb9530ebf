"""Recipes for images from ``preprocessor_config.json``.

The processors of transformers give different pixels with and without torchvision; only their
settings are read here, and a recipe is the same everywhere.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from sktransfer.backbones.huggingface._folder import (
    check_settings,
    is_number,
    read_json,
    refuse_settings,
)
from sktransfer.backbones.huggingface._transformers import image_processor_of
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.image import ImageRecipe

# Pillow's numbers of its filters.
FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")

# From this size on ConvNeXt's processor resizes the whole image and does not crop.
_CONVNEXT_RESIZES_FROM = 384

# Settings that change pixels, and the one value of each that is implemented.
_SETTINGS = {
    "do_resize": True,
    "do_pad": False,
    "do_flip_channel_order": False,
    "do_center_pad": False,
    "do_thumbnail": False,
    "do_align_long_axis": False,
    "keep_aspect_ratio": False,
    "rescale_offset": False,
}


def _are_three(value: Any) -> bool:
    return isinstance(value, list) and len([*filter(is_number, value)]) == len(value) == 3


# Settings, and whether a value is one of them.
_KINDS = {
    "image_mean": _are_three,
    "image_std": lambda value: _are_three(value) and min(value) > 0,
    "rescale_factor": is_number,
    "crop_pct": is_number,
}


def image_recipe(folder: Path, config: Any, *, fixed_size: bool) -> ImageRecipe:
    """Return the recipe stated in a folder, or ImageNet's at the size of the model's config."""
    path = folder / "preprocessor_config.json"
    # transformers 5 saves all processors of a model in one file.
    together = read_json(folder / "processor_config.json", default={})
    stated = read_json(path, default={}) or together.get("image_processor")
    if not stated:
        return default_recipe(config, fixed_size=fixed_size)
    check_settings(stated, _KINDS, path)
    processor = image_processor_of(stated)
    if processor.resample not in range(len(FILTERS)):
        raise BackboneError(f"resample={processor.resample!r} is not a filter of Pillow.")
    refuse_settings({name: getattr(processor, name, None) for name in _SETTINGS}, _SETTINGS, path)
    size, resize = _sizes(processor)
    mean, std = _scaling(processor)
    return ImageRecipe(
        size=size,
        resize=resize,
        interpolation=FILTERS[processor.resample],
        mean=mean,
        std=std,
        fixed_size=fixed_size,
    )


def write_processor(recipe: ImageRecipe, folder: Path) -> None:
    """Write a recipe as ``preprocessor_config.json``."""
    resize = recipe.resize
    content = {
        # Of all processors this one both resizes to a short side and crops.
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": resize} if isinstance(resize, int) else _sides(resize),
        "crop_size": _sides(recipe.size),
        "resample": FILTERS.index(recipe.interpolation),
        "image_mean": recipe.mean,
        "image_std": recipe.std,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(content, indent=2))


def _sides(size: tuple[int, int]) -> dict[str, int]:
    return {"height": size[0], "width": size[1]}


def default_recipe(config: Any, *, fixed_size: bool) -> ImageRecipe:
    """Return ImageNet's recipe at the size of a model's config."""
    size = getattr(config, "image_size", 224)
    recipe = ImageRecipe().at(tuple(size) if isinstance(size, list | tuple) else size)
    return replace(recipe, fixed_size=fixed_size)


def _sizes(processor: Any) -> tuple[tuple[int, int], int | tuple[int, int]]:
    short = processor.size.shortest_edge
    whole = (short, short) if short else (processor.size.height, processor.size.width)
    if short and hasattr(processor, "crop_pct"):
        crops = short < _CONVNEXT_RESIZES_FROM
        return whole, int(short / processor.crop_pct) if crops else whole
    crop = processor.crop_size if processor.do_center_crop else None
    return (crop.height, crop.width) if crop else whole, short or whole


def _scaling(processor: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, std = tuple(processor.image_mean), tuple(processor.image_std)
    if not processor.do_normalize:
        mean, std = (0.0,) * 3, (1.0,) * 3
    # Pixels are divided by 255 here; mean and std compensate for another factor.
    factor = 255 * processor.rescale_factor if processor.do_rescale else 255
    if abs(factor - 1) < 1e-6:
        return mean, std
    return tuple(m / factor for m in mean), tuple(s / factor for s in std)
