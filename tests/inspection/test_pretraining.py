"""The display of a pre-training."""

import matplotlib.pyplot as plt
import pytest

from sktransfer import ImageClassifier, ImagePretrainer, PretrainingDisplay
from tests._tiny import images, tiny_network


@pytest.fixture(scope="module")
def pretrainer():
    X = images(24)
    fitted = ImagePretrainer(tiny_network(), max_epochs=2, cache=False, random_state=0)
    return fitted.fit(X, X_val=X[:12], y_val=[0, 1] * 6)


def test_losses_and_qualities_are_drawn_from_epoch_0(pretrainer):
    display = PretrainingDisplay.from_estimator(pretrainer)
    assert [ax.get_ylabel() for ax in display.axes_] == ["loss", "effective rank", "10-NN score"]
    for name in ("effective_rank", "knn_score"):
        line = display.lines_[name]
        expected = [pretrainer.initial_scores_[name], *(r[name] for r in pretrainer.history_)]
        assert line.get_ydata().tolist() == expected
        assert line.get_xdata().tolist() == [0, 1, 2]
    assert display.lines_["valid_loss"].get_ydata()[1:].tolist() == [
        record["valid_loss"] for record in pretrainer.history_
    ]
    plt.close(display.figure_)


def test_given_axes_are_used_and_counted(pretrainer):
    figure, axes = plt.subplots(1, 3)
    assert PretrainingDisplay.from_estimator(pretrainer, ax=axes).figure_ is figure
    with pytest.raises(ValueError, match="ax must hold 3 axes"):
        PretrainingDisplay.from_estimator(pretrainer, ax=axes[:2])
    plt.close(figure)


def test_what_is_no_pretrainer_is_refused():
    with pytest.raises(TypeError, match="HistoryDisplay draws"):
        PretrainingDisplay.from_estimator(ImageClassifier())
