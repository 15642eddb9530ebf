"""Random changes of images together with their masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sktransfer.modalities._modality import IGNORED, Augmentation
from sktransfer.modalities.image._image_augmentation import as_pixels
from sktransfer.modalities.image._paired_augmentation import paired_augmentation, transformed

if TYPE_CHECKING:
    import torch

Pair = tuple[Any, Any]


def mask_augmentation(augment: Any) -> Augmentation | None:
    """Return the augmentation of arrays (H, W, 3), and of their masks, that `augment` names.

    Parameters
    ----------
    augment : None, "light", "standard" or callable
        As for images; a callable is given an image and its mask, as ``torchvision.tv_tensors``,
        and must return both.
    """
    return paired_augmentation(augment, _changed)


def _changed(transform: Callable[[Any, Any], Pair], image: torch.Tensor, mask: torch.Tensor) -> Any:
    from torchvision import tv_tensors

    # Masks are filled with 0 where an image is moved away, so 0 must be what is not learned.
    numbers = tv_tensors.Mask(mask.where(mask != IGNORED, -1) + 1)
    found = transformed(transform, image, numbers, "mask")
    size = tuple(image.shape[1:])
    pixels, mask = as_pixels(found[0]), found[1]
    if pixels.shape[:2] != size:
        raise ValueError(
            f"augment must return images of the size that they have, {size} pixels (height, "
            f"width), not of {pixels.shape[:2]}. End it with a torchvision.transforms.v2.Resize "
            "to that size."
        )
    if not hasattr(mask, "is_floating_point") or mask.shape != size or mask.is_floating_point():
        raise ValueError(
            f"augment returned a mask of type {type(mask).__name__}, shape {tuple(mask.shape)} and "
            f"{mask.dtype} for an image of {size} pixels; it must be a tensor, changed as the "
            "image is, without mixing values: use transforms of torchvision.transforms.v2."
        )
    plain = mask.as_subclass(type(mask.data)).long()
    return pixels, plain.where(plain != 0, IGNORED + 1) - 1
