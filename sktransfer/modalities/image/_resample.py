"""Resizing by torch, faster than by Pillow."""

from __future__ import annotations

import numpy as np


def resample(pixels: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resize with torch: several times faster than Pillow, equal to one or two grey levels.

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

    # A view (1, 3, H, W) of memory in the order (1, H, W, 3): torch has a fast kernel for that
    # order, and returns it, as long as the stride of the first axis fits too.
    planes = torch.from_numpy(pixels).unsqueeze(0).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(planes, size, mode=interpolation, antialias=True)
    return resized.permute(0, 2, 3, 1).squeeze(0).numpy()
