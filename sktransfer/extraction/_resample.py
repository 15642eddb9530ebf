"""A faster way to resize images than Pillow's."""

from __future__ import annotations

import numpy as np


def resample(pixels: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resize with torch: several times faster than Pillow, and within a grey level or two of it.

    Parameters
    ----------
    pixels : ndarray of shape (H, W, 3), uint8
    size : tuple of int
        Height and width.
    interpolation : {"bilinear", "bicubic"}
        Both antialias.

    Returns
    -------
    ndarray of shape (*size, 3), uint8
    """
    import torch

    # Seen as (1, 3, H, W) and still stored as (1, H, W, 3): torch has its fast kernel for that,
    # and gives the same back, but only where the stride of the one image fits too. Here it does.
    planes = torch.from_numpy(pixels).unsqueeze(0).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(planes, size, mode=interpolation, antialias=True)
    return resized.permute(0, 2, 3, 1).squeeze(0).numpy()
