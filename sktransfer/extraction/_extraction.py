"""What a layer of a frozen network gives for the cells of a column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer import _runtime
from sktransfer.cache import space_key
from sktransfer.extraction._failures import Failures
from sktransfer.extraction._once import Computed
from sktransfer.extraction._portions import Portions
from sktransfer.extraction._reader import Batch, Batching, Due, Reader, Reading
from sktransfer.extraction._streams import best_streams, side_by_side

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
        preparation = self.reader.preparation
        return space_key(
            fingerprint=self.backbone.fingerprint,
            recipe=repr(self.reader.recipe(self.backbone)),
            layer=self.backbone.resolve(self.layer),
            pooling=self.pooling,
            precision=self.precision,
            engine=self.engine,
            library=self.backbone.library,
            preparation=f"{preparation} {_runtime.version_of(preparation)}",
        )

    def compute(
        self,
        reading: Reading,
        rows: Sequence[int],
        failures: Failures,
        advance: Callable[[int], None],
        due: Due | None = None,
    ) -> Iterator[Computed]:
        """Yield the features of these rows, in batches.

        Parameters
        ----------
        reading : Reading
            The cells.
        rows : sequence of int
            Which of them to compute.
        failures : Failures
            Hears of cells that cannot be prepared.
        advance : callable
            Hears how many more rows are done.
        due : callable, optional
            See `Batching`.
        """
        on_cpu = self.device.type == "cpu"
        portions = Portions()
        streams = self._streams

        def run(batch: Batch) -> Computed:
            return batch[0], portions.run(self._features, batch[1])

        batching = Batching(on_cpu, streams, _counted(due, advance) if due else None)
        # Closed also where an error is kept, which keeps all that was going on.
        with closing(
            self.reader.batches(reading, rows, self.backbone, failures, batching)
        ) as batches:
            for done, features in side_by_side(run, batches, streams):
                yield done, features
                advance(len(done))

    @property
    def _streams(self) -> int:
        """How many batches go through the network side by side."""
        # Who says how many rows go together has a reason, such as memory.
        is_free = self.reader.batch_size == "auto" and not self.backbone.of_user
        return best_streams() if is_free and self.device.type == "cpu" else 1

    def get_ready(self) -> Extraction:
        """Return what computes in the end: this one, or torch in its place."""
        return self

    def _features(self, batch: Any) -> np.ndarray:
        with _runtime.inference(self.device, self.precision):
            inputs = self.reader.inputs(batch, self.backbone, self.device)
            features = self.backbone.extract(inputs, layer=self.layer, pooling=self.pooling)
        return features.cpu().numpy()


def _counted(due: Due, advance: Callable[[int], None]) -> Due:
    """Let `advance` hear of rows that are left out."""

    def still_due(rows: Sequence[int]) -> Sequence[int]:
        left = due(rows)
        advance(len(rows) - len(left))
        return left

    return still_due
