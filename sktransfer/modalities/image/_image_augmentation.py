"""Random changes of training images that keep what they show."""

from collections.abc import Callable
from typing import Any

from sktransfer.modalities._modality import Augmentation
from sktransfer.modalities.image._planes import stack_pixels


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
    transform = _transform(augment) if isinstance(augment, str) else augment

    def augmented(items: list[Any], targets: Any) -> tuple[list[Any], Any]:
        import torch

        images = torch.from_numpy(stack_pixels(items)).permute(0, 3, 1, 2)
        changed = _stacked([transform(image) for image in images])
        return list(changed.permute(0, 2, 3, 1).contiguous().numpy()), targets

    return augmented


def _transform(name: str) -> Callable[[Any], Any]:
    from torchvision.transforms import v2

    flip = v2.RandomHorizontalFlip()
    if name == "light":
        return v2.Compose([flip, v2.RandomAffine(0, translate=(0.1, 0.1))])

    def crop(image: Any) -> Any:
        return v2.RandomResizedCrop(image.shape[-2:], scale=(0.5, 1.0))(image)

    return v2.Compose([flip, crop, v2.ColorJitter(0.4, 0.4, 0.4)])


def _stacked(images: list[Any]) -> Any:
    import torch

    shapes = sorted({str(tuple(getattr(image, "shape", ()))) for image in images})
    if len(shapes) > 1 or not isinstance(images[0], torch.Tensor):
        raise ValueError(
            "augment must return one tensor per image, all of one shape; it returned a "
            f"{type(images[0]).__name__}, in the shapes {', '.join(shapes)}. End it with a "
            "torchvision.transforms.v2.Resize or RandomResizedCrop to one size."
        )
    stacked = torch.stack(images)
    if stacked.ndim == 4 and stacked.shape[1] == 1:  # as Grayscale returns it
        stacked = stacked.expand(-1, 3, -1, -1)
    return stacked
