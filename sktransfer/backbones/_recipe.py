"""What a cell must become before a network may see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING

from sktransfer.exceptions import BackboneError

if TYPE_CHECKING:
    import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ImageRecipe:
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
        Whether the architecture takes no other size than its own.
    """

    size: tuple[int, int] = (224, 224)
    resize: int | tuple[int, int] = 256
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    fixed_size: bool = False

    def at(self, image_size: int | tuple[int, int] | None) -> ImageRecipe:
        """Return the recipe for another input size; the share that is cropped stays."""
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
        """Turn pixels (n, H, W, 3), uint8 or float in [0, 1], into network input (n, 3, H, W).

        The operations and their order are torchvision's, so the values are equal to the bit.
        The result keeps the memory order of the pixels, which is torch's ``channels_last``.
        """
        import torch

        width = pixels.shape[2]
        # Repeated along the rows of an image: over three numbers at a time, in the order in
        # which the pixels lie, torch takes six times as long for the same.
        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=pixels.device).repeat(width)
            for values in (self.mean, self.std)
        )
        rows = pixels.flatten(2)
        if rows.dtype == torch.uint8:
            # In place: on a CPU, new memory costs as much as the arithmetic.
            rows = rows.to(torch.float32).div_(255).sub_(mean).div_(std)
        else:
            rows = (rows - mean).div_(std)
        return rows.unflatten(2, (width, len(self.mean))).permute(0, 3, 1, 2)


def _sides(image_size: object) -> tuple[int, int]:
    """Return height and width, also of NumPy's integers; refuse what is no size."""
    both = image_size if isinstance(image_size, tuple | list) else (image_size, image_size)
    if len(both) != 2 or not all(isinstance(side, Integral) and int(side) > 0 for side in both):
        raise BackboneError(
            f"image_size={image_size!r} is no size: give a side or (height, width), in pixels."
        )
    return int(both[0]), int(both[1])


@dataclass(frozen=True)
class TextRecipe:
    """How a text is cut and its token vectors are pooled.

    Attributes
    ----------
    max_length : int
        Tokens kept of a text, special tokens included.
    longest : int
        Most tokens that the network can take at all.
    pooling : str
        "mean" over the tokens of the text, "max", or "cls" for the first token.
    normalize : bool
        Whether the source scales its vectors to unit length.
    tokenizer : str
        Digest of the tokenizer, hexadecimal.
    """

    max_length: int
    longest: int
    pooling: str = "mean"
    normalize: bool = False
    tokenizer: str = ""

    def at(self, max_length: int | None) -> TextRecipe:
        """Return the recipe for another number of tokens."""
        if max_length is None:
            return self
        if max_length > self.longest:
            raise BackboneError(
                f"max_length={max_length} is more than the {self.longest} tokens "
                "that this backbone has positions for."
            )
        return replace(self, max_length=int(max_length))
