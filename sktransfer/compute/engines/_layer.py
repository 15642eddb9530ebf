"""One layer of one network, pooled, for an engine to run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sktransfer.cache import space_key
from sktransfer.compute.engines._names import OPENVINO, engine_name
from sktransfer.modalities import Modality, Recipe, modality_of

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone

# Of converted networks on disk. Raise it when older files must not be read any more.
_FORMAT = 2


@dataclass(frozen=True)
class ConvertedLayer:
    """One layer of one network, pooled, for OpenVINO to run.

    Parameters
    ----------
    backbone : Backbone
        The network.
    layer : str or int
        "pooled", or the name or index of a stage.
    pooling : str
        How a stage's output becomes one vector.
    recipe : Recipe
        By which cells are prepared.
    precision : {"float32", "bfloat16"}
        Precision of the forward pass.
    device : torch.device
        The CPU.
    folder : Path, optional
        Where converted networks are kept, the folder of the cache; None to keep none.
    """

    backbone: Backbone
    layer: str | int
    pooling: str
    recipe: Recipe
    precision: str
    device: torch.device
    folder: Path | None = None

    @cached_property
    def name(self) -> str:
        """Key of the converted network, the same for any precision."""
        return space_key(
            format=_FORMAT,
            fingerprint=self.backbone.fingerprint,
            layer=self.backbone.resolve(self.layer),
            pooling=self.pooling,
            shape=repr(self.recipe.input_shape()),
            engine=engine_name(OPENVINO, self.device),
            library=self.backbone.library,
        ).hex()

    @property
    def modality(self) -> type[Modality]:
        """Of the cells."""
        return modality_of(self.backbone.modality)

    def examples(self) -> Any:
        """Return network inputs of two, three and one rows, of variable length with padding."""
        return self.recipe.examples(self.backbone.processor)

    def compute(self, *tensors: torch.Tensor) -> torch.Tensor:
        """Return features (n, d), by torch, from what `Modality.to_plain` gives."""
        inputs = self.modality.from_plain(*tensors)
        return self.backbone.extract(inputs, layer=self.layer, pooling=self.pooling)
