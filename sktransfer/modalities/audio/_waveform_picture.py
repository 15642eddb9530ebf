"""Small pictures of sounds."""

from __future__ import annotations

import numpy as np

from sktransfer.modalities.audio._decode_audio import decode_audio

# Enough for an outline, and fast to resample to.
_RATE = 8_000
# Height of a picture by its width.
_ASPECT = 0.5
_COLOUR, _PAPER = (31, 119, 180), 255


def waveform_picture(
    cell: object, width: int, sampling_rate: int | None, max_duration: float | None
) -> np.ndarray:
    """Return the outline of a waveform over time, the loudest sample at the edge.

    Parameters
    ----------
    cell : object
        See `decode_audio`.
    width : int
        Width of the picture in pixels; it is half as high.
    sampling_rate, max_duration
        See `decode_audio`.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8

    Raises
    ------
    BadCellError
        If the sound cannot be decoded.
    """
    limits = {"sampling_rate": sampling_rate, "max_duration": max_duration}
    samples = np.abs(decode_audio(cell, _RATE, **limits).samples)  # type: ignore[arg-type]
    samples = samples if len(samples) else np.zeros(1, np.float32)
    starts = np.linspace(0, len(samples), width, endpoint=False).astype(int)
    peaks = np.maximum.reduceat(samples, starts) / max(float(samples.max()), 1e-9)
    height = max(1, round(_ASPECT * width))
    middle = (height - 1) / 2
    is_inside = np.abs(np.arange(height) - middle)[:, None] <= np.maximum(0.5, peaks * middle)
    picture = np.full((height, width, 3), _PAPER, dtype=np.uint8)
    picture[is_inside] = _COLOUR
    return picture
