"""What notebooks show of displays."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sktransfer import HistoryDisplay
from sktransfer.inspection._find_lr import LearningRateDisplay

DISPLAYS = {
    "history": lambda: HistoryDisplay([{"epoch": 1, "phase": "train", "train_loss": 0.5}]),
    "rates": lambda: LearningRateDisplay(np.array([0.1, 1]), np.ones(2), np.ones(2), 0.1),
}


@pytest.mark.parametrize("make", DISPLAYS.values(), ids=DISPLAYS)
def test_a_notebook_shows_the_repr_only_where_it_shows_no_figure(make):
    display = make()
    with pytest.raises(NotImplementedError):  # IPython then shows the repr
        display._ipython_display_()
    display.plot()
    assert display._ipython_display_() is None
    plt.close("all")  # as a notebook does after each cell
    with pytest.raises(NotImplementedError):
        display._ipython_display_()


def test_an_unplotted_range_test_shows_its_suggestion():
    assert repr(DISPLAYS["rates"]()) == "LearningRateDisplay(suggestion=0.1, steps=2)"
