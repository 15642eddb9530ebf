"""Base class of the estimators of a column of texts."""

from __future__ import annotations

from numbers import Integral
from typing import Literal

from sktransfer._compat import Interval, StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base._column_estimator import ColumnEstimator
from sktransfer.modalities.text import TextModality


@with_parameters
class TextColumnEstimator(ColumnEstimator):
    """An estimator whose cells are texts."""

    max_length: int | None = parameter(
        Interval(Integral, 1, None, closed="left"), None, default=None
    )
    missing: Literal["raise", "nan", "empty"] = parameter(
        StrOptions({"raise", "nan", "empty"}), default="raise"
    )

    def _modality(self) -> TextModality:
        return TextModality(self.max_length, self.missing)
