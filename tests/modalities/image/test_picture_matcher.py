"""Pictures that are copies: cropped, mirrored, rescaled, encoded anew."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image._picture_matcher import PictureMatcher

MATCHER = PictureMatcher(None, None)


def picture(seed, size=120):
    """Return a random picture of soft colours."""
    noise = np.random.default_rng(seed).normal(size=(size, size, 3))
    soft = gaussian_filter(noise, (size / 12, size / 12, 0))
    return (255 * (soft - soft.min()) / np.ptp(soft)).astype(np.uint8)


def as_jpeg(pixels, quality=60):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


COPIES = {
    "jpeg": as_jpeg,
    "half": lambda p: np.asarray(Image.fromarray(p).resize((60, 60))),
    "wide": lambda p: np.asarray(Image.fromarray(p).resize((240, 120))),
    "mirrored": lambda p: p[:, ::-1],
    "cropped": lambda p: p[9:-3, 2:-8],
    "cropped mirrored jpeg": lambda p: as_jpeg(np.ascontiguousarray(p[9:, ::-1][:, :-8])),
    "float": lambda p: p / 255,
}


def compared(cells, others):
    sketches = [np.stack([MATCHER.sketch(cell) for cell in part]) for part in (cells, others)]
    return MATCHER.compare(*sketches)


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_alike_and_another_picture_is_not(kind):
    pictures = [picture(seed) for seed in range(20)]
    similarity, how = compared(pictures, [COPIES[kind](p) for p in pictures])
    assert similarity.min() > MATCHER.threshold
    assert set(how) == {"mirrored" if "mirrored" in kind else "near"}
    others, _ = compared(pictures, [COPIES[kind](p) for p in pictures[1:] + pictures[:1]])
    assert others.max() < 0.9


def test_the_similarity_is_the_largest_difference_of_a_part():
    changed = picture(0)
    changed[:15, :15] = 255 - changed[:15, :15]
    alike, _ = compared([picture(0)], [changed])
    assert alike < 0.8
    one, _ = compared([picture(0)], [picture(0)])
    assert one == 1


def test_the_order_of_a_pair_does_not_matter():
    cropped = picture(1)[8:]
    there, back = compared([picture(1)], [cropped])[0], compared([cropped], [picture(1)])[0]
    np.testing.assert_allclose(there, back, rtol=1e-5)


@pytest.mark.parametrize("contrast", [0, 1, 6])
def test_pictures_of_hardly_any_contrast_are_not_alike(contrast):
    faint = [np.uint8(200 + contrast * (picture(seed) / 255)) for seed in range(2)]
    assert compared(faint[:1], faint[1:])[0] < MATCHER.threshold


def test_vectors_of_copies_are_near():
    pictures = [picture(seed) for seed in range(20)]
    sketches = np.stack([MATCHER.sketch(p) for p in pictures])
    turned = np.stack([MATCHER.sketch(p[4:, ::-1]) for p in pictures])
    plain, mirrored = MATCHER.vectors(turned)
    assert ((mirrored @ MATCHER.vectors(sketches)[0].T).argmax(axis=1) == np.arange(20)).all()
    np.testing.assert_allclose(np.linalg.norm(plain, axis=1), 1, rtol=1e-5)


def test_a_bad_picture_is_an_error():
    with pytest.raises(BadCellError):
        MATCHER.sketch(b"no picture")
