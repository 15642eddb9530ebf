"""Random changes of images that leave what they show, from torchvision."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torchvision.transforms import v2

#: Strengths of `image_transform`, the weaker one first.
STRENGTHS = ("light", "standard")


def image_transform(strength: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a transform of one image (3, H, W), uint8 or float in [0, 1], of any size.

    Parameters
    ----------
    strength : {"light", "standard"}
        "light" mirrors, and moves by up to a tenth; "standard" mirrors, cuts out half of the
        image at least, and changes brightness, contrast and saturation by up to 40 %.
    """
    mirrored = v2.RandomHorizontalFlip()
    if strength == "light":
        return v2.Compose([mirrored, v2.RandomAffine(0, translate=(0.1, 0.1), fill=0)])
    return v2.Compose([mirrored, _Cut(), v2.ColorJitter(0.4, 0.4, 0.4)])


class _Cut(torch.nn.Module):
    """A random part of an image, brought back to its size."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return an image of the same size."""
        height, width = image.shape[-2:]
        return v2.RandomResizedCrop((height, width), scale=(0.5, 1.0), antialias=True)(image)
