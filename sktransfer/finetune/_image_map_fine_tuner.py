"""Base class of the fine-tuners of images whose targets lie in places of them."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat import Interval
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer.finetune._base_fine_tuner import BaseFineTuner
from sktransfer.finetune._image_fine_tuner import ImageFineTuner
from sktransfer.lazy import OutputSpec

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone
    from sktransfer.training import Training

# Outputs are learned at this share of the side that the network sees, or finer.
_COARSEST = 4


@with_parameters
class ImageMapFineTuner(ImageFineTuner, BaseFineTuner):
    """A network whose maps are joined by a feature pyramid, with outputs for each place."""

    batch_size: int = parameter(Interval(Integral, 1, None, closed="left"), default=8)
    lr: float = parameter(default=3e-3)
    dropout: float = parameter(default=0.1)
    mixup: ClassVar[float] = 0.0  # type: ignore[misc]
    _draws_head: ClassVar[bool] = True

    classes_: np.ndarray = fitted()

    def transform(self, X: Any) -> np.ndarray:
        """Return the means over each image of the maps below the head.

        Parameters
        ----------
        X : column of n images
            See the class.

        Returns
        -------
        ndarray of shape (n, d), float32
            NaN for cells that cannot be used, with ``on_error="nan"``.
        """
        check_is_fitted(self)
        missing = np.full(self._n_features_out, np.nan, dtype=np.float32)
        rows = self._outputs(X, head=False)
        return np.stack([missing if row is None else row for row in rows])

    def _placed(self, X: Any) -> Iterator[tuple[Any, Any, tuple[int, int] | None]]:
        """Yield each cell with its outputs and its height and width; None if it cannot be used."""
        modality: Any = self._modality()
        rows = self._outputs(X, head=True)
        for cell, row in zip(modality.column(X).cells, rows, strict=True):
            yield cell, row, None if row is None else modality.outline(cell)

    def _adapted(self, backbone: Backbone) -> Backbone:
        from sktransfer.backbones import map_backbone

        return map_backbone(backbone, self._modality().recipe(backbone))

    def _make_head(self, backbone: Backbone, target: Any) -> Any:
        from sktransfer.training.heads import MapDecoder

        network: Any = backbone.network
        height, width = self._modality().recipe(backbone).size
        finest = height // _COARSEST, width // _COARSEST
        return MapDecoder(network.maps.shapes, target.n_outputs, finest, dropout=self.dropout)

    def _fit_attributes(self, training: Training) -> dict[str, Any]:
        target: Any = training.train.target
        return {**super()._fit_attributes(training), "classes_": target.classes}

    def _output_spec(self, method: str) -> OutputSpec:
        if method == "transform":
            return super()._output_spec(method)
        return OutputSpec(np.dtype(object), None)
