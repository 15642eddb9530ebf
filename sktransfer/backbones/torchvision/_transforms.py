"""Random augmentations of images by torchvision that keep what an image shows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torchvision.transforms import v2


def image_transform(strength: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a random transform of one image (3, H, W), uint8 or float in [0, 1], of any size.

    Parameters
    ----------
    strength : {"light", "standard"}
        "light" flips horizontally and translates by up to a tenth; "standard" flips, crops at
        least half of the image, and changes brightness, contrast and saturation by up to 40 %.
    """
    flip = v2.RandomHorizontalFlip()
    if strength == "light":
        return v2.Compose([flip, v2.RandomAffine(0, translate=(0.1, 0.1), fill=0)])
    return v2.Compose([flip, _Crop(), v2.ColorJitter(0.4, 0.4, 0.4)])


class _Crop(torch.nn.Module):
    """A random part of an image, resized to the image's own size."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return an image of the same size."""
        height, width = image.shape[-2:]
        return v2.RandomResizedCrop((height, width), scale=(0.5, 1.0), antialias=True)(image)
