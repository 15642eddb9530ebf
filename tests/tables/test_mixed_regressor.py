"""Numbers from several columns."""

import numpy as np
import pandas as pd
import pytest

from sktransfer import ImageRegressor, MixedRegressor
from tests._tiny import images, tiny_network


@pytest.mark.parametrize("columns", [None, 2])
def test_numbers_are_predicted_in_their_units(columns):
    n = 64
    pictures = images(n)
    level = np.arange(n) % 8
    pictures = (pictures * (level / 8)[:, None, None, None]).astype(np.uint8)
    size = np.random.default_rng(0).normal(size=n)
    y = 1000 + 100 * level + 200 * size
    y = y if columns is None else np.stack([y, -y], axis=1)
    tower = ImageRegressor(tiny_network(), image_size=16, cache=False)
    model = MixedRegressor({"photo": tower}, max_epochs=30, lr=0.05, random_state=0)
    table = pd.DataFrame({"photo": list(pictures), "size": size})
    assert model.fit(table, y).predict(table).shape == y.shape
    # Less than 0.6 by one column alone.
    assert model.score(table, y) > 0.8
