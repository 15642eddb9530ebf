"""Copies of rows in a column, and groups that keep them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length

from sktransfer._public import public
from sktransfer._table import Table
from sktransfer._warnings import warn
from sktransfer.columns import is_missing
from sktransfer.exceptions import ConflictWarning
from sktransfer.inspection._copies import (
    Pairs,
    checked_threshold,
    connected,
    distinct_cells,
    fitted_embedder,
    pairs_within,
)

_MOST_NAMED = 5


@public
@dataclass(frozen=True, eq=False, repr=False)
class Duplicates:
    """Copies that `find_duplicates` has found.

    Parameters
    ----------
    pairs : ndarray of shape (p, 2)
        Positions of two rows, the earlier first, sorted. An exact copy is paired with the first of
        its kind only.
    how : ndarray of shape (p,)
        "exact", "near" or "mirrored".
    similarity : ndarray of shape (p,)
        1 for exact copies.
    n_rows : int
        Number of rows.
    left_out : ndarray of int, optional
        Rows whose cell cannot be used.
    index : sequence, optional
        Labels of the rows.

    Attributes
    ----------
    groups : ndarray of shape (n,)
        Number of the group of each row: rows that pairs connect, also through others. For
        `sklearn.model_selection.GroupKFold`.
    table : list of dict
        The pairs, as a table.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import Duplicates
    >>> Duplicates(np.array([[0, 2]]), np.array(["exact"]), np.ones(1), n_rows=3)
    3 rows: 1 pairs of copies (1 exact), 1 groups of 2 to 2 rows
    """

    pairs: np.ndarray
    how: np.ndarray
    similarity: np.ndarray
    n_rows: int
    left_out: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    index: Sequence[object] | None = None

    @cached_property
    def groups(self) -> np.ndarray:
        """Number of the group of each row."""
        return connected(self.pairs, self.n_rows)

    @cached_property
    def table(self) -> Table:
        """The pairs, as a table."""
        return pair_table(
            Pairs(self.pairs, self.how, self.similarity), ("row", "copy"), (self.index,) * 2
        )

    def __repr__(self) -> str:
        """Return the numbers of pairs and groups."""
        sizes = np.bincount(self.groups) if self.n_rows else np.zeros(0, int)
        sizes = sizes[sizes > 1]
        text = f"{self.n_rows:,} rows: {len(self.pairs):,} pairs of copies{counted(self.how)}"
        if len(sizes):
            text += f", {len(sizes):,} groups of 2 to {sizes.max():,} rows"
        if len(self.left_out):
            text += f"; {len(self.left_out):,} rows left out"
        return text


def find_duplicates(
    X: Any, *, threshold: float | None = None, y: Any = None, embedder: Any = None
) -> Duplicates:
    """Find copies among the cells of a column.

    Exact copies have equal content. Pictures are also copies if they are re-encoded, rescaled,
    mirrored, or cropped by up to 10 % of a side; texts and sounds if their features are near.

    Parameters
    ----------
    X : column of n cells
        Images, texts or sounds; see the embedders.
    threshold : float, optional
        Least similarity of copies that are not exact, up to 1. Of texts and sounds it is the cosine
        of their features, by default 0.95 and 0.98 (chosen for the default embedders; another one
        needs another). Of images it is 1 minus the largest difference of an eighth by an eighth of
        the aligned pictures, by default 0.935.
    y : array-like of n labels, optional
        A `ConflictWarning` names copies whose labels differ. Missing labels differ from none.
    embedder : embedder, optional
        Makes the features. By default an `ImageEmbedder`, `TextEmbedder` or `AudioEmbedder` with
        its default backbone, by the kind of the cells. With ``on_error="nan"``, cells that cannot
        be used are in no pair and are listed in `left_out`.

    Returns
    -------
    Duplicates
        Pairs with how each was found, a table of them, and `groups`.

    See Also
    --------
    leakage_report : Copies of test rows in training rows.
    find_label_issues : Labels that may be wrong.

    Notes
    -----
    Near rows are found exactly, in blocks: memory grows with the number of rows, time with its
    square. A picture is compared with its five nearest neighbours in features, and in 8 x 8 greys
    of it and of its mirror image, then rows of large groups of copies with those of the others. So
    `pairs` of many copies of one picture are not all pairs, but they are in one group. Pictures of
    hardly any contrast are copies only if they are exact.

    `groups` are connected through others: with a low threshold, near rows form chains that are one
    large group.

    Examples
    --------
    >>> from sktransfer import TextEmbedder, find_duplicates
    >>> questions = ["What is a cat?", "Who was Newton?", "What is a cat?", "What is a cat ?"]
    >>> copies = find_duplicates(questions, embedder=TextEmbedder(cache=False))
    >>> copies
    4 rows: 2 pairs of copies (1 exact, 1 near), 1 groups of 2 to 3 rows
    >>> copies.groups.tolist()
    [0, 1, 0, 0]
    """
    embedder = fitted_embedder(embedder, X)
    threshold = checked_threshold(threshold, embedder)
    labels = None if y is None else as_values(y, X)
    cells = distinct_cells(X, embedder)
    pairs = pairs_within(cells, threshold)
    found = Duplicates(
        pairs.rows,
        pairs.how,
        pairs.similarity,
        n_rows=len(cells.digests),
        left_out=cells.left_out,
        index=cells.column.index,
    )
    if labels is not None:
        _warn_of_conflicts(found, labels, cells.column.where)
    return found


def pair_table(pairs: Pairs, names: tuple[str, str], indices: Any) -> Table:
    """Return pairs as a table, with labels of rows where there is an index."""
    rows = []
    for places, how, similarity in zip(
        pairs.rows.tolist(), pairs.how.tolist(), pairs.similarity.tolist(), strict=True
    ):
        row: dict[str, Any] = {}
        for name, place, index in zip(names, places, indices, strict=True):
            row[name] = place
            if index is not None:
                row[f"{name}_index"] = index[place]
        rows.append({**row, "how": how, "similarity": similarity})
    return Table(rows)


def counted(how: np.ndarray) -> str:
    """Return how many pairs were found in which way, in brackets."""
    counts = sorted(Counter(how.tolist()).items())
    return f" ({', '.join(f'{count:,} {name}' for name, count in counts)})" if counts else ""


def as_values(y: Any, X: Any) -> list[Any]:
    """Return labels of X as values that can be compared; None where one is missing."""
    from sktransfer.training.targets import as_numpy

    y = as_numpy(y)
    values = np.asarray(y.toarray() if hasattr(y, "toarray") else y, dtype=object)
    check_consistent_length(X, values)
    if values.ndim > 1 and values.shape[1] > 1:
        return [None if any(map(is_missing, row)) else tuple(row) for row in values.tolist()]
    return [_comparable(value) for value in values.reshape(len(values)).tolist()]


def _comparable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return None if is_missing(value) else value


def _warn_of_conflicts(found: Duplicates, labels: list[Any], where: Any) -> None:
    """Warn of groups whose rows have different labels."""
    order = np.argsort(found.groups, kind="stable")
    bounds = np.flatnonzero(np.diff(found.groups[order])) + 1
    conflicts = []
    for rows in np.split(order, bounds):
        known = [row for row in rows if labels[row] is not None]
        other = next((row for row in known if labels[row] != labels[known[0]]), None)
        if other is not None:
            conflicts.append((known[0], other))
    if conflicts:
        named = "; ".join(
            f"{where(a)} ({labels[a]!r}) and {where(b)} ({labels[b]!r})"
            for a, b in conflicts[:_MOST_NAMED]
        )
        more = len(conflicts) - _MOST_NAMED
        warn(
            f"{len(conflicts)} groups of copies have different labels: {named}"
            f"{f'; and {more} more' if more > 0 else ''}.",
            ConflictWarning,
        )
