"""Whether a cell is a sound, as far as its type and first bytes tell."""

from __future__ import annotations

from typing import Any

from sktransfer.exceptions import BadCellError
from sktransfer.modalities._cell_sources import is_meant_as_file
from sktransfer.modalities.audio._audio_cells import BASE64, Samples, audio_source
from sktransfer.modalities.audio._content import format_of

_SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf"}


def is_sound(cell: Any, start: bytes | None) -> bool:
    """Return whether it is one; `start` are the first bytes of its file, if there is one.

    An array without a sampling rate may hold anything, such as an embedding.
    """
    if start is not None:
        return start.startswith(b"ID3") or format_of(start) is not None
    if is_meant_as_file(cell, "audio", _SUFFIXES, BASE64):
        return True
    try:
        return isinstance(audio_source(cell, None), Samples)
    except BadCellError:
        return False
