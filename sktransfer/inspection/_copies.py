"""Pairs of copies: equal content, pictures that match, features that are near."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sktransfer.base import fitted
from sktransfer.cache import open_cache
from sktransfer.columns import Column
from sktransfer.compute import CellErrors, digest_column, first_rows
from sktransfer.exceptions import BadCellError
from sktransfer.neighbors import near_pairs, nearest_rows, unit_rows

# Neighbours of a picture that are compared with it: by features, and by sketches each way round.
_NEIGHBOURS = 5


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows that are copies.

    Attributes
    ----------
    rows : ndarray of shape (p, 2)
        Positions.
    how : ndarray of shape (p,)
        "exact", "near" or "mirrored".
    similarity : ndarray of shape (p,)
        Between 0 and 1; 1 for exact copies.
    """

    rows: np.ndarray
    how: np.ndarray
    similarity: np.ndarray

    def __add__(self, other: Pairs) -> Pairs:
        """Return both, sorted by rows."""
        rows = np.concatenate([self.rows, other.rows])
        order = np.lexsort((rows[:, 1], rows[:, 0]))
        how = np.concatenate([self.how, other.how])
        similarity = np.concatenate([self.similarity, other.similarity])
        return Pairs(rows[order], how[order], similarity[order])


@dataclass(frozen=True)
class DistinctCells:
    """The distinct cells of a column, with what they are compared by.

    Attributes
    ----------
    column : Column
        The cells.
    digests : list of bytes or None
        Per row; None for a row that is left out.
    rows : ndarray of shape (m,)
        First row of each distinct cell.
    features : ndarray of shape (m, d)
        At unit length.
    sketches : ndarray or None
        What `matcher` compares, if there is one.
    matcher : object or None
        See `Modality.matcher`.
    """

    column: Column
    digests: list[bytes | None]
    rows: np.ndarray
    features: np.ndarray
    sketches: np.ndarray | None
    matcher: Any

    @property
    def left_out(self) -> np.ndarray:
        """Rows that cannot be compared."""
        return np.flatnonzero([digest is None for digest in self.digests])

    def keep(self, chosen: np.ndarray) -> DistinctCells:
        """Return some of the distinct cells."""
        sketches = None if self.sketches is None else self.sketches[chosen]
        rows, features = self.rows[chosen], self.features[chosen]
        return DistinctCells(self.column, self.digests, rows, features, sketches, self.matcher)


def distinct_cells(X: Any, embedder: Any) -> DistinctCells:
    """Embed a column, and sketch its distinct cells if its modality has a matcher."""
    modality = embedder._modality()
    column = modality.column(X)
    features = unit_rows(np.asarray(embedder.transform(X)))
    errors = CellErrors(column, embedder.on_error)
    digests = list(digest_column(modality, column, open_cache(embedder.cache), errors).digests)
    for row in np.flatnonzero(~np.isfinite(features).all(axis=1)):
        digests[row] = None
    first = list(first_rows(digests, range(len(digests))).values())
    matcher, sketches = modality.matcher(), None
    if matcher is not None:
        tried = {row: _sketch(matcher, column.cells[row], row, errors) for row in first}
        made = {row: sketch for row, sketch in tried.items() if sketch is not None}
        failed = {digests[row] for row in first if row not in made}
        digests = [None if digest in failed else digest for digest in digests]
        first = list(made)
        sketches = np.stack([*made.values()]) if made else None
    rows = np.array(first, dtype=np.intp)
    return DistinctCells(column, digests, rows, features[rows], sketches, matcher)


def _sketch(matcher: Any, cell: object, row: int, errors: CellErrors) -> np.ndarray | None:
    try:
        return matcher.sketch(cell)
    except BadCellError as error:  # features of an earlier call are cached
        errors.add(row, error)
        return None


def fitted_embedder(embedder: Any, X: Any) -> Any:
    """Return an embedder of X: this one, fitted on X as a clone if it is not, or the default."""
    if embedder is None:
        embedder = default_embedder(X)
    if not hasattr(embedder, "_modality") or not hasattr(embedder, "transform"):
        raise TypeError(
            f"embedder must be an embedder such as TextEmbedder(), got {type(embedder).__name__}."
        )
    return fitted(embedder, X)


def default_embedder(X: Any) -> Any:
    """Return the default embedder of the kind of cells in X."""
    from sktransfer.embedders import EMBEDDERS
    from sktransfer.modalities import required_modality

    return EMBEDDERS[required_modality(X, "Pass embedder=, e.g. TextEmbedder().")]()


def checked_threshold(threshold: float | None, embedder: Any) -> float:
    """Return the threshold, or that of the modality."""
    if threshold is None:
        modality = embedder._modality()
        matcher = modality.matcher()
        return modality.near if matcher is None else matcher.threshold
    is_number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if not is_number or not 0 < threshold <= 1:
        raise ValueError(f"threshold must be a number above 0 and up to 1, got {threshold!r}.")
    return float(threshold)


def pairs_within(cells: DistinctCells, threshold: float) -> Pairs:
    """Return copies in one column; an exact copy is paired with the first of its kind only."""
    first = {cells.digests[row]: row for row in cells.rows}
    exact = [
        (first[digest], row)
        for row, digest in enumerate(cells.digests)
        if digest is not None and first[digest] != row
    ]
    return exact_pairs(exact) + near_copies(cells, None, threshold)


def pairs_across(train: DistinctCells, test: DistinctCells, threshold: float) -> Pairs:
    """Return copies of test rows in train; near ones of those without an exact one."""
    first = {train.digests[row]: row for row in train.rows}
    exact = [(first[d], row) for row, d in enumerate(test.digests) if d is not None and d in first]
    rest = test.keep(np.array([test.digests[row] not in first for row in test.rows], dtype=bool))
    near = near_copies(train, rest, threshold)
    # Test rows that equal a row of a near pair are in such a pair too.
    equal: dict[bytes | None, list[int]] = {}
    for row, digest in enumerate(test.digests):
        equal.setdefault(digest, []).append(row)
    places = [equal[test.digests[row]] for row in near.rows[:, 1]]
    again = np.repeat(np.arange(len(places)), [len(rows) for rows in places])
    rows = near.rows[again]
    rows[:, 1] = np.concatenate([[], *places]).astype(np.intp)
    return exact_pairs(exact) + Pairs(rows, near.how[again], near.similarity[again])


def exact_pairs(rows: list[tuple[int, int]]) -> Pairs:
    """Return pairs of equal cells."""
    pairs = np.array(rows, dtype=np.intp).reshape(-1, 2)
    return Pairs(pairs, np.full(len(pairs), "exact", dtype="U8"), np.ones(len(pairs)))


def near_copies(cells: DistinctCells, others: DistinctCells | None, threshold: float) -> Pairs:
    """Return pairs of distinct cells that are alike, by their matcher or else by features."""
    if not len(cells.rows) or (others is not None and not len(others.rows)):
        return exact_pairs([])
    other = cells if others is None else others
    if cells.matcher is None:
        rows = others.features if others is not None else None
        pairs, similarity = near_pairs(cells.features, rows, threshold=threshold)
        how = np.full(len(pairs), "near", dtype="U8")
    else:
        found = _matches(cells, others, _candidates(cells, others), threshold)
        pairs, similarity, how = found if others else _joined(cells, found, threshold)
    rows = np.stack([cells.rows[pairs[:, 0]], other.rows[pairs[:, 1]]], axis=1)
    return Pairs(rows, how, np.minimum(similarity, 1).astype(float))


def _matches(
    cells: DistinctCells, others: DistinctCells | None, pairs: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs that match, their similarity and how each was found."""
    other = cells if others is None else others
    similarity, how = cells.matcher.compare(
        cells.sketches[pairs[:, 0]],  # type: ignore[index]
        other.sketches[pairs[:, 1]],  # type: ignore[index]
    )
    keep = similarity >= threshold
    return pairs[keep], similarity[keep], how[keep]


def _joined(cells: DistinctCells, found: Any, threshold: float) -> Any:
    """Add matches of groups of so many copies that their rows have no neighbours elsewhere."""
    new = found
    while len(new[0]):
        groups = connected(found[0], len(cells.rows))
        new = _matches(cells, None, _crowded(cells, groups), threshold)
        found = tuple(map(np.concatenate, zip(found, new, strict=True)))
    return found


def _crowded(cells: DistinctCells, groups: np.ndarray) -> np.ndarray:
    """Return pairs of each row of a large group and its neighbours in the other large groups."""
    rows = np.flatnonzero(np.bincount(groups)[groups] >= _NEIGHBOURS)
    found = [np.zeros((0, 2), dtype=np.intp)]
    large = np.unique(groups[rows])
    for group in large if len(large) > 1 else ():
        is_inside = groups[rows] == group
        inside, outside = rows[is_inside], rows[~is_inside]
        pairs = _candidates(cells.keep(outside), cells.keep(inside))
        found.append(np.stack([outside[pairs[:, 0]], inside[pairs[:, 1]]], axis=1))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def connected(pairs: np.ndarray, n: int) -> np.ndarray:
    """Return the number of the group of each of n rows: those that pairs connect."""
    first, second = pairs.T
    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(n, n))
    return connected_components(links, directed=False)[1].astype(np.intp)


def _candidates(cells: DistinctCells, others: DistinctCells | None) -> np.ndarray:
    """Return pairs that are near by features, or by sketches either way round, each once."""
    plain, mirrored = cells.matcher.vectors(cells.sketches)
    if others is None:
        searched = [(cells.features, None), (plain, None), (mirrored, plain)]
    else:
        other, _ = cells.matcher.vectors(others.sketches)
        searched = [(others.features, cells.features), (other, plain), (other, mirrored)]
    found = []
    for rows, targets in searched:
        nearest, distances = nearest_rows(rows, targets, k=_NEIGHBOURS)
        pairs = np.stack([np.arange(len(rows)).repeat(nearest.shape[1]), nearest.ravel()], axis=1)
        found.append(pairs[distances.ravel() < 1])
    pairs = np.concatenate(found)
    pairs = np.sort(pairs, axis=1) if others is None else pairs[:, ::-1]
    if others is None:
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    return np.unique(pairs, axis=0)
