"""Conversion of pixels to network inputs."""

import numpy as np
import pytest
import torch
from torchvision.transforms import functional

from sktransfer.modalities.image import ImageRecipe

SHAPES = [(2, 31, 17, 3), (1, 1, 1, 3), (3, 8, 224, 3), (0, 4, 4, 3)]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", SHAPES)
def test_scaled_pixels_are_bit_identical_to_torchvisions(shape, dtype):
    recipe = ImageRecipe(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    pixels = np.random.default_rng(0).integers(0, 256, shape)
    pixels = pixels.astype(dtype) / (1 if dtype is np.uint8 else np.float32(255))
    before = torch.from_numpy(pixels.astype(dtype))
    given = before.clone()
    found = recipe.scale(given)
    images = functional.convert_image_dtype(before.permute(0, 3, 1, 2), torch.float32)
    assert torch.equal(found, functional.normalize(images, recipe.mean, recipe.std))
    assert torch.equal(given, before)  # float pixels are not overwritten
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
