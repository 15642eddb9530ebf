"""Photographs in several sizes as JPEG files, and geometries for them."""

import io

from PIL import Image
from sklearn.datasets import load_sample_images

from sktransfer.modalities.image import Geometry

PHOTOS = [Image.fromarray(photo) for photo in load_sample_images().images]


GEOMETRIES = [
    Geometry(256, (224, 224)),
    Geometry(224, (224, 224), "bicubic"),
    Geometry((100, 150), (100, 150)),
]


def jpeg(image, **options):
    content = io.BytesIO()
    image.save(content, "JPEG", quality=90, **options)
    return content.getvalue()


def photo(size, which=0):
    return PHOTOS[which].resize(size, Image.Resampling.LANCZOS)
