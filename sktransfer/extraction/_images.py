"""How a column of images is read and prepared."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Sequence
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
from sktransfer.extraction._ahead import ahead
from sktransfer.extraction._batches import CPU_IMAGES, GPU_IMAGES, equal_batches, even, mixed
from sktransfer.extraction._failures import Failures
from sktransfer.extraction._reader import Batch, Batching, Reader, Reading
from sktransfer.extraction._resample import resample

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone, ImageRecipe

#: A row, and its pixels; None for a bad cell.
_Decoded = tuple[int, np.ndarray | None]

# Limit on the pixels that go through a network at the same time on a CPU, as a bound on memory.
_MOST_PIXELS = 32 * 256 * 256
# Images of 96 pixels take 0.85 of the time per image in batches of 16 instead of 8.
_MOST_SMALL = 16


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
    exact : bool
        Whether images are resized exactly as Pillow does it.
    """

    modality: ClassVar[Literal["image", "text"]] = "image"
    preparation: ClassVar[str] = "pillow"

    image_size: int | tuple[int, int] | None = None
    image_shape: tuple[int, ...] | None = None
    batch_size: int | str = "auto"
    max_pixels: int | None = MAX_PIXELS
    exact: bool = True

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
        geometry = self._geometry(backbone)
        return _together([self._decoded(reading, row, geometry, failures) for row in rows])

    def batches(
        self,
        reading: Reading,
        rows: Sequence[int],
        backbone: Backbone,
        failures: Failures,
        batching: Batching,
    ) -> Generator[Batch]:
        """Decode in threads, image by image, and put as many together as are wanted."""
        size = even(self._batch_size(backbone, batching), len(rows), batching.streams)
        geometry = self._geometry(backbone)
        todo: Iterable[int] = rows
        if batching.due:
            todo = itertools.chain.from_iterable(
                map(batching.due, equal_batches(mixed(rows), size))
            )

        def decode(row: int) -> _Decoded:
            return self._decoded(reading, row, geometry, failures)

        batch: list[_Decoded] = []
        for image in ahead(decode, todo, by=2 * size):
            if image[1] is not None:
                batch.append(image)
            if len(batch) == size:
                yield _together(batch)
                batch = []
        if batch:
            yield _together(batch)

    def _batch_size(self, backbone: Backbone, batching: Batching) -> int:
        if self.batch_size != "auto":
            return int(self.batch_size)
        if not batching.on_cpu:
            return GPU_IMAGES
        height, width = self.recipe(backbone).size
        size = max(CPU_IMAGES, min(_MOST_SMALL, CPU_IMAGES * 224**2 // (height * width)))
        return min(size, max(1, _MOST_PIXELS // (height * width * batching.streams)))

    def _geometry(self, backbone: Backbone) -> Geometry:
        recipe = self.recipe(backbone)
        way = None if self.exact else resample
        return Geometry(recipe.resize, recipe.size, recipe.interpolation, way)

    def _decoded(
        self, reading: Reading, row: int, geometry: Geometry, failures: Failures
    ) -> _Decoded:
        cell, digest = reading.cells[row], reading.digests[row]
        try:
            return row, load_pixels(cell, geometry, digest=digest, max_pixels=self.max_pixels)
        except BadCellError as error:
            failures.add(row, error)
            return row, None

    def inputs(self, batch: np.ndarray, backbone: Backbone, device: torch.device) -> Any:
        """Scale pixels as the recipe says: a tensor (n, 3, H, W)."""
        import torch

        return self.recipe(backbone).scale(torch.from_numpy(batch).to(device))


def _together(decoded: Sequence[_Decoded]) -> Batch:
    good = {row: pixels for row, pixels in decoded if pixels is not None}
    return list(good), _stack(list(good.values()))


def _stack(images: list[np.ndarray]) -> np.ndarray:
    """Stack pixels; where one image is float, the others become what the recipe would make."""
    if not images:
        return np.empty(0)
    if any(image.dtype != np.uint8 for image in images):
        as_float = [i / np.float32(255) if i.dtype == np.uint8 else i for i in images]
        return np.stack(as_float)
    return np.stack(images)
