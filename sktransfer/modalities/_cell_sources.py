"""Arrays and paths in cells: read as such, or refused with what to pass."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import PurePath
from typing import Any

import numpy as np

from sktransfer.exceptions import BadCellError

DATA_URI = re.compile(r"(?i)data:[^,]{0,200},")
# Longest text that may be the path of a file which does not exist.
_LONGEST_PATH = 260
_URL = re.compile(r"(?i)[a-z][a-z0-9+.-]+://")


def base64_of(*beginnings: str) -> re.Pattern[str]:
    """Return the pattern of base64 text of files that begin so. No path is as long without a dot.

    Parameters
    ----------
    *beginnings : str
        Regular expressions of how the encoded files begin.
    """
    return re.compile(rf"({'|'.join(beginnings)})[A-Za-z0-9+/=_\s-]{{50}}")


def as_array(cell: Any) -> np.ndarray:
    """Return a cell that holds numbers as an array, or refuse it."""
    try:
        return np.asarray(cell)
    except Exception as error:  # tensors on a device, with a gradient, of a foreign dtype
        raise BadCellError(
            f"cannot be read as a NumPy array ({error}); convert it first, e.g. "
            "tensor.detach().cpu().float().numpy()"
        ) from error


def as_path(cell: str | os.PathLike[Any], noun: str, base64: re.Pattern[str]) -> str:
    """Return the path in a cell, or refuse text that is none.

    Parameters
    ----------
    cell : str or PathLike
        The cell.
    noun : str
        What the file holds, for messages.
    base64 : Pattern
        Of base64 text of such files, from `base64_of`.
    """
    try:
        text = os.fsdecode(cell)
    except Exception as error:  # a PathLike may run any code
        raise BadCellError(f"cannot be read as a path ({error}); pass a str") from error
    if DATA_URI.match(text):
        raise BadCellError(
            "a data URI is not a path; pass its bytes, e.g. "
            "base64.b64decode(cell.partition(',')[2])"
        )
    if base64.match(text):
        raise BadCellError("base64 text is not a path; pass its bytes: base64.b64decode(cell)")
    if _URL.match(text):
        raise BadCellError(
            f"URLs are never fetched; download the {noun} and pass its path or its bytes"
        )
    return text


def is_meant_as_file(
    cell: object, mime: str, suffixes: Collection[str], base64: re.Pattern[str]
) -> bool:
    """Return whether a cell is a text named like a file, or a file encoded as text.

    Parameters
    ----------
    cell : object
        Any value.
    mime : str
        First part of the MIME type, in data URIs.
    suffixes : collection of str
        Of the names of such files, in lower case.
    base64 : Pattern
        Of base64 text of such files, from `base64_of`.
    """
    if not isinstance(cell, (str, os.PathLike)):
        return False
    try:
        text = os.fsdecode(cell)
    except Exception:  # a PathLike may run any code
        return False
    if text.lower().startswith(f"data:{mime}/") or base64.match(text):
        return True
    is_short = len(text) <= _LONGEST_PATH and "\n" not in text
    return is_short and PurePath(text).suffix.lower() in suffixes
