"""The table of modalities."""

from pkgutil import resolve_name

from sktransfer.modalities._modality import Modality

#: Name of each modality, and the class that reads its cells: the class itself or where it lies.
#: A cell that several claim is of the first.
MODALITIES: dict[str, str | type[Modality]] = {
    "image": "sktransfer.modalities.image:ImageModality",
    "audio": "sktransfer.modalities.audio:AudioModality",
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
