"""Images and masks are changed alike."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from sktransfer._randomness import seeded
from sktransfer.modalities import IGNORED
from sktransfer.modalities.image._mask_augmentation import mask_augmentation

N, SIDE = 8, 24


def pairs():
    """Return images whose red is the class of each pixel, and the classes."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 4, (N, 6, 6)).repeat(4, 1).repeat(4, 2)
    images = np.zeros((N, SIDE, SIDE, 3), dtype=np.uint8)
    images[..., 0] = 50 + 50 * numbers
    return [*images], torch.from_numpy(numbers)


@pytest.mark.parametrize("augment", ["light", v2.RandomVerticalFlip(1.0), v2.RandomRotation(90)])
def test_a_mask_is_moved_as_its_image_is(augment):
    images, masks = pairs()
    with seeded(0):
        changed, moved = mask_augmentation(augment)(images, masks)
    assert moved.dtype == torch.int64
    red = np.stack(changed)[..., 0]
    known = moved.numpy() != IGNORED
    np.testing.assert_array_equal(red[known], 50 + 50 * moved.numpy()[known])
    assert (red[~known] == 0).all()  # where nothing was
    assert not np.array_equal(red, np.stack(images)[..., 0])


def test_standard_changes_colours_and_crops_alike():
    images, masks = pairs()
    with seeded(0):
        changed, moved = mask_augmentation("standard")(images, masks)
    assert np.stack(changed).shape == (N, SIDE, SIDE, 3)
    assert set(moved.unique().tolist()) <= {0, 1, 2, 3}


def test_ignored_pixels_stay_ignored():
    images, masks = pairs()
    masks[:, :5] = IGNORED
    _, moved = mask_augmentation(v2.RandomHorizontalFlip(1.0))(images, masks)
    torch.testing.assert_close(moved, masks.flip(2))


WRONG = {
    "only the image": (lambda image, mask: image, "must return the image and its mask"),
    "another size": (v2.Resize((5, 6)), r"the size that they have, \(24, 24\).*not of \(5, 6\)"),
    "a smaller mask": (lambda image, mask: (image, mask[:5]), r"shape \(5, 24\)"),
    "no tensor": (lambda image, mask: (image, mask.numpy()), "of type ndarray"),
    "float mask": (lambda image, mask: (image, mask / 2), "without mixing"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_callable_returns_is_checked(name):
    augment, message = WRONG[name]
    with pytest.raises(ValueError, match=message), seeded(0):
        mask_augmentation(augment)(*pairs())


def test_a_callable_of_one_argument_is_told_that_there_are_two():
    with pytest.raises(TypeError) as caught:
        mask_augmentation(lambda image: image)(*pairs())
    assert "an image and its mask" in caught.value.__notes__[0]
