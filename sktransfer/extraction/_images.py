"""How a column of images is read and prepared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np

from sktransfer.cache import FeatureCache
from sktransfer.cells import (
    MAX_PIXELS,
    Column,
    Geometry,
    as_column,
    digest_images,
    load_pixels,
)
from sktransfer.exceptions import BadCellError
from sktransfer.extraction._batches import CPU_IMAGES, GPU_IMAGES, equal_batches, prepared
from sktransfer.extraction._failures import Failures
from sktransfer.extraction._reader import Batch, Reader, Reading

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone, ImageRecipe


@dataclass(frozen=True)
class ImageReader(Reader):
    """Images, from every kind of cell that holds one.

    Parameters
    ----------
    image_size : int or tuple of int, optional
        What the network sees, in pixels; None for the recipe's own size.
    image_shape : tuple of int, optional
        (H, W) or (H, W, C) of flattened rows.
    batch_size : int or "auto"
        Images that go through the network together.
    max_pixels : int or None
        Most pixels of an image that is decoded.
    """

    modality: ClassVar[Literal["image", "text"]] = "image"
    preparation: ClassVar[str] = "pillow"

    image_size: int | tuple[int, int] | None = None
    image_shape: tuple[int, ...] | None = None
    batch_size: int | str = "auto"
    max_pixels: int | None = MAX_PIXELS

    def column(self, X: Any) -> Column:
        """Read a container as one column of images."""
        shape = None if self.image_shape is None else tuple(self.image_shape)
        return as_column(X, kind="image", image_shape=shape)

    def recipe(self, backbone: Backbone) -> ImageRecipe:
        """Return the backbone's recipe at this size."""
        return cast("ImageRecipe", backbone.recipe).at(self.image_size)

    def width(self, backbone: Backbone, layer: str | int, pooling: str) -> int:
        """Return the length of the vectors that a layer gives for images of this size."""
        return backbone.width(layer, pooling, self.recipe(backbone).size)

    def read(self, column: Column, cache: FeatureCache, failures: Failures) -> Reading:
        """Digest every image; nothing is decoded."""
        digests = digest_images(column.cells, memo=cache, max_pixels=self.max_pixels)
        return Reading(column.cells, failures.sift(digests))

    def prepare(
        self, reading: Reading, rows: Sequence[int], backbone: Backbone, failures: Failures
    ) -> Batch:
        """Decode images to an array (n, H, W, 3)."""
        recipe = self.recipe(backbone)
        geometry = Geometry(recipe.resize, recipe.size, recipe.interpolation)
        pixels: dict[int, np.ndarray] = {}
        for row in rows:
            try:
                pixels[row] = load_pixels(
                    reading.cells[row],
                    geometry,
                    digest=reading.digests[row],
                    max_pixels=self.max_pixels,
                )
            except BadCellError as error:
                failures.add(row, error)
        return list(pixels), _stack(list(pixels.values()))

    def batches(
        self,
        reading: Reading,
        rows: Sequence[int],
        backbone: Backbone,
        on_cpu: bool,
        failures: Failures,
    ) -> Iterator[Batch]:
        """Decode equal batches in threads."""
        size = self.batch_size
        if size == "auto":
            size = CPU_IMAGES if on_cpu else GPU_IMAGES

        def decode(batch: Sequence[int]) -> Batch:
            return self.prepare(reading, batch, backbone, failures)

        for batch in prepared(decode, equal_batches(rows, int(size))):
            if len(batch[0]):
                yield batch

    def inputs(self, batch: np.ndarray, backbone: Backbone, device: torch.device) -> Any:
        """Scale pixels as the recipe says: a tensor (n, 3, H, W)."""
        import torch

        return self.recipe(backbone).scale(torch.from_numpy(batch).to(device))


def _stack(images: list[np.ndarray]) -> np.ndarray:
    """Stack pixels; where one image is float, the others become what the recipe would make."""
    if not images:
        return np.empty(0)
    if any(image.dtype != np.uint8 for image in images):
        as_float = [i / np.float32(255) if i.dtype == np.uint8 else i for i in images]
        return np.stack(as_float)
    return np.stack(images)
