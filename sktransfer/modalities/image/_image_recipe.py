"""How pixels become what a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer.exceptions import BackboneError
from sktransfer.modalities._modality import Recipe

if TYPE_CHECKING:
    import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Side in pixels: a network may be tried at its size when it is built, and a hostile file could
# ask for any.
_LARGEST = 2_048


@dataclass(frozen=True)
class ImageRecipe(Recipe):
    """How pixels are resized, cropped and scaled.

    Attributes
    ----------
    size : tuple of int
        Height and width, in pixels, of what the network sees.
    resize : int or tuple of int
        Length of the short side, or height and width, before the centre crop.
    interpolation : str
        Pillow's name of the filter.
    mean, std : tuple of float
        Per channel, for pixels in [0, 1]: the network sees ``(x - mean) / std``.
    fixed_size : bool
        Whether the architecture takes no size but its own.
    """

    modality: ClassVar[str] = "image"
    channels_last: ClassVar[bool] = True

    size: tuple[int, int] = (224, 224)
    resize: int | tuple[int, int] = 256
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    fixed_size: bool = False

    def at(self, image_size: int | tuple[int, int] | None) -> ImageRecipe:
        """Return the recipe for another input size; the cropped share stays."""
        if image_size is None:
            return self
        height, width = size = _sides(image_size)
        if size == self.size:
            return self
        if self.fixed_size:
            raise BackboneError(
                f"image_size={image_size!r} does not fit: this backbone takes images of "
                f"{self.size[0]} x {self.size[1]} pixels only. Leave image_size=None."
            )
        if isinstance(self.resize, int):
            # The short side of the resized image covers the longer side of the crop.
            resize: int | tuple[int, int] = round(self.resize * max(size) / max(self.size))
        else:
            resize = (
                round(self.resize[0] * height / self.size[0]),
                round(self.resize[1] * width / self.size[1]),
            )
        return replace(self, size=size, resize=resize)

    def scale(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return network inputs (n, 3, H, W) of pixels (n, H, W, 3), uint8 or float in [0, 1].

        The operations and their order are torchvision's, so the values are bitwise equal. The
        result keeps the memory order of the pixels, which is torch's ``channels_last``.
        """
        import torch

        width = pixels.shape[2]
        # Repeated along the rows of an image: broadcasting over three numbers is six times slower.
        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=pixels.device).repeat(width)
            for values in (self.mean, self.std)
        )
        rows = pixels.flatten(2)
        if rows.dtype == torch.uint8:
            # In place: on a CPU, allocation costs as much as the arithmetic.
            rows = rows.to(torch.float32).div_(255).sub_(mean)
        else:
            rows = rows - mean
        return rows.div_(std).unflatten(2, (width, len(self.mean))).permute(0, 3, 1, 2)

    def blank(self, rows: int) -> torch.Tensor:
        """Return zeros (rows, 3, H, W)."""
        import torch

        return torch.zeros(rows, 3, *self.size, dtype=torch.float32)

    def examples(self, processor: Any) -> Sequence[torch.Tensor]:
        """Return two, three and one random images, a dark and a bright one among them."""
        import torch

        generator = torch.Generator().manual_seed(0)
        pixels = torch.rand((3, *self.size, 3), generator=generator)
        pixels[1], pixels[2] = pixels[1] / 10, 1 - pixels[2] / 10
        scaled = self.scale(pixels)
        return scaled[:2], scaled, scaled[2:]

    def describe(self) -> str:
        """Return the size as the parameter `image_size`."""
        return f"image_size={self.size}"

    def input_shape(self) -> tuple[int, ...]:
        """Return (-1, H, W, 3): engines are faster with one size than with any."""
        return (-1, *self.size, 3)

    def check(self, processor: Any) -> None:
        """Refuse sizes that are no sides in pixels, or beyond any published network's."""
        if not all(type(side) is int and 0 < side <= _LARGEST for side in self.size):
            raise BackboneError(f"A recipe asks for images of the size {self.size!r}.")
        if processor is not None:
            raise BackboneError("A backbone of images has no processor.")


def _sides(image_size: object) -> tuple[int, int]:
    """Return height and width, also of NumPy's integers; refuse other values."""
    both = image_size if isinstance(image_size, tuple | list) else (image_size, image_size)
    sides = [side for side in both if isinstance(side, Integral) and not isinstance(side, bool)]
    if len(both) != 2 or len(sides) != 2 or min(sides) < 1:
        raise BackboneError(
            f"image_size={image_size!r} is no size: give a side or (height, width), in pixels."
        )
    return int(both[0]), int(both[1])
