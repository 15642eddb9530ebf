"""Pretrained networks as chains of stages, from several sources behind one function."""

from typing import Any

from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._list_backbones import BackboneTable
from sktransfer.backbones._network import (
    POOLED,
    CachedActivation,
    Level,
    StagedNetwork,
    at_level,
)
from sktransfer.backbones._packing import Packed, find_from_file, keep_from_file, pack, unpack
from sktransfer.backbones._registry import get_backbone, list_backbones
from sktransfer.backbones._weights import refuse_misfits
from sktransfer.modalities import MODALITIES, modality_of

__all__ = [
    "POOLED",
    "Backbone",
    "BackboneTable",
    "CachedActivation",
    "Level",
    "Packed",
    "StagedNetwork",
    "at_level",
    "find_from_file",
    "get_backbone",
    "keep_from_file",
    "list_backbones",
    "pack",
    "refuse_misfits",
    "unpack",
]


def __getattr__(name: str) -> Any:
    # The recipes of all modalities, which a module of the user's names in its attribute `recipe`.
    modality = name.removesuffix("Recipe").lower()
    if name.endswith("Recipe") and modality in MODALITIES:
        return modality_of(modality).recipe_type
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
