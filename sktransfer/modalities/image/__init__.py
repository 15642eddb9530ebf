"""Images: read from any cell, decoded by Pillow or pydicom, resized and scaled by a recipe."""

from sktransfer.modalities.image._boxed_image import BoxedImageModality as BoxedImageModality
from sktransfer.modalities.image._decode import decode_image as decode_image
from sktransfer.modalities.image._geometry import Geometry as Geometry
from sktransfer.modalities.image._image_modality import ImageModality as ImageModality
from sktransfer.modalities.image._image_recipe import IMAGENET_MEAN as IMAGENET_MEAN
from sktransfer.modalities.image._image_recipe import IMAGENET_STD as IMAGENET_STD
from sktransfer.modalities.image._image_recipe import ImageRecipe as ImageRecipe
from sktransfer.modalities.image._read_coco import read_coco as read_coco
from sktransfer.modalities.image._read_image_folder import (
    read_image_folder as read_image_folder,
)
from sktransfer.modalities.image._read_mask import read_mask as read_mask
from sktransfer.modalities.image._read_volume import read_volume as read_volume
from sktransfer.modalities.image._tiles import blended as blended
from sktransfer.modalities.image._tiles import tile_boxes as tile_boxes
from sktransfer.modalities.image._whole_image import WholeImageModality as WholeImageModality
from sktransfer.modalities.image._window import PRESETS as PRESETS
from sktransfer.modalities.image._window import as_window as as_window
