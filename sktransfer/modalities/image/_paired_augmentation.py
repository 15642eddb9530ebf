"""Random changes of images together with what is labelled in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sktransfer.modalities._modality import Augmentation
from sktransfer.modalities.image._image_augmentation import transform_of
from sktransfer.modalities.image._planes import stack_pixels

if TYPE_CHECKING:
    import numpy as np
    import torch

#: Returns an image and its label, given the transform, the image (3, H, W) and the label.
Change = Callable[[Any, "torch.Tensor", "torch.Tensor"], "tuple[np.ndarray, torch.Tensor]"]


def paired_augmentation(augment: Any, change: Change) -> Augmentation | None:
    """Return the augmentation of arrays (H, W, 3), and of a tensor for each, by their transform.

    Parameters
    ----------
    augment : None, "light", "standard" or callable
        As for images.
    change : callable
        Applies the transform to one image and its tensor, and checks what it returns.
    """
    if augment is None:
        return None
    transform = transform_of(augment)

    def augmented(items: list[np.ndarray], targets: torch.Tensor) -> tuple[list[Any], Any]:
        import torch

        images = torch.from_numpy(stack_pixels(items)).permute(0, 3, 1, 2)
        pairs = zip(images, targets.cpu(), strict=True)
        changed = [change(transform, image, target) for image, target in pairs]
        moved = torch.stack([target for _, target in changed]).to(targets.device)
        return list(stack_pixels([image for image, _ in changed])), moved

    return augmented


def transformed(transform: Callable[..., Any], image: Any, label: Any, noun: str) -> Any:
    """Return what a transform makes of an image and its label: both, or raise."""
    from torchvision import tv_tensors

    try:
        found = transform(tv_tensors.Image(image), label)
    except TypeError as error:
        error.add_note(f"augment is called with an image and its {noun}.")
        raise
    if not (isinstance(found, tuple | list) and len(found) == 2):
        raise ValueError(
            f"augment must return the image and its {noun}, as it is given them; it returned "
            f"{type(found).__name__}."
        )
    return found
