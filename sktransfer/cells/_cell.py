"""What is true of every cell: how it is named in a message, and whether it is there."""

import os
import reprlib
import unicodedata

import numpy as np
from PIL import Image

from sktransfer.exceptions import BadCellError

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 76

_LONGEST = 80

# White space of all kinds, control characters, and what formats others: U+200B, U+FEFF.
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


def describe(cell: object) -> str:
    """Name a cell in a message, on one line of at most 80 characters.

    Parameters
    ----------
    cell : object
        Any value. Bytes are named by their number, arrays by shape and dtype,
        Pillow images by mode and size, strings and paths by both of their ends.

    Returns
    -------
    str

    Examples
    --------
    >>> describe("icons/home.png")
    "'icons/home.png'"
    >>> describe(b"GIF89a")
    '<6 bytes>'
    """
    try:
        text = " ".join(_describe(cell).split())
    except Exception:  # anything may be in a column, also what cannot show itself
        text = f"<{type(cell).__name__}>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def named(cell: object, error: BadCellError) -> BadCellError:
    """Return an error that also says which cell it is about; its row is not known here."""
    named_error = BadCellError(f"{describe(cell)}: {error}.")
    named_error.__cause__ = error.__cause__
    return named_error


def _describe(cell: object) -> str:
    if isinstance(cell, memoryview):
        return f"<{cell.nbytes} bytes>"
    if isinstance(cell, (bytes, bytearray)):
        return f"<{len(cell)} bytes>"
    if isinstance(cell, Image.Image):
        return f"<PIL image {cell.mode} {cell.width}x{cell.height}>"
    if isinstance(cell, os.PathLike):
        return _short.repr(os.fsdecode(cell))
    if isinstance(cell, np.generic):
        return _short.repr(cell.item())
    if hasattr(cell, "shape") and hasattr(cell, "dtype"):
        return f"<{type(cell).__name__} of shape {cell.shape} and dtype {cell.dtype}>"
    return _short.repr(cell)


def is_missing(cell: object) -> bool:
    """Return whether a cell is None, NaN, NA, NaT, or a string that is empty or shows nothing."""
    if isinstance(cell, str):
        return is_blank(cell)
    if isinstance(cell, (float, np.floating)):
        return bool(np.isnan(cell))
    if isinstance(cell, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(cell))
    # pandas is not imported here, and its NA cannot be compared: the type's name tells.
    return cell is None or type(cell).__name__ in ("NAType", "NaTType")


def is_blank(text: str) -> bool:
    r"""Return whether a text is empty, or only white space and characters that are not seen.

    Examples
    --------
    >>> is_blank("\u00a0\u200b\ufeff"), is_blank("a")
    (True, False)
    """
    if text[:1].isalnum():  # so nearly all begin, and this is asked of every cell
        return False
    return all(unicodedata.category(character) in _INVISIBLE for character in text)
