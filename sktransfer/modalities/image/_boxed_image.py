"""Whole images whose boxes are moved with them by augmentation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sktransfer.modalities._modality import IGNORED, Augmentation
from sktransfer.modalities.image._image_augmentation import as_pixels
from sktransfer.modalities.image._paired_augmentation import paired_augmentation, transformed
from sktransfer.modalities.image._whole_image import WholeImageModality

if TYPE_CHECKING:
    import numpy as np
    import torch

# Boxes of which augmentation leaves less than this many pixels a side are no longer learned.
_LEAST_SIDE = 2


def box_augmentation(augment: Any) -> Augmentation | None:
    """Return the augmentation of arrays (H, W, 3), and of their boxes, that `augment` names.

    Parameters
    ----------
    augment : None, "light", "standard" or callable
        As for images; a callable is given an image and its boxes, as ``torchvision.tv_tensors``,
        and must return both.
    """
    return paired_augmentation(augment, _changed)


@dataclass(frozen=True)
class BoxedImageModality(WholeImageModality):
    """Images whose targets are boxes."""

    augmentation = staticmethod(box_augmentation)


def _changed(
    transform: Callable[[Any, Any], Any], image: torch.Tensor, rows: torch.Tensor
) -> tuple[np.ndarray, torch.Tensor]:
    import torch
    from torchvision import tv_tensors

    height, width = image.shape[1:]
    sides = torch.tensor([width, height] * 2)
    known = rows[:, 4] != IGNORED
    boxes: Any = tv_tensors.BoundingBoxes(
        rows[known, :4] * sides,
        format=tv_tensors.BoundingBoxFormat.XYXY,
        canvas_size=(height, width),
    )
    found = transformed(transform, image, boxes, "boxes")
    pixels, moved = as_pixels(found[0]), found[1]
    if pixels.shape[:2] != (height, width) or getattr(moved, "shape", None) != boxes.shape:
        raise ValueError(
            f"augment must return an image of {(height, width)} pixels (height, width) and boxes "
            f"of shape {tuple(boxes.shape)}, as it is given them; it returned {pixels.shape[:2]} "
            f"and {tuple(getattr(moved, 'shape', ()))}."
        )
    changed = rows.clone()
    changed[known, :4] = torch.minimum(torch.as_tensor(moved).clamp(min=0).float(), sides) / sides
    kept = ((changed[:, 2:4] - changed[:, :2]) * sides[:2] >= _LEAST_SIDE).all(1)
    changed[~kept] = IGNORED
    return pixels, changed
