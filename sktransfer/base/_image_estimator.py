"""Base class of the estimators of a column of images."""

from __future__ import annotations

from numbers import Integral
from typing import ClassVar

from sktransfer import _runtime
from sktransfer._compat import Interval, StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base._column_estimator import ColumnEstimator
from sktransfer.modalities.image import PRESETS, ImageModality, as_window


@with_parameters
class ImageColumnEstimator(ColumnEstimator):
    """An estimator whose cells are images."""

    _modality_type: ClassVar[type[ImageModality]] = ImageModality

    image_size: int | tuple[int, int] | None = parameter(
        Interval(Integral, 1, None, closed="left"), tuple, list, None, default=None
    )
    image_shape: tuple[int, ...] | None = parameter(tuple, list, None, default=None)
    max_pixels: int | None = parameter(
        Interval(Integral, 1, None, closed="left"), None, default=80_000_000
    )
    window: str | tuple[float, float] | None = parameter(
        StrOptions(set(PRESETS)), tuple, list, None, default=None
    )

    def _modality(self) -> ImageModality:
        return self._modality_type(
            self.image_size,
            self.image_shape,
            self.max_pixels,
            exact=self._is_exact(),
            window=as_window(self.window),
        )

    def _is_exact(self) -> bool:
        """Whether pixels must equal Pillow's; bfloat16 rounds away more than one grey level."""
        if self.precision == "float32":
            return True
        return _runtime.resolve_precision(self.precision, self._torch_device()) == "float32"
