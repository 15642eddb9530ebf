"""Windows of grey values: the part of their range that is shown from black to white."""

from __future__ import annotations

from math import isfinite
from numbers import Real
from typing import NamedTuple

import numpy as np

from sktransfer.exceptions import BadCellError

PRESETS = {
    "abdomen": (50.0, 400.0),
    "bone": (400.0, 1800.0),
    "brain": (40.0, 80.0),
    "liver": (30.0, 150.0),
    "lung": (-600.0, 1500.0),
    "mediastinum": (50.0, 350.0),
    "stroke": (40.0, 40.0),
    "subdural": (75.0, 215.0),
}
"""Centre and width of the usual windows of computed tomography, in Hounsfield units."""


class Window(NamedTuple):
    """Grey values that are shown: below they are black, above white, linear between.

    Attributes
    ----------
    center, width : float
        The window extends by half its width to both sides of its centre.
    preset : str
        Its name in `PRESETS`; empty if it was given as numbers.
    """

    center: float
    width: float
    preset: str = ""

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return grey values as floats, 0 where black and 1 where white."""
        self.check(values)
        return scaled(values, self.center - self.width / 2, self.center + self.width / 2)

    def check(self, values: np.ndarray) -> None:
        """Refuse values that cannot be in the unit of the preset."""
        if self.preset and values.dtype.kind in "bu":
            raise self.refuse("the values of this image are not, because they are unsigned")

    def refuse(self, why: str) -> BadCellError:
        """Return the error of an image whose values are not those of the preset."""
        return BadCellError(
            f"window={self.preset!r} is in Hounsfield units, and {why}; pass "
            "window=(center, width) in the units of the image"
        )


def as_window(window: object) -> Window | None:
    """Return the window that a value of the parameter `window` names; None for that of the file.

    Raises
    ------
    ValueError
        If it is neither a preset nor two numbers.
    """
    if window is None:
        return None
    if isinstance(window, str) and window in PRESETS:
        return Window(*PRESETS[window], window)
    if isinstance(window, tuple | list) and len(window) == 2 and all(map(_is_number, window)):
        center, width = map(float, window)
        if width > 0:
            return Window(center, width)
    raise ValueError(
        f"window={window!r} is no window: pass one of {', '.join(map(repr, PRESETS))}, or "
        "(center, width) with a positive width."
    )


def scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return values as float32, `low` as 0 and `high` as 1, clipped; `low` may be the larger."""
    shown = np.subtract(values, low, dtype=np.float64)
    shown /= (high - low) or 1
    return shown.clip(0, 1).astype(np.float32)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
