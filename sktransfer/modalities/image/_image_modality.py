"""Images: pixels of many kinds of cells, resized and scaled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from sktransfer.cache import FeatureCache
from sktransfer.columns import name_cell
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._digests import array_digest, content_digest
from sktransfer.modalities._files import FileCell, digest_files, file_cell
from sktransfer.modalities._modality import Augmentation, Modality, Preparer, Recipe
from sktransfer.modalities.image._content_limits import MAX_PIXELS, most_bytes
from sktransfer.modalities.image._decode import decode_image, decode_source
from sktransfer.modalities.image._geometry import Geometry
from sktransfer.modalities.image._image_augmentation import image_augmentation
from sktransfer.modalities.image._image_parts import ImageParts, shrunk
from sktransfer.modalities.image._image_recipe import ImageRecipe
from sktransfer.modalities.image._is_image import is_image
from sktransfer.modalities.image._patch_masking import patch_masking
from sktransfer.modalities.image._picture_matcher import PictureMatcher
from sktransfer.modalities.image._pixel_sources import image_source
from sktransfer.modalities.image._planes import stack_pixels
from sktransfer.modalities.image._stacks import images_of_array
from sktransfer.modalities.image._thumbnail import thumbnail
from sktransfer.modalities.image._window import Window

if TYPE_CHECKING:
    import torch

# Images per batch. On a CPU small batches stay in its cache, and 6 images of 224 pixels were within
# 5 % of the fastest size for most networks; small images go in larger batches. A GPU needs large
# ones.
_CPU_BATCH, _CPU_LARGEST, _GPU_BATCH = 6, 32, 64
_CPU_BATCH_PIXELS = 6 * 224 * 224
# Bound on the memory of a batch on a CPU: few large images go together.
_MOST_PIXELS = 32 * 256 * 256


@dataclass(frozen=True)
class ImageModality(Modality):
    """Images, from every kind of cell that holds one.

    Parameters
    ----------
    image_size : int or tuple of int, optional
        Side, or height and width, of what the network sees, in pixels; None for the recipe's.
    image_shape : tuple of int, optional
        (H, W) or (H, W, C) of flattened rows.
    max_pixels : int or None
        Most pixels of an image that is decoded.
    exact : bool
        Whether images are resized exactly as Pillow does it.
    window : Window, optional
        Grey values that are shown.
    """

    name: ClassVar[str] = "image"
    noun: ClassVar[str] = "image"
    library: ClassVar[str] = "pillow"
    recipe_type: ClassVar[type[Recipe]] = ImageRecipe
    augmentation = staticmethod(image_augmentation)
    columns_advice: ClassVar[str] = "; if its rows are flattened images, set image_shape"

    image_size: int | tuple[int, int] | None = None
    image_shape: tuple[int, ...] | None = None
    max_pixels: int | None = MAX_PIXELS
    exact: bool = True
    window: Window | None = None

    @property
    def takes_rows(self) -> bool:
        """Whether the rows of a matrix are flattened images."""
        return self.image_shape is not None

    def cells_of_array(self, X: np.ndarray) -> tuple[Any, int] | None:
        """Return the images of a stack or of flattened rows."""
        return images_of_array(X, self.image_shape and tuple(self.image_shape))

    @classmethod
    def claims(cls, cell: object, start: bytes | None) -> bool:
        """Return whether it is an image, a file of one, or a name like that of such a file."""
        return is_image(cell, start)

    def digest(
        self, cells: Iterable[object], cache: FeatureCache
    ) -> tuple[Sequence[Any], Sequence[bytes | BadCellError | None]]:
        """Digest every image; nothing but Pillow images is decoded.

        A file has the digest of its bytes, a Pillow image that of its decoded pixels. Arrays of
        another dtype or shape have another digest, even if they show the same picture. A cell
        that has a digest may still fail when it is decoded.
        """
        found = [self._digest(cell) for cell in cells]
        files = [entry for entry in found if isinstance(entry, FileCell)]
        digests = digest_files(files, cache, most_bytes(self.max_pixels))
        of_cells = [digests[entry.key] if isinstance(entry, FileCell) else entry for entry in found]
        return cells, of_cells  # type: ignore[return-value]

    def _digest(self, cell: object) -> bytes | BadCellError | FileCell:
        try:
            source = image_source(cell)
            if isinstance(source, str):
                return file_cell(source, most_bytes(self.max_pixels))
            if isinstance(source, (bytes, bytearray)):
                return content_digest(source)
            if isinstance(source, Image.Image):
                source = decode_source(source, None, None, self.max_pixels, self.window)
            return array_digest(source)
        except BadCellError as error:
            return name_cell(cell, error)

    def recipe(self, backbone: Any) -> ImageRecipe:
        """Return the backbone's recipe at this size."""
        return backbone.recipe.at(self.image_size)

    def masking(
        self, fraction: float, backbone: Any, grid: tuple[int, int] | None = None
    ) -> Augmentation:
        """Return what hides this share of the patches with the mean colour."""
        assert grid is not None
        recipe = self.recipe(backbone)
        return patch_masking(fraction, grid, recipe.size, recipe.mean)

    def decode(self, cell: Any) -> np.ndarray:
        """Return the pixels of a cell at its own size, as `decode_image` does."""
        return decode_image(cell, max_pixels=self.max_pixels, window=self.window)

    def parts(self, cell: Any, recipe: ImageRecipe) -> ImageParts:
        """Return the windows of an image, which is shrunk if it is far larger than the recipe."""
        pixels = image_source(cell)
        if not isinstance(pixels, np.ndarray) or pixels.shape[2:] == (4,):
            pixels = self.decode(cell)
            if self.window:  # which is applied again
                black = self.window.center - self.window.width / 2
                scale = 255 if pixels.dtype == np.uint8 else 1
                pixels = np.float32(black) + pixels[..., 0] * np.float32(self.window.width / scale)
        shown = shrunk(pixels, recipe.size)
        return ImageParts(shown, pixels.shape[:2], keeps_form=shown is cell)

    def _picture(self, cell: object, pixels: int) -> np.ndarray:
        return thumbnail(cell, pixels, max_pixels=self.max_pixels, window=self.window)

    def matcher(self) -> PictureMatcher:
        """Return what finds pictures that are mirrored, cropped, rescaled or encoded anew."""
        return PictureMatcher(self.max_pixels, self.window)

    def bind(self, backbone: Any) -> ImagePreparer:
        """Return what decodes, resizes and scales images for a backbone."""
        return ImagePreparer(self.recipe(backbone), self.max_pixels, self.exact, self.window)

    def preparation(self) -> str:
        """Return the version of Pillow, and the window if there is one."""
        window = f" window {tuple(self.window)}" if self.window else ""
        return super().preparation() + window

    @staticmethod
    def to_plain(inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return (n, H, W, 3), which is how images lie in memory already."""
        return (inputs.permute(0, 2, 3, 1).contiguous(),)

    @staticmethod
    def from_plain(*tensors: torch.Tensor) -> torch.Tensor:
        """Return (n, 3, H, W)."""
        return tensors[0].permute(0, 3, 1, 2)


class ImagePreparer(Preparer):
    """Decodes, resizes and scales images by a recipe."""

    def __init__(
        self, recipe: ImageRecipe, max_pixels: int | None, exact: bool, window: Window | None = None
    ) -> None:
        self.recipe = recipe
        self._max_pixels, self._window = max_pixels, window
        self._geometry = Geometry(recipe.resize, recipe.size, recipe.interpolation, exact)

    def prepare(self, cell: Any, digest: bytes | None) -> np.ndarray:
        """Return pixels (H, W, 3)."""
        limits: dict[str, Any] = {"max_pixels": self._max_pixels, "window": self._window}
        return decode_image(cell, self._geometry, digest=digest, **limits)

    def collate(self, items: Sequence[np.ndarray], device: torch.device) -> torch.Tensor:
        """Return scaled pixels (n, 3, H, W)."""
        import torch

        return self.recipe.scale(torch.from_numpy(stack_pixels(items)).to(device))

    def budget(self, on_cpu: bool) -> int:
        """Return the number of images per batch."""
        if not on_cpu:
            return _GPU_BATCH
        pixels = self.recipe.size[0] * self.recipe.size[1]
        size = max(_CPU_BATCH, min(_CPU_LARGEST, _CPU_BATCH_PIXELS // pixels))
        return max(1, min(size, _MOST_PIXELS // pixels))
