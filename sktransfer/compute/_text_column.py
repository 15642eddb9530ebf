"""What all estimators of a column of texts have in common."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Literal

from sktransfer._compat import Interval, StrOptions
from sktransfer.extraction._estimator import ColumnEstimator
from sktransfer.extraction._texts import TextReader


class TextColumnEstimator(ColumnEstimator):
    """An estimator whose cells are texts."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **ColumnEstimator._parameter_constraints,
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "missing": [StrOptions({"raise", "nan", "empty"})],
    }

    # Parameters of the subclasses; scikit-learn reads them from their __init__.
    max_length: int | None
    missing: Literal["raise", "nan", "empty"]

    def _reader(self) -> TextReader:
        return TextReader(self.max_length, self.missing, self._read_together)
