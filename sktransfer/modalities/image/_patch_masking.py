"""Patches of images hidden at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sktransfer.modalities._modality import Augmentation
from sktransfer.modalities.image._planes import stack_pixels


def patch_masking(
    fraction: float, grid: tuple[int, int], size: tuple[int, int], fill: Sequence[float]
) -> Augmentation:
    """Return what hides this share of the patches of each image: at least one, and not all.

    Parameters
    ----------
    fraction : float
        Share to hide.
    grid : tuple of int
        Rows and columns of patches.
    size : tuple of int
        Height and width of the images in pixels.
    fill : sequence of float
        Colour in [0, 1] to hide them with.

    Returns
    -------
    callable
        Its targets are which patches are hidden, (n, rows, columns), and the pixels of all
        patches, (n, rows, columns, pixels), with mean 0 and deviation 1 per patch.
    """
    n_patches = grid[0] * grid[1]
    n_hidden = min(max(1, round(fraction * n_patches)), n_patches - 1)

    def hide(items: list[np.ndarray], targets: Any) -> tuple[list[np.ndarray], Any]:
        import torch

        images = torch.from_numpy(stack_pixels(items))
        if images.shape[1:3] != size:
            raise ValueError(
                f"augment returned images of {tuple(images.shape[1:3])} pixels (height, width); "
                f"objective='masked' needs them in {size}, of which the network has patches. End "
                f"augment with torchvision.transforms.v2.Resize({size})."
            )
        if images.dtype == torch.uint8:
            images = images.float() / 255
        patches = _patches(images, grid)
        order = torch.rand(len(images), n_patches, dtype=torch.float32).argsort(1)
        hidden = (order < n_hidden).unflatten(1, grid)
        colour = torch.tensor(fill, dtype=images.dtype)
        visible = patches.where(~hidden[..., None, None, None], colour)
        pixels = patches.flatten(3)
        deviation, mean = torch.std_mean(pixels, dim=-1, keepdim=True)
        scaled = (pixels - mean) / (deviation.square() + 1e-6).sqrt()
        shown = visible.permute(0, 1, 3, 2, 4, 5).reshape(images.shape)
        return [*shown.numpy()], (hidden, scaled)

    return hide


def _patches(images: Any, grid: tuple[int, int]) -> Any:
    """Return images (n, H, W, 3) as patches (n, rows, columns, height, width, 3)."""
    n, height, width, channels = images.shape
    rows, columns = grid
    parts = images.reshape(n, rows, height // rows, columns, width // columns, channels)
    return parts.permute(0, 1, 3, 2, 4, 5)
