"""Any cell of a column: how messages name it, and whether it is missing."""

import os
import reprlib
import unicodedata

import numpy as np

from sktransfer.exceptions import BadCellError

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 76

_LONGEST = 80

# White space, control characters, and format characters such as U+200B and U+FEFF.
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


def describe(cell: object) -> str:
    """Name a cell in a message, on one line of at most 80 characters.

    Parameters
    ----------
    cell : object
        Any value. Bytes are named by their number, arrays by shape and dtype,
        Pillow images by mode and size, strings and paths by their two ends.

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
    except Exception:  # a column may hold objects whose repr fails
        text = f"<{type(cell).__name__}>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def name_cell(cell: object, error: BadCellError) -> BadCellError:
    """Return an error whose message begins with the cell; the caller adds the row."""
    named = BadCellError(f"{describe(cell)}: {error}.")
    named.__cause__ = error.__cause__
    return named


def _describe(cell: object) -> str:
    if isinstance(cell, (bytes, bytearray, memoryview)):
        return f"<{memoryview(cell).nbytes} bytes>"
    if hasattr(cell, "mode") and hasattr(cell, "width") and hasattr(cell, "height"):
        return f"<PIL image {cell.mode} {cell.width}x{cell.height}>"
    if isinstance(cell, os.PathLike):
        return _short.repr(os.fsdecode(cell))
    if isinstance(cell, np.generic):
        return _short.repr(cell.item())
    if hasattr(cell, "shape") and hasattr(cell, "dtype"):
        return f"<{type(cell).__name__} of shape {cell.shape} and dtype {cell.dtype}>"
    return _short.repr(cell)


def is_missing(cell: object) -> bool:
    """Return whether a cell is None, NaN, NA, NaT, masked, or an empty or invisible string."""
    if isinstance(cell, str):
        return is_blank(cell)
    if isinstance(cell, (float, np.floating)):
        return bool(np.isnan(cell))
    if isinstance(cell, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(cell))
    # By name, because pandas is not imported here and its NA cannot be compared.
    return cell is None or type(cell).__name__ in ("NAType", "NaTType", "MaskedConstant")


def is_blank(text: str) -> bool:
    r"""Return whether a text is empty, or only white space and invisible characters.

    Examples
    --------
    >>> is_blank("\u00a0\u200b\ufeff"), is_blank("a")
    (True, False)
    """
    if text[:1].isalnum():  # the usual case, checked first: this runs per cell
        return False
    return all(unicodedata.category(character) in _INVISIBLE for character in text)
