"""The kinds of cells: one folder each, and one line in the table below."""

from pkgutil import resolve_name

from sktransfer.modalities._inputs import (
    Inputs,
    map_inputs,
    mask_of,
    n_rows,
    repeat_rows,
    tensors_of,
)
from sktransfer.modalities._modality import (
    Augmentation,
    DigestedCells,
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
    return resolve_name(found) if isinstance(found, str) else found


__all__ = [
    "MODALITIES",
    "Augmentation",
    "DigestedCells",
    "Inputs",
    "Modality",
    "Preparer",
    "Recipe",
    "map_inputs",
    "mask_of",
    "modality_of",
    "n_rows",
    "repeat_rows",
    "tensors_of",
]
