"""Comparison of a converted network with torch, on a few rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from sktransfer.compute._extractor import FeatureExtractor
from sktransfer.exceptions import EngineError

#: Largest distance of a float32 row from torch's, relative to its length.
TOLERANCE = 1e-4
# A bfloat16 row may have this distance from the exact one, or some times that of torch's own.
_LOWER_TOLERANCE, _TIMES = 0.05, 3.0


def check(
    by_torch: FeatureExtractor, examples: Iterable[Any], run: Callable[[Any], np.ndarray]
) -> None:
    """Check that a converted network gives torch's features, in batches of several sizes.

    A conversion traces the network on one example: what the network decides by its inputs, and
    the numbers of rows and tokens, may have become constants.

    Parameters
    ----------
    by_torch : FeatureExtractor
        What was converted.
    examples : iterable
        Network inputs.
    run : callable
        From network inputs to features, as it computes them.

    Raises
    ------
    EngineError
        If it does not.
    """
    for inputs in examples:
        exact = replace(by_torch, precision="float32").features(inputs)
        allowed = TOLERANCE
        if by_torch.precision != "float32":
            torchs_own = _largest_distance(by_torch.features(inputs), exact)
            allowed = max(_LOWER_TOLERANCE, _TIMES * torchs_own)
        distance = _largest_distance(run(inputs), exact)
        if distance > allowed:
            raise EngineError(
                f"its features differ from torch's by {distance:.2g} of the length of a row: what "
                "the network does may depend on its inputs, on chance, or on the number of rows"
            )


def _largest_distance(rows: np.ndarray, exact: np.ndarray) -> float:
    if not np.array_equal(np.isfinite(rows), np.isfinite(exact)):  # or another shape
        return np.inf
    distances = np.linalg.norm(np.nan_to_num(rows - exact), axis=1)
    lengths = np.linalg.norm(np.nan_to_num(exact), axis=1)
    return float(np.max(distances / np.maximum(lengths, np.finfo(np.float32).tiny), initial=0.0))
