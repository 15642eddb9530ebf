"""What a worker does with one partition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sktransfer.exceptions import SktransferError
from sktransfer.lazy._methods import Form


@dataclass(frozen=True)
class Call:
    """A method of an estimator, and what it gives.

    Parameters
    ----------
    estimator : estimator
        Is fitted.
    method : str
        Takes a column of cells.
    form : Form
        Of what it gives.
    """

    estimator: Any
    method: str
    form: Form

    def __call__(self, cells: Any, partition: int) -> np.ndarray:
        """Return one row, or one value, a cell; of no cells, none."""
        if not len(cells):
            return self.nothing()
        try:
            found = getattr(self.estimator, self.method)(cells)
        except SktransferError as error:  # it counts rows from the start of the partition
            error.args = (f"in partition {partition}: {error}", *error.args[1:])
            raise
        return np.asarray(found, dtype=self.form.dtype)

    def nothing(self) -> np.ndarray:
        """Return what it gives for no cells."""
        names = self.form.names
        return np.empty(0 if names is None else (0, len(names)), dtype=self.form.dtype)


def frame_of(part: Any, call: Call, partition_info: dict[str, int]) -> Any:
    """Return a frame, or a Series, with the index of a partition of one."""
    return as_frame(call(part, partition_info["number"]), part.index, call.form.names)


def block_of(block: np.ndarray, call: Call, block_id: Sequence[int]) -> np.ndarray:
    """Return what is found of a block of an Array, whose first axis counts the cells."""
    return call(block, block_id[0])


def rows_of(part: Iterable[Any], numbers: Iterable[int], call: Call) -> list[Any]:
    """Return one entry a cell of a partition of a Bag."""
    return list(call(list(part), next(iter(numbers))))


def as_frame(rows: np.ndarray, index: Any, names: list[str] | None) -> Any:
    """Return rows as a frame, and single values as a Series."""
    import pandas as pd

    if names is None:
        return pd.Series(rows, index=index, name="prediction")
    return pd.DataFrame(rows, index=index, columns=names)
