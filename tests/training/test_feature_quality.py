"""Effective rank and neighbours' score equal hand computations."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from torch import nn

from sktransfer import ImageEmbedder, ImagePretrainer
from sktransfer.exceptions import CollapseWarning, DivergedError
from sktransfer.modalities.image import ImageRecipe
from sktransfer.training._feature_quality import effective_rank, knn_score
from sktransfer.training.objectives import SelfSupervised
from tests._tiny import images, tiny_network


def test_effective_rank():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 6)) @ np.diag([5, 4, 3, 2, 1, 0])
    values = np.linalg.svd(features)[1]
    shares = values[:5] / values.sum()
    np.testing.assert_allclose(effective_rank(features), np.prod(shares**-shares))
    np.testing.assert_allclose(effective_rank(np.eye(7)), 7)
    np.testing.assert_allclose(effective_rank(np.ones((7, 4))), 1)
    assert effective_rank(np.zeros((7, 4))) == 1


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_knn_score_leaves_each_row_out(kind):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 5))
    y = features[:, 0] > 0 if kind == "classes" else features[:, 0]
    model = KNeighborsClassifier if kind == "classes" else KNeighborsRegressor
    predicted = []
    for row in range(60):
        rest = np.arange(60) != row
        knn = model(10, metric="cosine").fit(features[rest], y[rest])
        predicted.append(knn.predict(features[[row]])[0])
    if kind == "classes":
        expected = np.mean(np.array(predicted) == y)
    else:
        expected = 1 - np.square(y - predicted).sum() / np.square(y - y.mean()).sum()
    np.testing.assert_allclose(knn_score(features, y), expected)


class Collapse(SelfSupervised):
    """Change weights a little in each step, and make them almost equal in step `last`."""

    name = "collapse"

    def __init__(self, last: int) -> None:
        self.steps = last

    def loss(self, module, batch, targets, weights):
        linear = module.network.stages["stage1"]
        self.steps -= module.training
        if self.steps == 0:
            with torch.no_grad():
                linear.weight[1:] = linear.weight[:1]
        features = module.features(batch.inputs)
        return features.square().mean(), features


def linear_network():
    """Return a random projection of images of 16 pixels to 48 features of high rank."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, 48))
    network[1].weight.data = torch.randn(48, 768, generator=torch.manual_seed(0)) / 16
    nn.init.zeros_(network[1].bias)
    network.recipe = ImageRecipe(size=(16, 16), resize=16)
    return network


def collapsing(last, **params):
    """Return a pretrainer with 4 steps per epoch of 64 images."""
    options = {"max_epochs": 9, "batch_size": 16, "lr": 1e-4, "cache": False, "random_state": 0}
    return ImagePretrainer(
        linear_network(), objective=Collapse(last), augment=None, **{**options, **params}
    )


def test_a_collapse_stops_the_fit_and_keeps_the_epoch_before():
    X = images(64)
    pretrainer = collapsing(last=11)
    with pytest.warns(CollapseWarning, match=r"rank fell from 41.* to 1.*weights of epoch 2"):
        pretrainer.fit(X)
    ranks = [record["effective_rank"] for record in pretrainer.history_]
    assert len(ranks) == 3
    assert pretrainer.best_epoch_ == 2
    np.testing.assert_allclose(effective_rank(pretrainer.transform(X)), ranks[1], rtol=1e-3)


def test_a_collapse_keeps_the_epoch_of_the_lowest_validation_loss():
    X = images(64)
    pretrainer = collapsing(last=15, early_stopping=True)  # 58 rows to train on
    with pytest.warns(CollapseWarning, match="weights of epoch 3"):
        pretrainer.fit(X)
    losses = [record["valid_loss"] for record in pretrainer.history_]
    assert len(losses) == 4
    assert losses[2] == min(losses[:3])
    assert effective_rank(pretrainer.transform(X)) > 30


def test_a_collapse_in_the_first_epoch_keeps_the_weights_before_it():
    X = images(64)
    before = ImageEmbedder(linear_network(), cache=False).fit_transform(X)
    pretrainer = collapsing(last=2)
    with pytest.warns(CollapseWarning, match="the weights before the first epoch"):
        pretrainer.fit(X)
    assert pretrainer.best_epoch_ == 0
    np.testing.assert_allclose(pretrainer.transform(X), before, atol=1e-6)


@pytest.mark.parametrize(
    ("y_val", "message"),
    [
        (np.eye(8), "one class or number per row"),
        ([1] * 7, "inconsistent numbers of samples"),
        (np.zeros((8, 1)), r"its shape is \(8, 1\)"),
        ([0] * 7 + [None], "row 7 of y_val: None is neither a class nor a number"),
        ([0.5] * 7 + [np.nan], "row 7 of y_val: nan is neither"),
    ],
)
def test_a_y_val_that_is_no_class_or_number_is_refused(y_val, message):
    pretrainer = ImagePretrainer(tiny_network(), max_epochs=1, cache=False)
    with pytest.raises(ValueError, match=message):
        pretrainer.fit(images(8), X_val=images(8, seed=1), y_val=y_val)
    assert not hasattr(pretrainer, "module_")


def test_scores_of_too_few_rows_are_no_numbers():
    assert np.isnan(effective_rank(np.empty((0, 4))))
    assert np.isnan(knn_score(np.ones((1, 4)), np.array(["a"])))


def test_rows_that_were_alike_before_do_not_collapse():
    pretrainer = ImagePretrainer(tiny_network(), max_epochs=2, cache=False, random_state=0)
    pretrainer.fit(np.zeros((8, 16, 16, 3), dtype=np.uint8))  # a warning would be an error
    assert len(pretrainer.history_) == 2


def test_a_training_that_diverges_is_not_said_to_collapse():
    with pytest.raises(DivergedError):  # a warning would be an error
        ImagePretrainer(tiny_network(), lr=1e30, cache=False).fit(images(16))


def test_a_warm_start_compares_with_the_features_before_the_first_fit():
    X = images(64)
    pretrainer = collapsing(last=-1, warm_start=True, max_epochs=1).fit(X)
    initial = dict(pretrainer.initial_scores_)
    pretrainer.set_params(objective=Collapse(2))
    with pytest.warns(CollapseWarning, match=r"rank fell from 41.*the weights of epoch 1"):
        pretrainer.fit(X)
    assert pretrainer.best_epoch_ == 1
    assert pretrainer.initial_scores_ == initial
