"""Type and column names of a method's output, known before it is computed."""

from typing import Any, NamedTuple

import numpy as np


class OutputSpec(NamedTuple):
    """What a method returns per row.

    Attributes
    ----------
    dtype : dtype
        Type of the values.
    names : list of str or None
        Column names; None if the method returns one value per row.
    as_frame : bool
        Whether Arrays and Bags also give a DataFrame (see `set_output`).
    name : str
        Name of a Series of one value per row.
    """

    dtype: np.dtype
    names: list[str] | None
    as_frame: bool = False
    name: str = "prediction"

    def empty(self) -> np.ndarray:
        """Return the output for no rows, of shape (0,) or (0, d)."""
        return np.empty(0 if self.names is None else (0, len(self.names)), dtype=self.dtype)

    def frame(self, rows: np.ndarray, index: Any = None) -> Any:
        """Return rows of shape (n, d) as a pandas DataFrame, or of shape (n,) as a Series."""
        import pandas as pd

        if self.names is None:
            return pd.Series(rows, index=index, name=self.name)
        return pd.DataFrame(rows, index=index, columns=self.names)
