"""Random augmentation of training images."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from sktransfer.modalities.image import ImageRecipe
from sktransfer.modalities.image._image_augmentation import image_augmentation
from tests._tiny import images


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_an_augmentation_may_return_one_channel(dtype):
    batch = (images(3) / (1 if dtype == np.uint8 else 255)).astype(dtype)
    changed, targets = image_augmentation(v2.Grayscale())(list(batch), [0, 1, 2])
    assert targets == [0, 1, 2]
    changed = np.stack(changed)
    assert changed.shape == batch.shape
    assert changed.dtype == dtype
    np.testing.assert_array_equal(
        changed, image_augmentation(v2.Grayscale(3))(list(batch), None)[0]
    )
    assert ImageRecipe().scale(torch.from_numpy(changed)).shape == (3, 3, *batch.shape[1:3])
