"""The learning rate range test suggests a learning rate and changes nothing."""

import copy
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.callback import ProgressBar
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import Callback

from sktransfer import ImageClassifier, ImageRegressor, TextClassifier, find_lr
from tests._tiny import images, tiny_network

COLUMN, SIDES = images(24), np.arange(24) % 2


def tiny(**options):
    settings = {"batch_size": 8, "random_state": 0, "cache": False}
    return ImageClassifier(tiny_network(), **{**settings, **options})


def test_learning_rates_grow_geometrically_from_low_to_high():
    found = find_lr(tiny(), COLUMN, SIDES, low=1e-5, high=1e-2, steps=31)
    np.testing.assert_allclose(found.rates, np.geomspace(1e-5, 1e-2, 31))
    assert len(found.losses) == len(found.smoothed_losses) == 31
    np.testing.assert_allclose(found.losses[0], np.log(2), rtol=0.1)  # the head starts at zero


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (24, {}),
        (25, {}),  # the last batch of each pass is a single row
        (4, {"batch_size": 32}),
        (24, {"trainable": "gradual"}),
        (24, {"trainable": 1, "early_stopping": True, "probe_epochs": 2}),
        (24, {"optimizer": "sgd", "max_epochs": 1}),
    ],
)
def test_as_many_steps_are_made_as_asked_for(rows, options):
    column, sides = images(rows), np.arange(rows) % 2
    found = find_lr(tiny(**options), column, sides, high=1e-3, steps=30)
    np.testing.assert_allclose(found.rates, np.geomspace(1e-6, 1e-3, 30))


def test_the_range_test_stops_when_nothing_is_left_to_learn():
    found = find_lr(tiny(), COLUMN[:2], SIDES[:2], low=1e-2, high=10, steps=200)
    assert len(found.losses) < 200
    assert found.losses[-1] < 0.01 * found.losses[0] <= min(found.losses[:-1])


def test_the_range_test_stops_when_the_loss_explodes():
    found = find_lr(tiny(optimizer="sgd"), COLUMN, SIDES, high=1e6, steps=200)
    assert 10 < len(found.rates) < 200
    smoothed = found.smoothed_losses
    assert not smoothed[-1] <= 4 * smoothed[:-1].min()
    assert (smoothed[1:-1] <= 4 * np.minimum.accumulate(smoothed)[1:-1]).all()


def test_the_suggestion_is_the_rate_at_half_of_the_loss_decrease():
    found = find_lr(tiny(optimizer="sgd"), COLUMN, SIDES, high=1e6)
    smoothed = found.smoothed_losses
    lowest = np.nanargmin(smoothed)
    highest = smoothed[:lowest].argmax()
    step = found.rates.tolist().index(found.suggestion)
    halfway = (smoothed[highest] + smoothed[lowest]) / 2
    assert highest < step < lowest
    assert (smoothed[highest:step] > halfway).all()
    assert smoothed[step] <= halfway
    assert isinstance(found.suggestion, float)


@pytest.mark.filterwarnings("error")
def test_a_loss_that_never_falls_suggests_the_lowest_rate_and_can_be_plotted():
    found = find_lr(ImageRegressor(tiny_network(), random_state=0), COLUMN[:8], [1.0] * 8, steps=5)
    assert found.suggestion == found.rates[0]
    assert found.plot().lines_
    plt.close("all")


def test_the_suggestion_is_one_of_the_tested_rates():
    found = find_lr(tiny(), COLUMN, SIDES, low=0.5, high=0.6, steps=5)
    assert found.suggestion == 0.5


def test_smoothed_losses_are_running_averages():
    found = find_lr(tiny(), COLUMN, SIDES, steps=20)
    for last in (0, 1, 19):
        weights = 0.9 ** np.arange(last, -1, -1)
        expected = np.average(found.losses[: last + 1], weights=weights)
        np.testing.assert_allclose(found.smoothed_losses[last], expected)


def test_the_estimator_is_not_changed_and_nothing_warns():
    events = []

    class Notes(Callback):
        def on_train_begin(self, net, **kwargs):
            events.append("trained")

    estimator = tiny(
        callbacks=[Notes()],
        random_state=np.random.RandomState(0),
        trainable=1,
        early_stopping=True,
        probe_epochs=1,
        contrastive_epochs=1,
        verbose=1,
    ).set_callbacks(ProgressBar())
    before = {name: copy.copy(value) for name, value in estimator.get_params().items()}
    state = estimator.random_state.get_state()[1].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = find_lr(estimator, COLUMN, SIDES, steps=10)
    assert len(found.rates) == 10
    after = estimator.get_params()
    assert {n: v for n, v in after.items() if n not in ("backbone", "random_state")} == {
        n: v for n, v in before.items() if n not in ("backbone", "random_state")
    }
    np.testing.assert_array_equal(estimator.random_state.get_state()[1], state)
    assert not hasattr(estimator, "module_")
    assert events == []


def test_a_fitted_estimator_keeps_its_state():
    classifier = tiny(max_epochs=2).fit(COLUMN, SIDES)
    before = classifier.predict_proba(COLUMN)
    find_lr(classifier, COLUMN, SIDES, steps=5)
    np.testing.assert_array_equal(classifier.predict_proba(COLUMN), before)
    assert len(classifier.history_) == 2


def test_nothing_is_printed(capfd):
    find_lr(tiny(verbose=1), COLUMN, SIDES, steps=3)
    assert capfd.readouterr() == ("", "")


def test_the_same_seed_gives_the_same_result():
    found = [find_lr(tiny(trainable=1), COLUMN, SIDES, steps=15) for _ in range(2)]
    np.testing.assert_array_equal(found[0].losses, found[1].losses)


@pytest.mark.parametrize("trainable", ["head", 2, "all", "gradual"])
def test_a_regressor_with_all_stages_trainable(trainable):
    regressor = ImageRegressor(tiny_network(), trainable=trainable, random_state=0, cache=False)
    found = find_lr(regressor, COLUMN, np.arange(24.0), steps=8)
    assert np.isfinite(found.losses).all()


def test_a_text_network_learns_with_the_suggested_rate():
    words = ["good", "awful", "lovely", "terrible", "wonderful", "dreadful"]
    frames = ["a {} film", "the acting was {}", "what a {} evening", "my friends called it {}"]
    column = [frame.format(word) for frame in frames for word in words]
    options = {"trainable": 1, "max_epochs": 4, "batch_size": 8, "random_state": 0}
    found = find_lr(TextClassifier(**options), column, SIDES, steps=40)
    assert len(found.rates) < 40
    assert 1e-6 < found.suggestion < 1e-2
    losses = {
        rate: TextClassifier(lr=rate, **options).fit(column, SIDES).history_[-1]["train_loss"]
        for rate in (1e-6, found.suggestion)
    }
    assert losses[found.suggestion] < losses[1e-6]


def test_the_result_is_plotted_into_the_given_axes():
    found = find_lr(tiny(optimizer="sgd"), COLUMN, SIDES, high=1e6, steps=50)
    _, ax = plt.subplots()
    assert found.plot(ax, linewidth=5) is found
    assert found.ax_ is ax
    raw, smoothed, suggestion = found.lines_
    np.testing.assert_array_equal(raw.get_ydata(), found.losses)
    np.testing.assert_array_equal(smoothed.get_xdata(), found.rates)
    assert smoothed.get_linewidth() == 5
    assert suggestion.get_xdata()[0] == found.suggestion
    assert ax.get_xscale() == "log"
    plt.close("all")


def test_unsupported_estimators_are_refused():
    with pytest.raises(TypeError, match="not a LogisticRegression"):
        find_lr(LogisticRegression(), COLUMN, SIDES)
    for rates in ({"low": 0.0}, {"low": 2.0}, {"high": np.inf}, {"high": "1"}):
        with pytest.raises(ValueError, match="0 < low < high"):
            find_lr(tiny(), COLUMN, SIDES, **rates)
    with pytest.raises(ValueError, match="steps must be"):
        find_lr(tiny(), COLUMN, SIDES, steps=1)
