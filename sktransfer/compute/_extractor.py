"""Features of a layer of a frozen network, computed by torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer import _runtime
from sktransfer.cache import FeatureCache, space_key
from sktransfer.compute._parallel import best_parallelism
from sktransfer.compute._plan import RowPlan
from sktransfer.modalities import Modality

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone


@dataclass(frozen=True)
class FeatureExtractor:
    """Everything that decides the features of a row.

    Parameters
    ----------
    modality : Modality
        How the cells are read.
    backbone : Backbone
        Computes the features.
    layer : str or int
        "pooled", or the name or index of a stage.
    pooling : str
        How a stage's output becomes one vector.
    device : torch.device
        Device of the network.
    precision : {"float32", "bfloat16"}
        Precision of the forward pass.
    """

    modality: Modality
    backbone: Backbone
    layer: str | int
    pooling: str
    device: torch.device
    precision: str

    @property
    def engine(self) -> str:
        """Name and version of what computes."""
        return _runtime.engine(self.device)

    @property
    def space(self) -> bytes:
        """Key under which the cache stores these features."""
        return space_key(
            fingerprint=self.backbone.fingerprint,
            recipe=repr(self.modality.recipe(self.backbone)),
            layer=self.backbone.resolve(self.layer),
            pooling=self.pooling,
            precision=self.precision,
            engine=self.engine,
            library=self.backbone.library,
            preparation=self.modality.preparation(),
        )

    @property
    def width(self) -> int:
        """Length of a row."""
        recipe = self.modality.recipe(self.backbone)
        return self.backbone.width(self.layer, self.pooling, recipe)

    def plan(self, cache: FeatureCache, digests: Sequence[bytes | None]) -> RowPlan:
        """Return which rows of a column are in a cache, and which are to be computed."""
        return RowPlan(cache, self.space, digests, self.width)

    def parallelism(self, batch_size: int | str) -> int:
        """Return the number of batches to compute in parallel."""
        # A batch size that the user names may have its reason, such as memory.
        is_free = batch_size == "auto" and not self.backbone.of_user
        return best_parallelism() if is_free and self.device.type == "cpu" else 1

    def ready(self, plan: RowPlan) -> FeatureExtractor:
        """Return the extractor that will compute the rows of a plan: this one, or torch for it."""
        return self

    def features(self, inputs: Any) -> np.ndarray:
        """Return one vector per row, float32."""
        with _runtime.inference(self.device, self.precision):
            features = self.backbone.extract(inputs, layer=self.layer, pooling=self.pooling)
        return features.cpu().numpy()
