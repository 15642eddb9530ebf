"""One frame or slice of a medical file, before it is shown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sktransfer.modalities.image._window import scaled


class Frame(NamedTuple):
    """Values of a frame, and which of them are black and white.

    Attributes
    ----------
    values : ndarray of shape (H, W) or (H, W, C)
        Grey values after all that the file says of them; or colours.
    low, high : float
        Values that are shown as black and white.
    is_windowed : bool
        Whether the file says what they are, or the parameter `window`; else they are the
        smallest and the largest value.
    is_inverted : bool
        Whether the smallest value is white.
    place : ndarray of shape (3, 3), optional
        In mm: where the first pixel lies, the step to the next column, and that to the next row.
    """

    values: np.ndarray
    low: float
    high: float
    is_windowed: bool = True
    is_inverted: bool = False
    place: np.ndarray | None = None

    def shown(self, low: float | None = None, high: float | None = None) -> np.ndarray:
        """Return pixels as image cells have them: uint8, or float32 in [0, 1]."""
        low, high = self.low if low is None else low, self.high if high is None else high
        if self.values.dtype == np.uint8 and (low, high) == (0, 255):
            return 255 - self.values if self.is_inverted else self.values
        return scaled(self.values, *((high, low) if self.is_inverted else (low, high)))
