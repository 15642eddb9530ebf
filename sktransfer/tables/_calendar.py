"""Numbers from dates."""

import numpy as np

_DAY, _YEAR = 86_400.0, 365.2425

#: Names of the numbers of a date; the last six are places on circles.
CALENDAR = ["time", "year_sin", "year_cos", "weekday_sin", "weekday_cos", "hour_sin", "hour_cos"]


def calendar_of(seconds: np.ndarray) -> np.ndarray:
    """Return the time, and where in the year, the week and the day it is; as many as `CALENDAR`.

    Parameters
    ----------
    seconds : ndarray of shape (n,)
        Since 1970, NaN where missing.
    """
    days = seconds / _DAY
    # 1970 began on a Thursday.
    circles = [days % _YEAR / _YEAR, (days + 3) % 7 / 7, days % 1]
    places = [turn(2 * np.pi * circle) for circle in circles for turn in (np.sin, np.cos)]
    return np.column_stack([seconds, *places])
