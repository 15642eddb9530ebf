"""A fit equals a plain PyTorch loop over the same batches, with and without reuse."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from sktransfer import ImageClassifier, ImageEmbedder, ImageRegressor, TextClassifier
from sktransfer.modalities.image import ImageRecipe
from sktransfer.training._samplers import in_batches
from tests._tiny import images, texts

PLAIN = {"cache": False, "random_state": 0, "warmup": 0.0, "lr_schedule": "constant"}


def small_network() -> nn.Module:
    """Return a network with batch norms in two stages."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU()),
        nn.Sequential(nn.Conv2d(6, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU()),
    )
    network.recipe = ImageRecipe(size=(16, 16), resize=16)
    return network


def batches_of(estimator, n_rows, epochs):
    """Return the batches of each epoch, in the order in which the estimator draws them."""
    random = np.random.RandomState(estimator.random_state)
    random.randint(2**31)  # seed of all other random numbers
    return [
        in_batches(random.permutation(np.arange(n_rows)), estimator.batch_size)
        for _ in range(epochs)
    ]


def plain_head(column, y):
    """Return scaled features of the small network, a head and its optimizer."""
    features = torch.from_numpy(ImageEmbedder(small_network(), cache=False).fit_transform(column))
    scaled = (features - features.mean(0)) / features.std(0, unbiased=False)
    head = nn.Linear(features.shape[1], 3)
    nn.init.zeros_(head.weight)
    shares = (np.bincount(y) + 0.5) / (len(y) + 1.5)
    head.bias.data = torch.from_numpy(np.log(shares)).float()
    groups = [
        {"params": [head.weight], "weight_decay": 0.01},
        {"params": [head.bias], "weight_decay": 0.0},
    ]
    return scaled, head, torch.optim.AdamW(groups, lr=0.01)


def test_a_head_is_trained_as_in_a_plain_loop():
    column, y = images(40), np.arange(40) % 3
    estimator = ImageClassifier(small_network(), max_epochs=4, batch_size=8, lr=0.01, **PLAIN)
    estimator.fit(column, y)

    scaled, head, optimizer = plain_head(column, y)
    for batches in batches_of(estimator, 40, 4):
        for rows in batches:
            optimizer.zero_grad()
            functional.cross_entropy(head(scaled[rows]), torch.tensor(y[rows])).backward()
            optimizer.step()
    expected = head(scaled).softmax(1).detach().numpy()
    np.testing.assert_allclose(estimator.predict_proba(column), expected, atol=1e-5)


def test_mixup_blends_rows_as_a_plain_loop_does():
    column, y = images(40), np.arange(40) % 3
    options = {"max_epochs": 4, "batch_size": 8, "lr": 0.01, "mixup": 0.4}
    estimator = ImageClassifier(small_network(), **options, **PLAIN).fit(column, y)

    scaled, head, optimizer = plain_head(column, y)
    random = np.random.RandomState(0)
    random.randint(2**31)  # seed of all other random numbers
    for _ in range(4):
        for rows in in_batches(random.permutation(np.arange(40)), 8):
            share = random.beta(0.4, 0.4)
            partners = np.array(rows)[random.permutation(8)]
            optimizer.zero_grad()
            outputs = head(share * scaled[rows] + (1 - share) * scaled[partners])
            losses = [
                functional.cross_entropy(outputs, torch.tensor(y[r])) for r in (rows, partners)
            ]
            (share * losses[0] + (1 - share) * losses[1]).backward()
            optimizer.step()
    expected = head(scaled).softmax(1).detach().numpy()
    np.testing.assert_allclose(estimator.predict_proba(column), expected, atol=1e-5)


@pytest.mark.parametrize("trainable", ["all", 1])
def test_opened_stages_are_trained_step_by_step_as_in_a_plain_loop(trainable):
    column, y = images(40), np.arange(40) % 3
    options = {"max_epochs": 4, "batch_size": 8, "lr": 0.05, "weight_decay": 0.0}
    estimator = ImageClassifier(
        small_network(), trainable=trainable, optimizer="sgd", **options, **PLAIN
    ).fit(column, y)

    network = copy.deepcopy(small_network()).eval().to(memory_format=torch.channels_last)
    scaled = ImageRecipe(size=(16, 16), resize=16).scale(torch.from_numpy(column))
    with torch.no_grad():
        features = network(scaled).mean((2, 3))
    mean, deviation = features.mean(0), features.std(0, unbiased=False)
    head = nn.Linear(8, 3)
    nn.init.zeros_(head.weight)
    head.bias.data = torch.from_numpy(np.log((np.bincount(y) + 0.5) / 41.5)).float()
    opened = network if trainable == "all" else network[-1]
    parameters = [*head.parameters(), *opened.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)

    def outputs(rows):
        return head((network(scaled[rows]).mean((2, 3)) - mean) / deviation)

    losses = []
    for batches in batches_of(estimator, 40, 4):  # 4 epochs of 5 steps
        for rows in batches:
            opened.train()
            optimizer.zero_grad()
            loss = functional.cross_entropy(outputs(rows), torch.tensor(y[rows]))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    network.eval()
    expected = outputs(list(range(40))).softmax(1).detach().numpy()
    np.testing.assert_allclose(estimator.predict_proba(column), expected, atol=1e-5)
    epochs = np.reshape(losses, (4, 5)).mean(1)
    recorded = [record["train_loss"] for record in estimator.history_]
    np.testing.assert_allclose(recorded, epochs, atol=1e-5)


@pytest.mark.parametrize("trainable", ["head", 1, 2, "gradual"])
def test_reused_activations_are_bit_identical_for_images(trainable):
    column, y = images(37), np.arange(37) % 3
    options = {"max_epochs": 3, "batch_size": 8, "weights": None, "image_size": 64, **PLAIN}
    found = [
        ImageClassifier("resnet18", trainable=trainable, reuse_activations=reuse, **options)
        .fit(column, y)
        .predict_proba(column)
        for reuse in (True, False)
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("trainable", ["head", 1, "gradual"])
def test_reused_activations_are_bit_identical_for_texts(trainable):
    column, y = texts(20), np.arange(20) % 3
    options = {"max_epochs": 2, "batch_size": 8, "lr": 1e-4, **PLAIN}
    found = [
        TextClassifier(trainable=trainable, reuse_activations=reuse, **options)
        .fit(column, y)
        .predict_proba(column)
        for reuse in (True, False)
    ]
    np.testing.assert_array_equal(*found)


def test_fits_with_reused_activations_equal_those_of_the_whole_network():
    """A forward pass of the whole network per batch gives the same weights up to rounding."""
    column, y = texts(20), np.arange(20) % 3
    options = {"max_epochs": 2, "batch_size": 8, "lr": 1e-4, "trainable": 1, **PLAIN}
    reused = TextClassifier(**options).fit(column, y)
    whole = TextClassifier(**options)
    whole._augmentation = lambda: lambda items, targets: (items, targets)
    np.testing.assert_allclose(
        reused.predict_proba(column), whole.fit(column, y).predict_proba(column), atol=1e-4
    )


def test_a_weight_of_two_equals_a_repeated_row_in_full_batches():
    column, y = images(12), np.array([0.0, 1, 2] * 4)
    options = {"max_epochs": 60, "batch_size": 64, "optimizer": "sgd", "lr": 0.05, **PLAIN}
    options |= {"momentum": 0.0, "weight_decay": 0.0}
    weights = np.array([1.0, 2, 3] * 4)
    weighted = ImageRegressor(small_network(), **options).fit(column, y, sample_weight=weights)
    repeated = ImageRegressor(small_network(), **options)
    repeats = weights.astype(int)
    # The head is standardized on the rows without weights, so both take the same scale.
    repeated._new_module = lambda *args, **kwargs: _with_scale_of(
        ImageRegressor._new_module(repeated, *args, **kwargs), weighted.module_
    )
    repeated.fit(np.repeat(column, repeats, axis=0), np.repeat(y, repeats))
    np.testing.assert_allclose(repeated.predict(column), weighted.predict(column), atol=1e-4)


def _with_scale_of(module, other):
    module.head.start = lambda features, bias: None
    module.head.mean.copy_(other.head.mean)
    module.head.deviation.copy_(other.head.deviation)
    return module


@pytest.mark.parametrize("trainable", [pytest.param("gradual", marks=pytest.mark.slow), 1])
def test_a_warm_start_computes_activations_with_the_trained_stages(trainable):
    """Activations below the cut of a warm start are not those of the untrained network."""
    column, y = texts(24), np.arange(24) % 3
    options = {"max_epochs": 8, "batch_size": 8, "lr": 2e-4, "trainable": trainable, **PLAIN}
    warm = TextClassifier(warm_start=True, **options).fit(column, y)
    first, last = warm.history_[0]["train_loss"], warm.history_[-1]["train_loss"]
    assert last < first / 2
    warm.set_params(lr=1e-9, max_epochs=1).fit(column, y)
    assert warm.history_[-1]["train_loss"] < (first + last) / 2
