"""Windows of an image, covered one by one with its mean colour."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from sktransfer.modalities._parts import WEIGHT_COLOURS, Part, Parts, Weighted, png_uri
from sktransfer.modalities.image._window import scaled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Windows are so many cells of a grid long and wide, and overlap by all but one. On collages, the
# weights of wider windows pointed better than those of single cells; see `benchmarks.explaining`.
_CELLS = 3
# More windows did not point better.
_MOST_WINDOWS = 36
# A larger image is shrunk before it is covered, to so many times the size of the network.
_DETAIL = 2
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
# Longest side of a picture in HTML.
_SHOWN = 320


class ImageParts(Parts):
    """The windows of an image.

    Parameters
    ----------
    pixels : ndarray of shape (H, W) or (H, W, C)
        The image, in any form of an image cell.
    size : tuple of int
        Height and width of the image before it was shrunk.
    keeps_form : bool
        Whether the pixels are the cell as it is given.
    """

    def __init__(self, pixels: np.ndarray, size: tuple[int, int], keeps_form: bool = False) -> None:
        self._pixels, self._size, self.keeps_form = pixels, size, keeps_form
        self.whole = (0, pixels.shape[0], 0, pixels.shape[1])
        self._mean = pixels.mean(axis=(0, 1))
        if pixels.dtype.kind in "uib":
            self._mean = np.round(self._mean)

    def split(self, part: Part, most: int) -> list[Part]:
        """Return overlapping windows over the whole image, about as high as wide."""
        if part != self.whole:
            return []
        height, width = self._pixels.shape[:2]
        rows, columns = _grid(height, width, min(most, _MOST_WINDOWS))
        return [
            (*rows_, *columns_)
            for rows_ in _windows(height, rows)
            for columns_ in _windows(width, columns)
        ]

    def without(self, part: Part | None) -> np.ndarray:
        """Return the image with a window of its mean colour."""
        pixels = self._pixels.copy()
        if part is not None:
            pixels[part[0] : part[1], part[2] : part[3]] = self._mean
        return pixels

    def weighted(self, parts: Sequence[Part], weights: Sequence[float]) -> HeatMap:
        """Return the image with weights of its pixels: the mean of finite ones of windows there."""
        total = np.zeros(self._pixels.shape[:2], dtype=np.float32)
        count = np.zeros_like(total)
        for (top, bottom, left, right), weight in zip(parts, weights, strict=True):
            if np.isfinite(weight):
                total[top:bottom, left:right] += weight
                count[top:bottom, left:right] += 1
        return HeatMap(self._pixels, total / count.clip(min=1), self._size)


class HeatMap(Weighted):
    """An image with weights of its pixels.

    ``np.asarray(heat_map)`` is the array (H, W) of weights at the image's own size, float32.

    Attributes
    ----------
    pixels : ndarray of shape (h, w) or (h, w, C)
        The image, smaller if it is large.
    weights : ndarray of shape (h, w), float32
        Weights of these pixels.
    shape : tuple of int
        Height and width of the image.
    """

    def __init__(self, pixels: np.ndarray, weights: np.ndarray, shape: tuple[int, int]) -> None:
        self.pixels, self.weights, self.shape = pixels, weights, shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        places = [
            np.arange(own) * shown // own
            for own, shown in zip(self.shape, self.weights.shape, strict=True)
        ]
        return self.weights[np.ix_(*places)].astype(dtype or np.float32, copy=False)

    @property
    def largest(self) -> float:
        """Largest absolute weight."""
        return float(np.abs(self.weights).max())

    def entries(self) -> list[tuple[str, float]]:
        """Return nothing: pixels have no names."""
        return []

    def describe(self) -> str:
        """Return where the largest weight is."""
        largest = np.argwhere(self.weights == self.weights.max()).mean(axis=0)
        row, column = (
            int(3 * (at + 0.5) / n) for at, n in zip(largest, self.weights.shape, strict=True)
        )
        name = f"{_ROWS[row]} {_COLUMNS[column]}".replace("middle centre", "centre")
        return f"{name} {self.weights.max():+.3f}"

    def draw(self, ax: Axes, limit: float) -> None:
        """Draw the image in grey under the colours of its pixels."""
        ax.imshow(self.painted(limit))
        ax.set_axis_off()

    def painted(self, limit: float) -> np.ndarray:
        """Return a pale grey image in the colours of its weights, uint8 (h, w, 3)."""
        import matplotlib as mpl

        scaled = 0.5 + 0.5 * np.clip(self.weights / limit, -1, 1)
        colours = mpl.colormaps[WEIGHT_COLOURS](scaled)[..., :3]
        grey = 0.35 + 0.65 * _rgb(self.pixels).mean(axis=2, keepdims=True) / 255
        return np.round(255 * grey * colours).astype(np.uint8)

    def to_html(self, limit: float) -> str:
        """Return the image, and beside it the same in the colours of its weights."""
        return _img(_rgb(self.pixels), "the image") + _img(self.painted(limit), "its weights")


def _grid(height: int, width: int, most: int) -> tuple[int, int]:
    """Return rows and columns of windows of about the same side, at most so many."""
    columns = max(1, min(most, width, round(math.sqrt(most * width / height))))
    return max(1, min(height, most // columns)), columns


def _windows(length: int, count: int) -> list[tuple[int, int]]:
    edges = np.linspace(0, length, count + _CELLS).round().astype(int).tolist()
    return [(edges[at], max(edges[at] + 1, edges[at + _CELLS])) for at in range(count)]


def shrunk(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image that is `_DETAIL` to twice as many times larger than a size, or itself."""
    factor = min(pixels.shape[:2]) // (_DETAIL * max(size))
    if factor < 2:
        return pixels
    height, width = (side // factor * factor for side in pixels.shape[:2])
    blocks = pixels[:height, :width].reshape(
        height // factor, factor, width // factor, factor, *pixels.shape[2:]
    )
    means = blocks.mean(axis=(1, 3), dtype=np.float32)
    return (means.round() if pixels.dtype.kind in "ui" else means).astype(pixels.dtype)


def _rgb(pixels: np.ndarray) -> np.ndarray:
    """Return the pixels of any image as uint8 (H, W, 3)."""
    if pixels.dtype != np.uint8:
        low, high = min(0, pixels.min()), max(1, pixels.max())
        pixels = np.round(255 * scaled(pixels, low, high)).astype(np.uint8)
    return np.broadcast_to(pixels.reshape(*pixels.shape[:2], -1), (*pixels.shape[:2], 3))


def _img(pixels: np.ndarray, alt: str) -> str:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    scale = _SHOWN / max(picture.size)
    size = [max(1, round(side * scale)) for side in picture.size]
    way = Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.NEAREST
    file = io.BytesIO()
    picture.resize(size, way).save(file, "png")
    source = png_uri(file.getvalue())
    return f'<img alt="{alt}" src="{source}" style="max-width:48%;margin:2px">'
