"""What is done to prepared cells of training rows, in each epoch anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: From a prepared batch to another of as many rows.
Change = Callable[[Any], Any]

# Special tokens stand at both ends of a text; between them, this share is left out.
_TOKENS_LEFT_OUT = 0.1


def image_augmentation(augment: Any) -> Change | None:
    """Return what is done to arrays (n, H, W, 3) for a value of the parameter `augment`."""
    if augment is None:
        return None
    import torch

    from sktransfer.backbones.torchvision import image_transform

    transform = image_transform(augment) if isinstance(augment, str) else augment

    def change(batch: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(batch).permute(0, 3, 1, 2)
        changed = _together([transform(image) for image in images])
        return changed.permute(0, 2, 3, 1).contiguous().numpy()

    return change


def _together(images: list[Any]) -> Any:
    import torch

    shapes = sorted({str(tuple(getattr(image, "shape", ()))) for image in images})
    if len(shapes) > 1 or not isinstance(images[0], torch.Tensor):
        raise ValueError(
            "augment must make of each image of a batch a tensor of one shape, and it has made a "
            f"{type(images[0]).__name__}, in the shapes {', '.join(shapes)}. End it with a "
            "torchvision.transforms.v2.Resize or RandomResizedCrop to one size."
        )
    together = torch.stack(images)
    if together.ndim == 4 and together.shape[1] == 1:  # as Grayscale leaves it
        together = together.expand(-1, 3, -1, -1)
    return together


def text_augmentation(augment: str | None) -> Change | None:
    """Return what is done to lists of token numbers for a value of the parameter `augment`."""
    if augment is None:
        return None
    import torch

    def change(batch: list[list[int]]) -> list[list[int]]:
        return [_thinned(tokens, torch.rand(len(tokens)).tolist()) for tokens in batch]

    return change


def _thinned(tokens: list[int], chances: list[float]) -> list[int]:
    inner = zip(tokens[1:-1], chances, strict=False)
    kept = [token for token, chance in inner if chance >= _TOKENS_LEFT_OUT]
    return [*tokens[:1], *(kept or tokens[1:-1]), *tokens[1:][-1:]]
