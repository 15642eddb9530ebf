"""From the cells of a column to what a network takes: what images and texts have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sktransfer.cache import FeatureCache
from sktransfer.cells import Column, as_column
from sktransfer.extraction._failures import Failures

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone, ImageRecipe, TextRecipe

#: Positions of some rows in their column, and what the reader prepared of them.
Batch = tuple[Sequence[int], Any]

#: From some rows to those of them that are to be computed still.
Due = Callable[[Sequence[int]], Sequence[int]]


@dataclass(frozen=True)
class Batching:
    """How rows are put together.

    Parameters
    ----------
    on_cpu : bool
        Whether a CPU computes them.
    streams : int
        How many batches are computed side by side.
    due : callable, optional
        Where other jobs may compute the same rows: from some rows to those that none of them has
        computed meanwhile. Rows come in a random order then, since jobs that began together
        would otherwise go through the same ones side by side.
    """

    on_cpu: bool = True
    streams: int = 1
    due: Due | None = None


@dataclass(frozen=True)
class Reading:
    """The cells of a column in the form that a reader prepares them from, and their digests."""

    cells: Sequence[Any]
    #: None for a cell that is not to be computed.
    digests: Sequence[bytes | None]


class Reader(ABC):
    """How the cells of one modality are read, digested, prepared and handed to a network."""

    modality: ClassVar[Literal["image", "text"]]
    #: The package that prepares the cells: another version of it may give other numbers.
    preparation: ClassVar[str]

    #: Cells that go through the network together, or "auto".
    batch_size: int | str

    def column(self, X: Any) -> Column:
        """Read a container as one column of cells."""
        return as_column(X, kind=self.modality)

    @abstractmethod
    def recipe(self, backbone: Backbone) -> ImageRecipe | TextRecipe:
        """Return the backbone's recipe with this reader's parameters in it."""

    def width(self, backbone: Backbone, layer: str | int, pooling: str) -> int:
        """Return the length of the vectors that a layer gives for such cells."""
        return backbone.width(layer, pooling)

    @abstractmethod
    def read(self, column: Column, cache: FeatureCache, failures: Failures) -> Reading:
        """Look at every cell without preparing anything of it."""

    @abstractmethod
    def prepare(
        self, reading: Reading, rows: Sequence[int], backbone: Backbone, failures: Failures
    ) -> Batch:
        """Prepare these rows together; a cell that fails is told of and left out."""

    @abstractmethod
    def batches(
        self,
        reading: Reading,
        rows: Sequence[int],
        backbone: Backbone,
        failures: Failures,
        batching: Batching,
    ) -> Generator[Batch]:
        """Put rows together as suits the network, and prepare them ahead of it."""

    @abstractmethod
    def inputs(self, batch: Any, backbone: Backbone, device: torch.device) -> Any:
        """Bring a prepared batch to the device, as the network takes it."""
