"""Rows held out for validation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

from sktransfer.exceptions import TargetError
from sktransfer.training._column_data import Split


def hold_out(
    whole: Split,
    fraction: float,
    *,
    groups: Any,
    random: np.random.RandomState,
) -> tuple[Split, Split]:
    """Divide rows into those to train on and those to validate on.

    Parameters
    ----------
    whole : Split
        The rows. If each class has at least two of them, shares of classes are kept.
    fraction : float
        Share that is held out.
    groups : array-like of shape (n,), optional
        Group of each row of the column; no group is split.
    random : RandomState
        Draws.
    """
    rows = whole.rows
    options = {"n_splits": 1, "test_size": fraction, "random_state": random.randint(2**31)}
    splitter: Any = ShuffleSplit(**options)
    kinds = None
    if groups is not None:
        groups = np.asarray(groups)[rows]
        splitter = GroupShuffleSplit(**options)
    elif whole.target is not None and whole.target.stratifies:
        kinds = whole.targets_of(rows.tolist()).numpy(force=True)
        if _can_stratify(kinds, fraction):
            splitter = StratifiedShuffleSplit(**options)
    advice = "Pass more, or X_val and y_val, or early_stopping=False."
    try:
        train, valid = (rows[np.sort(part)] for part in next(splitter.split(rows, kinds, groups)))
    except ValueError as error:
        unit = "rows" if groups is None else f"rows in {len(np.unique(groups))} groups"
        raise TargetError(
            f"{len(rows)} {unit} cannot be split into rows to train on and "
            f"validation_fraction={fraction} of them to validate on. {advice}"
        ) from error
    for part, what in ((train, "to train on"), (valid, "to validate on")):
        if not whole.weights[part.tolist()].any():
            raise TargetError(f"No row {what} has a weight, of those held out at random. {advice}")
    return replace(whole, rows=train), replace(whole, rows=valid)


def _can_stratify(classes: np.ndarray, fraction: float) -> bool:
    counts = np.unique(classes, return_counts=True)[1]
    held_out = int(np.ceil(fraction * len(classes)))
    return counts.min() >= 2 and min(held_out, len(classes) - held_out) >= len(counts)
