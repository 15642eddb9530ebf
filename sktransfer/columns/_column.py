"""One column of cells, whatever the cells are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sktransfer.columns._cells import describe


@dataclass(frozen=True, eq=False)
class Column:
    """One column of cells.

    Parameters
    ----------
    cells : sequence of object
        One value per row: a list, a tuple or an array. It may be the user's own object, so it is
        never written to.
    name : str or None
        Name of the Series, or of the only column of a frame.
    index : sequence of object or None
        Row labels; None where the container has none or they are 0, 1, 2, ...
    n_features : int
        Number of values of a flattened cell, else 1.
    is_frame : bool
        Whether the container is a two-dimensional frame with strings as column names.
    in_table : bool
        Whether it is one of several columns of a table. Missing cells are no errors then, and
        messages name the column.
    """

    cells: Sequence[object]
    name: str | None = None
    index: Sequence[object] | None = None
    n_features: int = 1
    is_frame: bool = False
    in_table: bool = False

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.cells)

    def where(self, row: int) -> str:
        """Return the position of a row, and its label if it has one, for a message."""
        of = f" of column {self.name!r}" if self.in_table else ""
        if self.index is None:
            return f"row {row}{of}"
        return f"row {row} (index {describe(self.index[row])}){of}"


class CellType:
    """What `as_column` has to know about the cells of a column.

    Attributes
    ----------
    noun : str
        What one cell is called in messages, such as "image".
    number_advice, columns_advice : str
        Added to the errors about a column of numbers and about several columns.
    """

    noun: ClassVar[str]
    number_advice: ClassVar[str] = ""
    columns_advice: ClassVar[str] = ""

    @property
    def takes_rows(self) -> bool:
        """Whether each row of a matrix or of a wide frame is one cell."""
        return False

    def cells_of_array(self, X: np.ndarray) -> tuple[Any, int] | None:
        """Return the cells of an array that holds one per row, and the values per cell.

        None if it holds none in its further axes. Raises `ColumnError` if it seems to be another
        arrangement of such cells.
        """
        return None
