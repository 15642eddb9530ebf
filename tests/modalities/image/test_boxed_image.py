"""Images and boxes are changed alike."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from sktransfer._randomness import seeded
from sktransfer.modalities import IGNORED
from sktransfer.modalities.image._boxed_image import box_augmentation

N, SIDE = 8, 40


def pairs(top=12, left=16, height=8, width=12):
    """Return black images with one white box, and the boxes as shares, with padding."""
    images = np.zeros((N, SIDE, SIDE, 3), dtype=np.uint8)
    images[:, top : top + height, left : left + width] = 255
    boxes = torch.full((N, 2, 5), float(IGNORED))
    boxes[:, 0] = torch.tensor([left, top, left + width, top + height, 3 * SIDE]) / SIDE
    return [*images], boxes


@pytest.mark.parametrize(
    "augment", ["light", "standard", v2.RandomVerticalFlip(1.0), v2.RandomRotation((90, 90))]
)
def test_a_box_is_moved_as_its_image_is(augment):
    with seeded(0):
        images, boxes = box_augmentation(augment)(*pairs())
    for image, (box, padding) in zip(images, boxes, strict=True):
        rows, columns = np.nonzero(image.max(2) > 100)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(box[:4] * SIDE, seen, atol=1.5)
        assert box[4] == 3
        assert (padding == IGNORED).all()


def test_a_box_that_is_moved_out_is_no_longer_learned():
    move = v2.functional.affine

    def moved(image, boxes):
        return tuple(move(value, 0, [30, 0], 1.0, [0.0]) for value in (image, boxes))

    _, boxes = box_augmentation(moved)(*pairs())
    assert (boxes == IGNORED).all()


WRONG = {
    "only the image": (lambda image, boxes: image, "must return the image and its boxes"),
    "another size": (lambda image, boxes: (image[:, :5], boxes), "an image of"),
    "fewer boxes": (lambda image, boxes: (image, boxes[:0]), "boxes of shape"),
    "no boxes": (lambda image, boxes: (image, None), "boxes of shape"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_callable_returns_is_checked(name):
    augment, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        box_augmentation(augment)(*pairs())
