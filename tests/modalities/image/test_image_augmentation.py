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


SCALED = v2.ToDtype(torch.float32, scale=True)
WRONG = {
    "normalized": (v2.Compose([SCALED, v2.Normalize([0.5] * 3, [0.2] * 3)]), "Leave Normalize out"),
    "not scaled": (v2.ToDtype(torch.float32), r"from 0 to 255; they must lie in \[0, 1\]"),
    "a NaN": (lambda image: SCALED(image) + torch.nan, "float pixels from nan to nan"),
    "integers": (lambda image: image.long(), r"uint8 or float in \[0, 1\], not .* torch.int64"),
    "channels last": (lambda image: image.permute(1, 2, 0), r"\(3, H, W\) .* not \(16, 16, 3\)"),
    "four channels": (lambda image: torch.cat([image, image[:1]]), r"not \(4, 16, 16\)"),
    "no channels": (lambda image: image[0], r"not \(16, 16\)"),
    "no pixels": (lambda image: image[:, :0], r"not \(3, 0, 16\)"),
    "an image": (v2.ToPILImage(), "a tensor per image, not a Image"),
    "sparse": (lambda image: image.to_sparse(), "a dense tensor per image.* Sparse"),
    "without values": (lambda image: image.to("meta"), "cannot be read .*meta tensor"),
    "nested": (
        lambda i: torch.nested.nested_tensor([i[0], i[0, :4]], layout=torch.jagged),
        "a dense tensor per image",
    ),
    "complex": (lambda image: torch.complex(SCALED(image), SCALED(image)).conj(), "complex64"),
    "nothing": (lambda image: None, "a tensor per image, not a NoneType"),
    "many sizes": (
        lambda image: image[:, : 1 + int(image[0, 0, 0]) % 7],
        r"one size, not of \(1, 16\) and",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_prediction_never_gives_the_network_is_refused(name):
    transform, message = WRONG[name]
    batch = images(3)
    batch[0, 0] = 0, 0, 255
    with pytest.raises(ValueError, match=message):
        image_augmentation(transform)(list(batch), None)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.uint8])
def test_an_augmentation_may_return_another_type(dtype):
    (batch,) = images(1)
    (changed,), _ = image_augmentation(v2.ToDtype(dtype, scale=True))([batch], None)
    assert changed.dtype == (np.uint8 if dtype == torch.uint8 else np.float32)
    scale = 1 if dtype == torch.uint8 else 255
    np.testing.assert_allclose(changed * scale, batch, atol=0.1)


@pytest.mark.parametrize(
    "view",
    [
        lambda image: torch._neg_view(-image),
        lambda image: torch.complex(image, -image).conj().imag,
        lambda image: image.requires_grad_(),
        lambda image: image.bfloat16().flip(-1).flip(-1),
    ],
    ids=["negative", "imaginary", "gradient", "bfloat16"],
)
def test_an_augmentation_may_return_a_view(view):
    (batch,) = images(1)
    (changed,), _ = image_augmentation(lambda image: view(SCALED(image)))([batch], None)
    np.testing.assert_allclose(changed * 255, batch, atol=0.6)


def test_types_may_differ_within_a_batch():
    batch, calls = images(4), iter(range(4))
    changed, _ = image_augmentation(lambda i: SCALED(i) if next(calls) % 2 else i)(
        list(batch), None
    )
    np.testing.assert_allclose(np.stack(changed) * 255, batch, atol=1e-3)
