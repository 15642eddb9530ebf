"""Models of timm: ``"timm:<name>"``, ``"timm:local-dir:<folder>"``, ``"timm:hf-hub:<id>"``."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from huggingface_hub import try_to_load_from_cache
from torch import nn

from sktransfer._randomness import seeded
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._list_backbones import near_names
from sktransfer.backbones._network import Chain
from sktransfer.backbones._weights import (
    announce_download,
    load_strict,
    obtaining,
    read_state_dict,
    some,
)
from sktransfer.backbones.huggingface._folder import (
    check_settings,
    is_mapping,
    is_number,
    is_of_timm,
    is_size,
    read_json,
)
from sktransfer.backbones.huggingface._hub import folder_of
from sktransfer.backbones.huggingface._image_processor import FILTERS
from sktransfer.backbones.timm._split_timm import classifiers_of, split
from sktransfer.exceptions import BackboneError, WeightsError
from sktransfer.modalities.image import ImageRecipe

NAME = "timm"
PREFIX = "timm:"


def owns(name: str) -> bool:
    """Return whether `name` begins with "timm:"."""
    return name.startswith(PREFIX)


def rows() -> list[dict[str, Any]]:
    """Return the rows of `list_backbones`, without sizes, which only a built model has."""
    return [_row(model) for model in timm.list_pretrained()]


def load(
    name: str, *, weights: str | Path | None, modality: str, random_state: int = 0
) -> Backbone:
    """Build a model of timm with published weights, random ones or those of a file.

    Raises
    ------
    BackboneError
        If timm has no model of this name.
    OfflineError
        If the weights are not on this machine, and a download fails or is forbidden.
    WeightsError
        If there are no such weights, or they do not fit.
    """
    model = name.removeprefix(PREFIX)
    if ":" in model:
        folder = _folder(name, *model.split(":", 1))
        return load_folder(folder, name, weights=weights, random_state=random_state)
    architecture, tags = model.partition(".")[0], _tags(model)
    licence = "unknown"
    if str(weights) in tags:
        model, weights = f"{architecture}.{weights}", "pretrained"
    if weights == "pretrained" and timm.is_model_pretrained(model):
        net = _pretrained(model, random_state)
        licence = net.pretrained_cfg.get("license") or licence
    elif weights is None or Path(weights).is_file():
        net = create(model, random_state=random_state)
        if weights is not None:
            load_file(net, Path(weights))
    else:
        raise WeightsError(_no_weights(architecture, str(weights), tags))
    return as_backbone(net, name=name, model=model, recipe=recipe_of(net), licence=licence)


def load_folder(
    folder: Path, name: str, *, weights: str | Path | None, random_state: int = 0
) -> Backbone:
    """Build the model of a folder as timm writes it, with its ``config.json``.

    Raises
    ------
    BackboneError
        If it is not a model of timm, of an architecture that timm does not have, or not for
        images of three channels.
    WeightsError
        If its weights are missing or do not fit.
    """
    config = read_json(folder / "config.json")
    if not is_of_timm(config):
        raise BackboneError(
            f"{str(folder)!r} is not a folder of timm: its config.json names no architecture. Pass "
            "the folder itself as backbone."
        )
    architecture = str(config["architecture"])
    _tags(architecture)  # an error for an unknown model
    check_settings(config, _KINDS, folder / "config.json")
    check_settings(config.get("pretrained_cfg") or config, _PIXELS, folder / "config.json")
    pretrained = weights == "pretrained"
    fix = "Save it again with timm.models.save_for_hf."
    with obtaining(f"the model in {str(folder)!r}", fix=fix, local=folder), seeded(random_state):
        net = timm.create_model(f"local-dir:{folder}", pretrained=pretrained)
    if not is_whole(net):
        raise BackboneError(
            f"{str(folder / 'config.json')!r} asks for a part of a network that gives no features: "
            f"model_args is {config.get('model_args')!r}. Remove features_only from it."
        )
    if weights is not None and not pretrained:
        load_file(net, Path(weights))
    channels = timm.data.resolve_model_data_config(net)["input_size"][0]
    if channels != 3:
        raise BackboneError(f"{name!r} is for images of {channels} channels; images here have 3.")
    licence = net.pretrained_cfg.get("license") or "unknown"
    recipe = recipe_of(net)
    backbone = as_backbone(net, name=name, model=architecture, recipe=recipe, licence=licence)
    kept = {key: value for key, value in net.pretrained_cfg.items() if key not in _PLACES}
    settings = {"args": config.get("model_args", {}), "pretrained_cfg": kept}
    backbone.blueprint = {**(backbone.blueprint or {}), **settings}
    return backbone


# Where a model came from, and what its classifier means.
_PLACES = {"file", "source", "state_dict", "hf_hub_id", "url", "label_names", "label_descriptions"}


def _are_numbers(value: Any) -> bool:
    is_list = isinstance(value, list) and len(value) in (1, 3)
    return is_list and all(map(is_number, value))


# Settings of a folder, and whether a value is one of them.
_KINDS: dict[str, Callable[[Any], bool]] = {"pretrained_cfg": is_mapping, "model_args": is_mapping}
_PIXELS: dict[str, Callable[[Any], bool]] = {
    "input_size": lambda value: _are_numbers(value) and len([*filter(is_size, value)]) == 3,
    "mean": _are_numbers,
    "std": lambda value: _are_numbers(value) and min(value) > 0,
    "crop_pct": lambda value: is_number(value) and value > 0,
    "crop_mode": ("center", "squash", "border").__contains__,
    "interpolation": lambda value: value in FILTERS,
}


def _folder(name: str, source: str, place: str) -> Path:
    if source == "local-dir" and place and Path(place).is_dir():
        return Path(place)
    if source in ("hf-hub", "hf_hub") and place.partition("@")[0]:
        return folder_of(place)
    raise BackboneError(
        f"{name!r} is neither an existing folder, 'timm:local-dir:<folder>', nor a model of a hub, "
        "'timm:hf-hub:<organisation>/<name>'."
    )


def create(architecture: str, *, random_state: int = 0, **options: Any) -> Any:
    """Build an architecture with random weights; the same seed gives the same weights."""
    with seeded(random_state):
        return timm.create_model(architecture, pretrained=False, **options)


def is_whole(net: nn.Module) -> bool:
    """Return whether a module is a complete model of timm with timm's own forward."""
    parts = ("pretrained_cfg", "forward_features", "forward_head", "get_classifier")
    home = getattr(getattr(type(net), "forward", None), "__module__", None) or ""
    return home.startswith("timm.") and all(hasattr(net, part) for part in parts)


def as_backbone(
    net: Any,
    *,
    name: str,
    model: str = "",
    source: str = NAME,
    recipe: ImageRecipe,
    licence: str = "unknown",
) -> Backbone:
    """Make a backbone of a timm model, whose modules become stages; `model` is timm's name."""
    return Backbone(
        name,
        source=source,
        network=split(net),
        recipe=recipe,
        licence=licence,
        library=f"timm {timm.__version__}",
        blueprint={"builder": NAME, "model": model} if model else None,
    )


def original(blueprint: Mapping[str, Any], recipe: ImageRecipe) -> Any:
    """Build timm's model of a blueprint with random weights."""
    model = str(blueprint["model"])
    _tags(model)  # an error for an unknown model
    own = inspect.signature(timm.create_model).parameters
    args = {key: value for key, value in blueprint.get("args", {}).items() if key not in own}
    return create(model, pretrained_cfg=blueprint.get("pretrained_cfg"), **args)


def staged(net: Any, blueprint: Mapping[str, Any], recipe: ImageRecipe) -> Chain:
    """Make the network of the modules of a model that `original` has built."""
    return split(net)


def recipe_of(net: Any) -> ImageRecipe:
    """Return the recipe with which timm evaluates a model.

    Raises
    ------
    BackboneError
        If its images are padded.
    """
    config = timm.data.resolve_model_data_config(net)
    if config["crop_mode"] == "border":
        raise BackboneError(
            "This model of timm sets crop_mode to 'border', which pads images and is not "
            "supported; only 'center' and 'squash' are. Pass the module with a recipe of your "
            "own: module.recipe = sktransfer.backbones.ImageRecipe(...)."
        )
    fixed = bool(net.pretrained_cfg.get("fixed_input_size")) and not getattr(
        net, "dynamic_img_size", False
    )
    # A model can be built for another size than that of its published weights.
    built_for = getattr(getattr(net, "patch_embed", None), "img_size", None)
    height, width = built_for if fixed and built_for else config["input_size"][1:]
    scaled = tuple(math.floor(side / config["crop_pct"]) for side in (height, width))
    return ImageRecipe(
        size=(height, width),
        # "squash" changes the aspect ratio.
        resize=max(scaled) if config["crop_mode"] == "center" else (scaled[0], scaled[1]),
        interpolation=config["interpolation"],
        mean=_per_channel(config["mean"]),
        std=_per_channel(config["std"]),
        fixed_size=fixed,
    )


def _per_channel(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(values) * (3 // len(values))


def _row(model: str) -> dict[str, Any]:
    config = timm.models.get_pretrained_cfg(model)
    return {
        "name": PREFIX + model,
        "modality": "image",
        "input_size": config.input_size[-1],
        "licence": config.license or "unknown",
        "on_this_machine": _local_file(config) is not None,
    }


def _tags(model: str) -> list[str]:
    """Return the tags of the published weights of a model, which must be known to timm."""
    architecture, _, tag = model.partition(".")
    if not timm.is_model(architecture):
        near = near_names(PREFIX + architecture, [PREFIX + name for name in timm.list_models()])
        raise BackboneError(f"timm {timm.__version__} has no model {architecture!r}{near}")
    names = timm.list_models(architecture, pretrained=True, include_tags=True)
    tags = [name.partition(".")[2] for name in names if "." in name]
    if tag and tag not in tags:
        raise BackboneError(_no_weights(architecture, tag, tags))
    return tags


def _no_weights(architecture: str, asked: str, tags: list[str]) -> str:
    has = f"it has {some(tags)}" if tags else "it has none, only weights=None"
    return (
        f"timm has no weights {asked!r} of {architecture!r}: {has}. "
        "The path of a .safetensors or .pth file works as well."
    )


def _pretrained(model: str, random_state: int) -> Any:
    file = _local_file(timm.models.get_pretrained_cfg(model))
    what = f"the weights of {PREFIX}{model}"
    size = _download_size(model) if file is None else f"in {str(file)!r}"
    fix = (
        "On a machine with a network, this puts them into the local cache: "
        f"python -c \"import timm; timm.create_model('{model}', pretrained=True)\". "
        "Or pass the path of a file as weights=."
    )
    # From a named file, weights are read without network access, even to compare dates.
    overlay = {"file": str(file)} if file else {}
    with obtaining(f"{what} ({size})", fix=fix, local=file), seeded(random_state):
        if file is None:
            announce_download(what, size)
        return timm.create_model(model, pretrained=True, pretrained_cfg_overlay=overlay)


def _local_file(config: Any) -> Path | None:
    """Return the file of weights in the local cache of timm's loader."""
    if not config.hf_hub_id:
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(config.url or "").name
        return file if file.is_file() else None
    repository, _, revision = config.hf_hub_id.partition("@")
    for name in ("model.safetensors", "pytorch_model.bin"):
        found = try_to_load_from_cache(repository, name, revision=revision or None)
        if isinstance(found, str):
            return Path(found)
    return None


def _download_size(model: str) -> str:
    # The meta device builds a model without its memory.
    try:
        with torch.device("meta"):
            net = create(model)
    except Exception:  # a few models compute with their weights while they are built
        return "of unknown size"
    return f"about {sum(p.numel() for p in net.parameters()) * 4 / 1e6:.0f} MB"


def load_file(net: Any, path: Path) -> None:
    """Load the weights of a file; those of classifiers need not fit."""
    heads = {id(head) for head in classifiers_of(net)}
    ignore = tuple(f"{name}." for name, part in net.named_modules() if id(part) in heads)
    load_strict(net, read_state_dict(path), source=str(path), ignore=ignore)
