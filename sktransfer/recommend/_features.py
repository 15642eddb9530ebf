"""Features of items, and their scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array

from sktransfer.base import fit_transform
from sktransfer.columns import rows_of
from sktransfer.exceptions import ColumnError

_DTYPES = [np.float64, np.float32]  # the first also for frames of polars


def features_of(encoder: Any, items: Any, *, fit: bool) -> np.ndarray:
    """Return the features of items, float32 or float64, and what the encoder gives for bad ones.

    Raises
    ------
    ColumnError
        If the encoder gives other rows than the items have.
    """
    found = items
    if encoder is not None:
        found = fit_transform(encoder, items, None) if fit else encoder.transform(items)
    found = found.toarray() if hasattr(found, "toarray") else found
    try:
        features = check_array(found, dtype=_DTYPES, order="C", ensure_all_finite=False)
    except (TypeError, ValueError) as error:
        what = "items without an item_encoder" if encoder is None else "what item_encoder gives"
        raise ColumnError(f"{what} must be a matrix of numbers: {error}") from error
    if len(features) != (n := len(rows_of(items))):
        raise ColumnError(f"item_encoder gives {len(features)} rows for {n} items")
    return features


def scaling_of(features: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean of each feature, and the mean of their standard deviations."""
    good = features[np.isfinite(features).all(axis=1)].astype(np.float64, copy=False)
    if not len(good):
        return {"mean": np.zeros(features.shape[1]), "scale": np.array(1.0)}
    mean = good.mean(axis=0)
    good -= mean
    largest = max(good.max(), -good.min()) or 1.0
    good /= largest  # squares of large or small numbers are no float64
    return {"mean": mean, "scale": np.array(largest * (good.std(axis=0).mean() or 1.0))}


def scaled(features: np.ndarray, scaling: dict[str, np.ndarray]) -> np.ndarray:
    """Return features that are about as large as 1, float32; what is not finite stays so."""
    found: np.ndarray = (features - scaling["mean"]) / scaling["scale"]
    return found.astype(np.float32)


def names_of(items: Any) -> list[str] | None:
    """Return the names of the columns of a frame; None if they are only numbered."""
    rows = rows_of(items)
    is_named = rows.is_named and rows.names != [*map(str, range(len(rows.names)))]
    return rows.names if is_named else None


def check_names(items: Any, before: list[str] | None) -> None:
    """Check that a frame of features has the columns of the fit, in their order.

    Raises
    ------
    ColumnError
        If both have names, and these differ.
    """
    names = names_of(items)
    if names and before and names != before:
        raise ColumnError(
            f"the items have the features {', '.join(map(repr, names[:8]))}, and those of fit "
            f"had {', '.join(map(repr, before[:8]))}; pass the same in the same order"
        )
