"""The features of one column: transformed, standardized, and of one total variance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypedDict

import numpy as np

from sktransfer._warnings import warn
from sktransfer.columns import Values, describe, values_of
from sktransfer.exceptions import BadCellError, ColumnError, LeftOutWarning
from sktransfer.tables._calendar import CALENDAR, calendar_of
from sktransfer.tables._cells_of_kind import cells_of_kind, check_kinds, taken_kinds
from sktransfer.tables._columns import DATE, MOST, NUMBER, TableColumn
from sktransfer.tables._transformed import transformed


class Block(TypedDict):
    """What was learned of a column; plain values, which `save` writes.

    Attributes
    ----------
    column, kind, why
        As of `TableColumn`.
    transformer : estimator or None
        Fitted; None for numbers and dates as they are.
    is_scaled : bool
        Whether features are standardized.
    is_lenient : bool
        Whether cells that are no numbers or dates are missing: there were strings in the fit.
    taken : list of str
        What cells can be, see `taken_kinds`.
    limits : tuple of two float or None
        Least and greatest finite number of the fit, to which others are clipped.
    center, scale : ndarray of shape (d,)
        Of the features. A scale of 0 makes the feature 0.
    has_missing : bool
        Whether there is a feature for missing cells.
    names : list of str
        Of the features.
    """

    column: str
    kind: str
    why: str
    transformer: Any
    is_scaled: bool
    is_lenient: bool
    taken: list[str]
    limits: tuple[float, float] | None
    center: np.ndarray
    scale: np.ndarray
    has_missing: bool
    names: list[str]


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Add the name of the column to an error about its cells."""
    try:
        yield
    except BadCellError as error:
        raise BadCellError(f"column {name!r}: {error}", row=error.row) from error
    except ValueError as error:
        raise ColumnError(f"column {name!r}: {error}") from error


def fit_block(
    column: TableColumn, X: Any, transformer: Any, y: Any, *, is_scaled: bool
) -> tuple[Block, np.ndarray]:
    """Fit the block of a column, and return its features."""
    values = values_of(X)
    taken = taken_kinds(values, column.kind)
    with _named(column.name):
        check_kinds(values, taken)
        cells, missing, unreadable = cells_of_kind(values, column.kind)
        if missing.all():
            _refuse(values, unreadable[0], column.kind)
        limits = _limits(np.asarray(cells)) if column.kind == NUMBER and is_scaled else None
        inputs = _inputs(column.kind, transformer, cells, limits)
        found = transformed(transformer, X, inputs, missing, y, fit=True)
        _check_finite(found, transformer)
    if len(unreadable) > (1 - MOST) * len(missing):
        _warn_of(column.name, values, unreadable, column.kind)
    lacking = np.isnan(found).any(axis=1)
    present = found[~lacking] if lacking.any() else found
    least = 0 if column.kind == NUMBER else 1
    center, scale = _center_and_scale(present if is_scaled else found[:0], least=least)
    block = Block(
        column=column.name,
        kind=column.kind,
        why=column.why,
        transformer=transformer,
        is_scaled=is_scaled,
        is_lenient=bool(unreadable) or values.kind in ("string", "mixed"),
        taken=taken,
        limits=limits,
        center=center,
        scale=scale,
        has_missing=is_scaled and bool(lacking.any() and not lacking.all()),
        names=[],
    )
    block["names"] = _names(block)
    with _named(column.name):
        return block, _scaled(block, found)


def transform_block(block: Block, X: Any) -> np.ndarray:
    """Return the features of a column of other rows."""
    values, transformer = values_of(X), block["transformer"]
    with _named(block["column"]):
        check_kinds(values, block["taken"])
        cells, missing, unreadable = cells_of_kind(values, block["kind"])
        if unreadable and not block["is_lenient"]:
            _refuse(values, unreadable[0], block["kind"])
        if missing.all():
            found = np.full((len(missing), len(block["center"])), np.nan)
        else:
            inputs = _inputs(block["kind"], transformer, cells, block["limits"])
            found = transformed(transformer, X, inputs, missing)
        _check_finite(found, transformer)
        if unreadable and not block["has_missing"]:  # else a feature says so
            _warn_of(block["column"], values, unreadable, block["kind"])
        return _scaled(block, found)


def _refuse(values: Values, row: int, kind: str) -> NoReturn:
    raise BadCellError(f"row {row}: {describe(values.cells[row])} is not a {kind}.", row=row)


def _warn_of(column: str, values: Values, rows: Sequence[int], kind: str) -> None:
    """Warn of cells that are used as missing since they cannot be read."""
    warn(
        f"column {column!r}: {len(rows)} of {len(values.cells)} cells are not a {kind} and count "
        f"as missing (row {rows[0]}: {describe(values.cells[rows[0]])}).",
        LeftOutWarning,
    )


def _inputs(kind: str, transformer: Any, cells: Any, limits: tuple[float, float] | None) -> Any:
    """Return cells for a transformer, or as features if there is none."""
    if limits is not None:
        cells = np.clip(cells, *limits)
    if transformer is None:
        return calendar_of(cells) if kind == DATE else cells[:, np.newaxis]
    return cells


def _names(block: Block) -> list[str]:
    """Return the names of the features: of the column, and what the transformer calls them."""
    column, width = block["column"], len(block["center"])
    if block["transformer"] is None:
        names = [column] if width == 1 else [f"{column}_{part}" for part in CALENDAR]
    else:
        names = _names_of_transformer(block["transformer"], column, width)
    return [*names, f"{column}_missing"] if block["has_missing"] else names


def _names_of_transformer(transformer: Any, column: str, width: int) -> list[str]:
    try:
        found = [str(name) for name in transformer.get_feature_names_out([column])]
    except (AttributeError, ValueError, TypeError):  # it has none, or not of another column
        found = []
    if len(found) != width:
        return [column] if width == 1 else [f"{column}_{number}" for number in range(width)]
    return [_name_in(column, name) for name in found]


def _name_in(column: str, name: str) -> str:
    """Return a name of a feature that begins with the column."""
    part = name.removesuffix(f"__{column}")  # of a FeatureUnion
    if part == VALUE:
        return column
    return name if name.startswith(column) else f"{column}_{part}"


#: Name of the step of a FeatureUnion that is the column itself.
VALUE = "value"


def _limits(numbers: np.ndarray) -> tuple[float, float]:
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return 0.0, 0.0
    low, high = np.clip([finite.min(), finite.max()], -_LARGEST, _LARGEST).tolist()
    return low, high


# Differences of larger numbers may overflow.
_LARGEST = float(np.finfo(np.float64).max) / 4


def _center_and_scale(rows: np.ndarray, *, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and scale per feature; 0 where it is constant up to rounding.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        Features.
    least : float
        Size of the numbers that rounding errors come from, where the mean is smaller.
    """
    if not len(rows):
        return np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    size = np.abs(rows).max(axis=0).astype(np.float64)
    size[size == 0] = 1
    parts = rows / size  # squares of the numbers themselves may overflow
    center, deviation = parts.mean(axis=0) * size, parts.std(axis=0) * size
    varies = deviation > _LEAST_DEVIATION * (least + np.abs(center))
    scale = np.zeros(len(center))
    scale[varies] = 1 / deviation[varies] / np.sqrt(varies.sum())
    return center, scale


# Deviations of rounding, relative to the mean, in float32.
_LEAST_DEVIATION = 1e-6


def _scaled(block: Block, features: np.ndarray) -> np.ndarray:
    """Return the features as the model has them; missing ones are 0, the mean."""
    if not block["is_scaled"]:
        return _as_float32(features)
    found = _as_float32((features - block["center"]) * block["scale"])
    lacking = np.isnan(found).any(axis=1)
    found[lacking] = 0
    return np.column_stack([found, lacking]) if block["has_missing"] else found


def _check_finite(features: np.ndarray, transformer: Any) -> None:
    bad = np.isinf(features).any(axis=1)
    if transformer is not None and bad.any():
        row = int(bad.argmax())
        raise BadCellError(f"row {row}: {type(transformer).__name__} gives infinity.", row=row)


def _as_float32(features: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        found = features.astype(np.float32)
    bad = (np.isinf(found) & np.isfinite(features)).any(axis=1)
    if bad.any():
        row = int(bad.argmax())
        raise BadCellError(
            f"row {row}: {np.abs(features[row]).max():g} is too large for features, which are "
            "float32.",
            row=row,
        )
    return found
