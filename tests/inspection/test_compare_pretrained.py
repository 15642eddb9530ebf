"""Comparing features by what is learned from few labels."""

from typing import ClassVar

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from sktransfer import ImageEmbedder, compare_pretrained
from sktransfer.exceptions import TargetError
from tests._tiny import images, tiny_network

Y = np.repeat([0, 1], 40)
SIGNAL = np.random.default_rng(0).normal(size=(80, 4)) + 2 * Y[:, None]
NOISE = np.random.default_rng(1).normal(size=(80, 4))


def giving(features):
    """Return a transformer that gives these features, whatever the rows."""
    return FunctionTransformer(lambda X: features)


def test_better_features_have_a_gain_beyond_its_spread():
    table = compare_pretrained(giving(NOISE), giving(SIGNAL), np.arange(80), Y)
    assert [row["labels_per_class"] for row in table] == [8, 64, "all"]
    for row in table:
        assert row["gain"] == pytest.approx(row["after"] - row["before"])
        assert row["gain"] > 3 * row["gain_std"]
        assert row["after"] > 0.9
    # No class has 64 labels beside those to test on.
    assert table[1] == {**table[2], "labels_per_class": 64}
    assert "gain std" in repr(table)


def test_equal_features_have_no_gain():
    table = compare_pretrained(giving(SIGNAL), giving(SIGNAL), np.arange(80), Y, n_draws=2)
    assert all(row["gain"] == row["gain_std"] == 0 for row in table)


class Recording(LogisticRegression):
    """Records which rows it has learned from when it is scored on them."""

    seen: ClassVar[list] = []

    def fit(self, X, y):
        self.learned = set(X[:, 0])
        return super().fit(X, y)

    def score(self, X, y):
        self.seen.append(self.learned & set(X[:, 0]))
        return super().score(X, y)


def test_a_row_to_test_on_is_never_learned_from():
    compare_pretrained(giving(SIGNAL), giving(SIGNAL), np.arange(80), Y, model=Recording())
    assert len(Recording.seen) == 30
    assert not any(Recording.seen)


def test_an_embedder_that_is_not_fitted_is_fitted_as_a_clone():
    embedder = ImageEmbedder(tiny_network(), cache=False)
    fitted = ImageEmbedder(tiny_network(seed=1), cache=False).fit(images(4))
    table = compare_pretrained(embedder, fitted, images(24), [0, 1] * 12, labels_per_class=[2])
    assert 0 <= table[0]["before"] <= 1
    assert not hasattr(embedder, "fingerprint_")


@pytest.mark.parametrize("y", [[0] * 80, [0] * 79 + [1], np.ones((80, 2))])
def test_targets_that_cannot_be_drawn_from_are_refused(y):
    with pytest.raises(TargetError, match="at least two classes"):
        compare_pretrained(giving(SIGNAL), giving(SIGNAL), np.arange(80), y)


@pytest.mark.parametrize("count", [0, -1, True, 2.5, "some"])
def test_a_number_of_labels_that_is_none_is_refused(count):
    with pytest.raises(ValueError, match="positive integers or 'all'"):
        compare_pretrained(
            giving(SIGNAL), giving(SIGNAL), np.arange(80), Y, labels_per_class=[count]
        )


@pytest.mark.parametrize(
    "option",
    [
        {"labels_per_class": "all"},
        {"labels_per_class": 8},
        {"labels_per_class": []},
        {"n_draws": 0},
        {"n_draws": 1.5},
        {"random_state": None},
        {"random_state": -1},
    ],
    ids=str,
)
def test_options_of_other_kinds_are_refused_by_name(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        compare_pretrained(giving(SIGNAL), giving(SIGNAL), np.arange(80), Y, **option)


def test_a_missing_class_is_refused_by_its_row():
    with pytest.raises(TargetError, match="row 79 of y: None is no class"):
        compare_pretrained(
            giving(SIGNAL), giving(SIGNAL), np.arange(80), [0] * 40 + [1] * 39 + [None]
        )
