"""Patches are hidden by the mean colour; targets are their standardized pixels."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from sktransfer import ImagePretrainer
from sktransfer._randomness import seeded
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.image._patch_masking import patch_masking
from tests._tiny import images


def test_hidden_patches_have_the_mean_colour_and_others_stay():
    column = images(3, size=12)
    with seeded(0):
        shown, (hidden, pixels) = patch_masking(0.5, (3, 2), (12, 12), (0.2, 0.4, 0.6))(
            [*column], None
        )
    assert hidden.shape == (3, 3, 2)
    assert hidden.sum(dim=(1, 2)).tolist() == [3, 3, 3]
    for image, new, where, target in zip(column, shown, hidden, pixels, strict=True):
        for row in range(3):
            for place in range(2):
                part = np.s_[4 * row : 4 * row + 4, 6 * place : 6 * place + 6]
                if where[row, place]:
                    np.testing.assert_allclose(
                        new[part], np.broadcast_to([0.2, 0.4, 0.6], (4, 6, 3))
                    )
                else:
                    np.testing.assert_allclose(new[part], image[part] / 255, rtol=1e-6)
                plain = torch.from_numpy(image[part] / 255).flatten()
                expected = (plain - plain.mean()) / plain.std()
                np.testing.assert_allclose(target[row, place], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("fraction", "n_hidden"), [(0.01, 1), (0.99, 3)])
def test_a_patch_is_hidden_and_another_is_not(fraction, n_hidden):
    column = images(4)
    hide = patch_masking(fraction, (2, 2), column[0].shape[:2], (0.5, 0.5, 0.5))
    _, (hidden, _) = hide([*column], None)
    assert hidden.sum(dim=(1, 2)).tolist() == [n_hidden] * 4


def test_images_of_one_patch_are_refused():
    pretrainer = ImagePretrainer("resnet18", weights=None, objective="masked", image_size=32)
    with pytest.raises(BackboneError, match="'resnet18' has one patch in images of"):
        pretrainer.fit(images(4))


def test_images_that_an_augmentation_made_smaller_are_refused():
    smaller = v2.Compose([v2.ToImage(), v2.Resize(48)])
    pretrainer = ImagePretrainer(
        "resnet18", weights=None, objective="masked", image_size=96, augment=smaller
    )
    with pytest.raises(ValueError, match=r"augment returned images of \(48, 48\) pixels"):
        pretrainer.fit(images(4))
