"""Copies of test rows among the rows for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sktransfer._public import public
from sktransfer._table import Table
from sktransfer.inspection._copies import (
    Pairs,
    checked_threshold,
    distinct_cells,
    fitted_embedder,
    pairs_across,
)
from sktransfer.inspection._duplicates import as_values, counted, pair_table


@public
@dataclass(frozen=True, eq=False, repr=False)
class LeakageReport:
    """Copies of test rows in training rows, found by `leakage_report`.

    Parameters
    ----------
    pairs : ndarray of shape (p, 2)
        Position of a training row, and of a test row that is a copy of it.
    how : ndarray of shape (p,)
        "exact", "near" or "mirrored".
    similarity : ndarray of shape (p,)
        1 for exact copies.
    n_test : int
        Number of test rows.
    labels : tuple of two lists, optional
        Classes of training and test rows.
    indices : tuple of two sequences, optional
        Labels of training and test rows in an index.

    Attributes
    ----------
    test_rows : ndarray of int
        Test rows that have a copy in train.
    table : list of dict
        The pairs, as a table.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import LeakageReport
    >>> LeakageReport(np.array([[0, 2]]), np.array(["exact"]), np.ones(1), n_test=4)
    1 of 4 test rows (25.0%) have a copy in train; 1 pairs (1 exact)
    """

    pairs: np.ndarray
    how: np.ndarray
    similarity: np.ndarray
    n_test: int
    labels: tuple[list[Any], list[Any]] | None = None
    indices: tuple[Sequence[object] | None, Sequence[object] | None] = (None, None)

    @cached_property
    def test_rows(self) -> np.ndarray:
        """Test rows that have a copy in train."""
        return np.unique(self.pairs[:, 1])

    @cached_property
    def table(self) -> Table:
        """The pairs, as a table."""
        pairs = Pairs(self.pairs, self.how, self.similarity)
        table = pair_table(pairs, ("train_row", "test_row"), self.indices)
        for row in table if self.labels else ():
            row["train_label"] = self.labels[0][row["train_row"]]  # type: ignore[index]
            row["test_label"] = self.labels[1][row["test_row"]]  # type: ignore[index]
        return table

    def __repr__(self) -> str:
        """Return how many test rows have copies."""
        count = len(self.test_rows)
        share = count / max(self.n_test, 1)
        return (
            f"{count:,} of {self.n_test:,} test rows ({share:.1%}) have a copy in train; "
            f"{len(self.pairs):,} pairs{counted(self.how)}"
        )


def leakage_report(
    train: Any,
    test: Any,
    *,
    threshold: float | None = None,
    y_train: Any = None,
    y_test: Any = None,
    embedder: Any = None,
) -> LeakageReport:
    """Find test rows that have a copy among the rows for training.

    Parameters
    ----------
    train, test : column of cells
        Images, texts or sounds; see the embedders.
    threshold : float, optional
        Least similarity of copies that are not exact, see `find_duplicates`.
    y_train, y_test : array-like, optional
        Labels, for the table.
    embedder : embedder, optional
        See `find_duplicates`.

    Returns
    -------
    LeakageReport
        Pairs, the test rows that have a copy, and a table.

    See Also
    --------
    find_duplicates : Copies within one column.

    Examples
    --------
    >>> from sktransfer import TextEmbedder, leakage_report
    >>> train, test = ["What is a cat?", "Who was Newton?"], ["Where is Rome?", "What is a cat?"]
    >>> leakage_report(train, test, embedder=TextEmbedder(cache=False))
    1 of 2 test rows (50.0%) have a copy in train; 1 pairs (1 exact)
    """
    if (y_train is None) != (y_test is None):
        raise ValueError("y_train and y_test go together: pass both or none.")
    embedder = fitted_embedder(embedder, train)
    threshold = checked_threshold(threshold, embedder)
    labels = None if y_train is None else (as_values(y_train, train), as_values(y_test, test))
    cells = distinct_cells(train, embedder), distinct_cells(test, embedder)
    pairs = pairs_across(*cells, threshold)
    return LeakageReport(
        pairs.rows,
        pairs.how,
        pairs.similarity,
        n_test=len(cells[1].digests),
        labels=labels,
        indices=(cells[0].column.index, cells[1].column.index),
    )
