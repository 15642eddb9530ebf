"""Numbers from several columns."""

import numpy as np
import pandas as pd
import pytest

from sktransfer import ImageRegressor, MixedClassifier, MixedRegressor
from sktransfer.exceptions import TargetError
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


@pytest.mark.parametrize("cell", [np.nan, None, np.inf])
@pytest.mark.parametrize("model", [MixedRegressor(), MixedClassifier()])
def test_a_bad_target_is_named_before_towers_are_fitted_to_it(model, cell):
    if isinstance(model, MixedClassifier) and cell == np.inf:
        pytest.skip("scikit-learn names it")
    y = np.resize(np.array([0.0, 1.0], object), 24)
    y[5] = cell
    y = y if cell is None else y.astype(float)
    with pytest.raises(TargetError, match=r"row 5 of y: (nan|None|inf) ") as raised:
        model.fit(pd.DataFrame({"size": range(24), "price": range(24)}), y)
    assert not hasattr(raised.value, "__notes__")
