"""Images resized whole, as networks that label their places take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sktransfer.modalities._modality import Recipe
from sktransfer.modalities.image._image_modality import ImageModality
from sktransfer.modalities.image._image_recipe import ImageRecipe
from sktransfer.modalities.image._image_shapes import shape_of_image
from sktransfer.modalities.image._mask_augmentation import mask_augmentation


@dataclass(frozen=True)
class WholeImageRecipe(ImageRecipe):
    """How pixels are resized without a crop, so that each has its place in the result."""


@dataclass(frozen=True)
class WholeImageModality(ImageModality):
    """Images of which no part may be cut off."""

    recipe_type: ClassVar[type[Recipe]] = WholeImageRecipe
    augmentation = staticmethod(mask_augmentation)
    outlines_cells: ClassVar[bool] = True

    def recipe(self, backbone: Any) -> WholeImageRecipe:
        """Return the backbone's recipe at this size, without its crop."""
        recipe = super().recipe(backbone)
        return WholeImageRecipe(**{**vars(recipe), "resize": recipe.size})

    def outline(self, cell: Any) -> tuple[int, int] | None:
        """Return height and width of an image in its own pixels."""
        return shape_of_image(cell, self.max_pixels, self.window)
