"""The kinds of cells: one folder each, and one line in the table below."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sktransfer.modalities._inputs import (
    Inputs,
    device_of,
    map_inputs,
    mask_of,
    n_rows,
    repeat_rows,
    tensors_of,
)
from sktransfer.modalities._modality import (
    Augmentation,
    DigestedCells,
    FileMemo,
    Modality,
    Preparer,
    Recipe,
)

#: Name of each modality, and the class that reads its cells: the class itself or where it lies.
MODALITIES: dict[str, str | type[Modality]] = {
    "image": "sktransfer.modalities.image:ImageModality",
    "text": "sktransfer.modalities.text:TextModality",
}


def modality_of(name: str) -> type[Modality]:
    """Return the class of a modality.

    Raises
    ------
    KeyError
        If there is none of that name.
    """
    found = MODALITIES[name]
    if isinstance(found, str):
        module, _, attribute = found.partition(":")
        return getattr(import_module(module), attribute)
    return found


# The public parts of the folders, imported with their libraries on first use.
_HOMES = {
    "ImageModality": "image",
    "ImageRecipe": "image",
    "TextModality": "text",
    "TextRecipe": "text",
    "TextTokenizer": "text",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = [
    "MODALITIES",
    "Augmentation",
    "DigestedCells",
    "FileMemo",
    "Inputs",
    "Modality",
    "Preparer",
    "Recipe",
    "device_of",
    "map_inputs",
    "mask_of",
    "modality_of",
    "n_rows",
    "repeat_rows",
    "tensors_of",
]
