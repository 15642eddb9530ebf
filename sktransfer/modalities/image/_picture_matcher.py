"""Whether two pictures are copies: mirrored, cropped a little, rescaled or encoded anew."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sktransfer.modalities.image._decode import decode_image
from sktransfer.modalities.image._geometry import Geometry
from sktransfer.modalities.image._window import Window

# Side of a sketch; pictures are compared by the means of 8 x 8 parts, and aligned by 16 x 16.
_SIDE, _COARSE, _FINE = 32, 8, 16
_GEOMETRY = Geometry((_SIDE, _SIDE), (_SIDE, _SIDE), "bicubic")
# Margins that may have been cropped, as shares of a side, and those that are tried at first.
_MARGINS, _FIRST = np.linspace(0, 0.1, 11), (0, 5, 10)
# Pictures that differ more at the first margins are not aligned: root mean square, of 255.
_HOPELESS = 20
# Where two pictures have a smaller range of grey, their difference counts more, up to no match.
_FAINT = 48
_PAIRS = 100


class PictureMatcher:
    """Compares pictures by their sketches: 32 x 32 pixels, whatever their shape.

    The similarity of two pictures is 1 minus the largest difference of the mean colour of an 8 x 8
    part, as a share of the range of colours, of the best of these alignments: one of them mirrored
    or not, and up to 10 % of each side of one of them left out.

    Attributes
    ----------
    threshold : float
        Similarity from which pictures are copies by default.
    """

    threshold: ClassVar[float] = 0.935

    def __init__(self, max_pixels: int | None, window: Window | None) -> None:
        self._limits = {"max_pixels": max_pixels, "window": window}

    def sketch(self, cell: object) -> np.ndarray:
        """Return the sketch of a cell, uint8 (32, 32, 3), or raise `BadCellError`."""
        pixels = decode_image(cell, _GEOMETRY, **self._limits)  # type: ignore[arg-type]
        if pixels.dtype != np.uint8:
            pixels = np.rint(255 * pixels.clip(0, 1)).astype(np.uint8)
        return pixels

    @staticmethod
    def vectors(sketches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return vectors of sketches, and of their mirror images; those of copies are near."""
        return _grey_parts(sketches), _grey_parts(sketches[:, :, ::-1])

    @staticmethod
    def compare(sketches: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the similarity of each pair of sketches, and how it was found."""
        similarity = np.zeros(len(sketches), dtype=np.float32)
        is_mirrored = np.zeros(len(sketches), dtype=bool)
        for start in range(0, len(sketches), _PAIRS):
            part = slice(start, start + _PAIRS)
            similarity[part], is_mirrored[part] = _compared(sketches[part], others[part])
        return similarity, np.where(is_mirrored, "mirrored", "near")


def _compared(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grey, mirrored = _grey_parts(a), b[:, :, ::-1]
    plain, turned = ((grey * _grey_parts(other)).sum(axis=1) for other in (b, mirrored))
    is_mirrored = turned > plain + 1e-6
    a = a.astype(np.float32)
    b = np.where(is_mirrored[:, None, None, None], mirrored, b).astype(np.float32)
    difference = np.minimum(_difference(a, b), _difference(b, a))
    contrast = np.minimum(
        *(np.ptp(_cut(x, None, _COARSE), axis=(1, 2)).max(axis=1) for x in (a, b))
    )
    faint = _FAINT / np.clip(contrast, 1e-6, _FAINT)
    return np.where(contrast > 1, 1 - np.minimum(difference * faint, 255) / 255, 0), is_mirrored


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the largest difference of a part of each `a` and of the best crop of each `b`."""
    # Grey is enough to align most pairs, or to see that they differ.
    margins, error = _first_margins(_grey(a), _grey(b))
    found = np.full(len(a), 255, dtype=np.float32)
    rows = np.flatnonzero(error < _HOPELESS**2)
    if len(rows):
        margins = _refined(_cut(a[rows], None, _FINE), b[rows], margins[rows])
        parts = _cut(a[rows], None, _COARSE) - _cut(b[rows], margins, _COARSE)
        found[rows] = np.abs(parts).max(axis=(1, 2, 3))
    return found


def _first_margins(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the best of a few margins (n, 4) of each grey `b`, and its mean squared error."""
    pairs = np.array([(i, j) for i in _FIRST for j in _FIRST])
    weights = _WEIGHTS[_COARSE][pairs[:, 0], pairs[:, 1]].reshape(-1, _SIDE)
    crops = weights @ b[..., 0] @ weights.T
    crops = crops.reshape(len(b), len(pairs), _COARSE, len(pairs), _COARSE)
    crops -= _cut(a, None, _COARSE)[..., 0][:, None, :, None]
    errors = np.einsum("npkql,npkql->npq", crops, crops).reshape(len(b), -1) / _COARSE**2
    best = errors.argmin(axis=1)
    margins = np.concatenate([pairs[best // len(pairs)], pairs[best % len(pairs)]], axis=1)
    return margins, errors.min(axis=1)


def _refined(parts: np.ndarray, b: np.ndarray, margins: np.ndarray) -> np.ndarray:
    """Return margins near the given ones with the least squared error, one axis at a time."""
    moves = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    weights, rows, margins = _WEIGHTS[_FINE], np.arange(len(b)), margins.copy()
    # The axis whose margins stay is averaged first, once for all moves of the other.
    pictures = {0: b, 2: b.swapaxes(1, 2)}
    wanted = {0: parts, 2: parts.swapaxes(1, 2)}
    for step in (2, 1):
        for axis, other in ((0, 2), (2, 0)) * 2:
            across = pictures[other].reshape(len(b), _SIDE, -1)
            across = weights[margins[:, other], margins[:, other + 1]] @ across
            across = across.reshape(len(b), _FINE, _SIDE, -1).swapaxes(1, 2)
            tried = (margins[:, None, axis : axis + 2] + step * moves).clip(0, len(_MARGINS) - 1)
            crops = weights[tried[..., 0], tried[..., 1]] @ across.reshape(len(b), 1, _SIDE, -1)
            crops -= wanted[axis].reshape(len(b), 1, _FINE, -1)
            errors = np.einsum("nmij,nmij->nm", crops, crops)
            margins[:, axis : axis + 2] = tried[rows, errors.argmin(axis=1)]
    return margins


def _grey(pictures: np.ndarray) -> np.ndarray:
    """Return the means of the colours, of shape (n, height, width, 1)."""
    grey: np.ndarray = pictures @ np.full((3, 1), 1 / 3, dtype=np.float32)
    return grey


def _cut(pictures: np.ndarray, margins: np.ndarray | None, cells: int) -> np.ndarray:
    """Return the mean colours of cells x cells parts of pictures without margins (n, 4)."""
    weights = _WEIGHTS[cells]
    if margins is None:
        return np.einsum("ky,nyxc,lx->nklc", weights[0, 0], pictures, weights[0, 0], optimize=True)
    tall = weights[margins[:, 0], margins[:, 1]] @ pictures.reshape(len(pictures), _SIDE, -1)
    tall = tall.reshape(len(pictures), cells, _SIDE, -1)
    return weights[margins[:, 2], margins[:, 3]][:, None] @ tall


def _grey_parts(sketches: np.ndarray) -> np.ndarray:
    """Return the mean greys of 8 x 8 parts without their mean, at unit length (n, 64)."""
    greys = _cut(sketches.astype(np.float32), None, _COARSE).mean(axis=3).reshape(len(sketches), -1)
    greys -= greys.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(greys, axis=1, keepdims=True)
    return np.where(lengths > 1, greys / np.maximum(lengths, 1), 0).astype(np.float32)


def _averages(cells: int) -> np.ndarray:
    """Return matrices (cells, 32) that average the parts between each two margins."""
    start, stop = _MARGINS[:, None, None] * _SIDE, (1 - _MARGINS[None, :, None]) * _SIDE
    edges = start + (stop - start) * np.linspace(0, 1, cells + 1)
    pixel = np.arange(_SIDE)
    inside = np.minimum(edges[..., 1:, None], pixel + 1) - np.maximum(edges[..., :-1, None], pixel)
    weights = inside.clip(0)
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)


_WEIGHTS = {cells: _averages(cells) for cells in (_COARSE, _FINE)}
