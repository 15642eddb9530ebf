"""Containers of tables."""

import numpy as np
import pandas as pd
import pytest

from sktransfer import TableEmbedder


@pytest.mark.parametrize("dtype", [float, int, object])
def test_masked_cells_are_missing(dtype):
    data = np.arange(12).reshape(6, 2).astype(dtype)
    masked = np.ma.masked_array(data, mask=np.arange(12).reshape(6, 2) % 5 == 0)
    expected = pd.DataFrame(data.astype(float)).mask(masked.mask).to_numpy()
    np.testing.assert_array_equal(
        TableEmbedder().fit_transform(masked), TableEmbedder().fit_transform(expected)
    )
    assert masked.data[0, 0] == 0  # the user's own array stays
