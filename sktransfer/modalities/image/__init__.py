"""Images: read from any cell, decoded by Pillow, resized and scaled by a recipe."""

from sktransfer.modalities.image._decode import decode_image
from sktransfer.modalities.image._geometry import Geometry
from sktransfer.modalities.image._image_modality import ImageModality
from sktransfer.modalities.image._image_recipe import IMAGENET_MEAN, IMAGENET_STD, ImageRecipe
from sktransfer.modalities.image._read_image_folder import read_image_folder

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Geometry",
    "ImageModality",
    "ImageRecipe",
    "decode_image",
    "read_image_folder",
]
