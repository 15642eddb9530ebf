"""Tiles cover an image, and blend to what they were cut from."""

import numpy as np
import pytest

from sktransfer.modalities.image import blended, tile_boxes


@pytest.mark.parametrize("shape", [(50, 64), (64, 65), (64, 300), (201, 130), (1, 999)])
def test_tiles_cover_the_image_overlap_and_blend_to_it(shape):
    values = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    boxes = tile_boxes(shape, 64)
    covered = np.zeros(shape)
    for rows, columns in boxes:
        assert rows.stop - rows.start == min(64, shape[0])
        assert columns.stop - columns.start == min(64, shape[1])
        covered[rows, columns] += 1
    assert covered.min() >= 1
    assert len(boxes) == 1 or covered.max() > 1
    found = blended([(box, values[:, *box]) for box in boxes], shape)
    np.testing.assert_allclose(found, values, rtol=1e-4, atol=1e-5)
