"""Random changes of training images that keep what they show."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sktransfer.modalities._modality import Augmentation
from sktransfer.modalities.image._planes import stack_pixels

# By which float pixels may leave [0, 1].
_ROUNDING = 1e-3


def image_augmentation(augment: Any) -> Augmentation | None:
    """Return the augmentation of arrays (H, W, 3) that a value of `augment` names.

    Parameters
    ----------
    augment : None, "light", "standard" or callable
        "light" flips and shifts by up to a tenth; "standard" crops to at least half of the
        image, flips, and changes brightness, contrast and saturation by up to 40 %. A callable
        is given one tensor (3, H, W), uint8 or float in [0, 1], and must return one of the same
        kind; all of a batch in one shape.
    """
    if augment is None:
        return None
    transform = transform_of(augment)

    def augmented(items: list[Any], targets: Any) -> tuple[list[Any], Any]:
        import torch

        images = torch.from_numpy(stack_pixels(items)).permute(0, 3, 1, 2)
        changed = [as_pixels(transform(image)) for image in images]
        sizes = sorted({image.shape[:2] for image in changed})
        if len(sizes) > 1:
            raise ValueError(
                f"augment must return images of one size, not of {sizes[0]} and {sizes[-1]} pixels "
                "(height, width). End it with a torchvision.transforms.v2.Resize or "
                "RandomResizedCrop to one size."
            )
        return list(stack_pixels(changed)), targets

    return augmented


def transform_of(augment: Any) -> Callable[..., Any]:
    """Return the transform of torchvision's that "light" or "standard" names, or the user's."""
    if not isinstance(augment, str):
        return augment
    from torchvision.transforms import v2

    flip = v2.RandomHorizontalFlip()
    if augment == "light":
        return v2.Compose([flip, v2.RandomAffine(0, translate=(0.1, 0.1))])

    def crop(image: Any, *masks: Any) -> Any:
        return v2.RandomResizedCrop(image.shape[-2:], scale=(0.5, 1.0))(image, *masks)

    return v2.Compose([flip, crop, v2.ColorJitter(0.4, 0.4, 0.4)])


def as_pixels(image: Any) -> np.ndarray:
    """Return an augmented image as (H, W, 3), uint8 or float32; refuse other pixels.

    The network would train on pixels that prediction never gives it.
    """
    import torch

    if not isinstance(image, torch.Tensor):
        raise ValueError(f"augment must return a tensor per image, not a {type(image).__name__}.")
    try:
        pixels = (image.float() if image.is_floating_point() else image).numpy(force=True)
    except Exception as error:  # sparse, nested, quantized, without values, ...
        raise ValueError(
            f"augment must return a dense tensor per image; this one cannot be read ({error})."
        ) from error
    is_image = pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.size > 0
    if not is_image or pixels.dtype not in (np.uint8, np.float32):
        raise ValueError(
            "augment must return an image (3, H, W) or (1, H, W), uint8 or float in [0, 1], not "
            f"{pixels.shape} of {image.dtype}."
        )
    low, high = pixels.min(), pixels.max()
    if pixels.dtype != np.uint8 and not -_ROUNDING <= low <= high <= 1 + _ROUNDING:  # also NaN
        raise ValueError(
            f"augment returned float pixels from {low:.4g} to {high:.4g}; they must lie in "
            "[0, 1]: scale them with torchvision.transforms.v2.ToDtype(torch.float32, "
            "scale=True). Leave Normalize out: the backbone normalizes pixels itself, in "
            "training as in prediction."
        )
    return np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0)
