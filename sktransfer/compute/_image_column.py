"""What all estimators of a column of images have in common."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

from sktransfer import _runtime
from sktransfer._compat import Interval
from sktransfer.extraction._estimator import ColumnEstimator
from sktransfer.extraction._images import ImageReader


class ImageColumnEstimator(ColumnEstimator):
    """An estimator whose cells are images."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **ColumnEstimator._parameter_constraints,
        "image_size": [Interval(Integral, 1, None, closed="left"), tuple, list, None],
        "image_shape": [tuple, list, None],
        "max_pixels": [Interval(Integral, 1, None, closed="left"), None],
    }

    # Parameters of the subclasses; scikit-learn reads them from their __init__.
    image_size: int | tuple[int, int] | None
    image_shape: tuple[int, ...] | None
    max_pixels: int | None

    def _reader(self) -> ImageReader:
        return ImageReader(
            self.image_size,
            self.image_shape,
            self._read_together,
            self.max_pixels,
            exact=self._is_exact(),
        )

    def _is_exact(self) -> bool:
        """Whether pixels must be those of Pillow; in bfloat16 one grey level is lost anyway."""
        if self.precision == "float32":
            return True
        return _runtime.resolve_precision(self.precision, self._torch_device()) == "float32"
