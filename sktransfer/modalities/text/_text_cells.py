"""Text cells: strings, and missing cells as the parameter `missing` says."""

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from sktransfer.columns import is_missing, name_cell
from sktransfer.exceptions import BadCellError

Missing: TypeAlias = Literal["raise", "nan", "empty"]

_MISSING = (
    "the text is missing; drop such rows, or set missing='nan' for features of NaN "
    "or missing='empty' for those of an empty text"
)


def read_texts(cells: Iterable[object], missing: Missing) -> Iterator[str | BadCellError | None]:
    """Yield each cell of a column as a text.

    Parameters
    ----------
    cells : iterable of object
        One value per row.
    missing : {"raise", "nan", "empty"}
        What None, NaN, NA, NaT, and blank strings become: an error, None, or "".

    Yields
    ------
    str, BadCellError or None
        The error, not raised, in place of a cell that cannot be used.

    Examples
    --------
    >>> list(read_texts(["a", None], missing="empty"))
    ['a', '']
    """
    for cell in cells:
        if type(cell) is str and cell.isascii() and cell[:1].isalnum():
            yield cell  # the usual case; the checks below would find nothing
            continue
        try:
            yield _text(cell, missing)
        except BadCellError as error:
            yield name_cell(cell, error)


def _text(cell: object, missing: Missing) -> str | None:
    if is_missing(cell):
        if missing == "raise":
            raise BadCellError(_MISSING)
        return None if missing == "nan" else ""
    if isinstance(cell, (bytes, bytearray, memoryview)):
        raise BadCellError("bytes are not text; decode them first, e.g. column.str.decode('utf-8')")
    if not isinstance(cell, str):
        raise BadCellError(
            f"a value of type {type(cell).__name__} is not text; "
            "pass one string per row, e.g. column.map(str, na_action='ignore')"
        )
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadCellError(
            f"the lone surrogate U+{ord(cell[error.start]):04X} at position {error.start} is no "
            "character; remove it, e.g. text.encode('utf-8', 'ignore').decode('utf-8')"
        ) from error
    return str.__str__(cell)  # of a subclass the plain string
