"""Base class of the estimators of a column of sounds."""

from __future__ import annotations

from numbers import Integral, Real

from sktransfer._compat import Interval
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base._column_estimator import ColumnEstimator
from sktransfer.modalities.audio import HIGHEST_RATE, LOWEST_RATE, AudioModality


@with_parameters
class AudioColumnEstimator(ColumnEstimator):
    """An estimator whose cells are sounds."""

    sampling_rate: int | None = parameter(
        Interval(Integral, LOWEST_RATE, HIGHEST_RATE, closed="both"), None, default=None
    )
    max_duration: float | None = parameter(
        Interval(Real, 0, None, closed="neither"), None, default=None
    )

    def _modality(self) -> AudioModality:
        return AudioModality(self.sampling_rate, self.max_duration)
