"""Which rows are held out to validate on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

from sktransfer.exceptions import TargetError


def hold_out(
    rows: np.ndarray,
    fraction: float,
    *,
    classes: np.ndarray | None,
    groups: Any,
    random: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut rows into those to train on and those to validate on.

    Parameters
    ----------
    rows : ndarray of int
        Positions in the column.
    fraction : float
        Share that is held out.
    classes : ndarray of shape (n,), optional
        Class of each row of the column: held-out rows have them in the same shares, as far as
        each has two rows at least.
    groups : array-like of shape (n,), optional
        Of each row of the column; no group is cut.
    random : RandomState
        Draws.
    """
    seed = random.randint(2**31)
    options = {"n_splits": 1, "test_size": fraction, "random_state": seed}
    if len(rows) < 2:
        raise TargetError(
            "There is only 1 row, and early_stopping needs some to train on and some to "
            "validate on: pass more rows, X_val and y_val, or early_stopping=False."
        )
    chosen = None if groups is None else np.asarray(groups)[rows]
    if chosen is not None:
        splitter, kinds = GroupShuffleSplit(**options), None
    elif classes is not None and _can_stratify(classes[rows], fraction):
        splitter, kinds = StratifiedShuffleSplit(**options), classes[rows]
    else:
        splitter, kinds = ShuffleSplit(**options), None
    train, valid = next(splitter.split(rows, kinds, chosen))
    return rows[np.sort(train)], rows[np.sort(valid)]


def _can_stratify(classes: np.ndarray, fraction: float) -> bool:
    counts = np.unique(classes, return_counts=True)[1]
    held_out = int(np.ceil(fraction * len(classes)))
    return counts.min() >= 2 and min(held_out, len(classes) - held_out) >= len(counts)
