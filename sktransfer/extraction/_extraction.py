"""What a layer of a frozen network gives for the cells of a column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer import _runtime
from sktransfer.cache import space_key
from sktransfer.extraction._failures import Failures
from sktransfer.extraction._once import Computed
from sktransfer.extraction._portions import Portions
from sktransfer.extraction._reader import Reader, Reading

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone


@dataclass(frozen=True)
class Extraction:
    """Everything that decides what a row's features are.

    Parameters
    ----------
    reader : Reader
        Prepares the cells.
    backbone : Backbone
        Computes the features.
    layer : str or int
        "pooled", or the name or index of a stage.
    pooling : str
        How a stage's output becomes one vector.
    device : torch.device
        Where it computes.
    precision : {"float32", "bfloat16"}
        How precisely.
    """

    reader: Reader
    backbone: Backbone
    layer: str | int
    pooling: str
    device: torch.device
    precision: str

    @property
    def engine(self) -> str:
        """What computes, with its version."""
        return _runtime.engine(self.device)

    @property
    def space(self) -> bytes:
        """The key under which the cache keeps such rows."""
        return space_key(
            fingerprint=self.backbone.fingerprint,
            recipe=repr(self.reader.recipe(self.backbone)),
            layer=self.backbone.resolve(self.layer),
            pooling=self.pooling,
            precision=self.precision,
            engine=self.engine,
            library=self.backbone.library,
            preparation=f"{self.reader.preparation} {version(self.reader.preparation)}",
        )

    def compute(
        self,
        reading: Reading,
        rows: Sequence[int],
        failures: Failures,
        advance: Callable[[int], None],
    ) -> Iterator[Computed]:
        """Yield the features of these rows, in batches; `advance` hears how many are done."""
        on_cpu = self.device.type == "cpu"
        portions = Portions()
        for done, batch in self.reader.batches(reading, rows, self.backbone, on_cpu, failures):
            yield done, portions.run(self._features, batch)
            advance(len(done))

    def get_ready(self) -> Extraction:
        """Return what computes in the end: this one, or torch in its place."""
        return self

    def _features(self, batch: Any) -> np.ndarray:
        with _runtime.inference(self.device, self.precision):
            inputs = self.reader.inputs(batch, self.backbone, self.device)
            features = self.backbone.extract(inputs, layer=self.layer, pooling=self.pooling)
        return features.cpu().numpy()
