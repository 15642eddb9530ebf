"""Extensibility: a modality, a target and an objective from outside the package.

Each is one short file that follows CONTRIBUTING's recipe. All features of images and texts are
tested with them.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn

from sktransfer import ImageEmbedder, ImagePretrainer, cache_info, load, save
from sktransfer._randomness import seeded
from sktransfer.backbones import get_backbone
from sktransfer.exceptions import BadCellError, BadCellWarning, TargetError, UntrustedWarning
from tests._tiny import images, tiny_network
from tests.contracts.token_labels import TokenClassifier
from tests.contracts.two_views import TwoViews
from tests.contracts.waveforms import WaveformClassifier, WaveformEmbedder, WaveformRecipe

HERE = Path(__file__).parent
EXTENSIONS = ("waveforms.py", "token_labels.py", "two_views.py")


def network():
    """Return a small random network for waveforms, with its preprocessing recipe."""
    with seeded(0):
        net = nn.Sequential(
            nn.Conv2d(1, 4, (1, 8), stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(60, 8), nn.Tanh()
        )
    net.recipe = WaveformRecipe()
    return net


def waves(n):
    """Return n waveforms of two classes, low and high frequency."""
    times, phases = np.linspace(0, 6, 64), np.linspace(0, 3, n)[:, None]
    speeds = np.where(np.arange(n) % 2, 5, 1)[:, None]
    return list(np.sin(speeds * times + phases).astype(np.float32)), ["slow", "fast"] * (n // 2)


@pytest.mark.parametrize("name", EXTENSIONS)
def test_an_extension_is_one_file_of_at_most_80_lines(name):
    assert len((HERE / name).read_text().splitlines()) <= 80


# A modality --------------------------------------------------------------------------------


def test_a_modality_is_embedded_at_every_layer(cache_folder):
    X, _ = waves(20)
    net = network()
    expected = net(torch.from_numpy(np.stack(X)[:, None, None])).detach().numpy()
    features = WaveformEmbedder(net).fit_transform(X)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
    stages = get_backbone(net, modality="waveform").stages
    widths = [WaveformEmbedder(net, layer=layer).fit_transform(X).shape[1] for layer in stages]
    assert widths == [4, 4, 60, 8, 8]


def test_a_modality_is_cached_and_each_distinct_cell_is_computed_once(cache_folder):
    X, _ = waves(20)
    before = cache_info().computed
    features = WaveformEmbedder(network()).fit_transform([*X, *X])
    assert cache_info().rows == cache_info().computed - before == 20
    again = WaveformEmbedder(network()).fit_transform(X[::-1])
    np.testing.assert_array_equal(again, features[:20][::-1])
    assert cache_info().computed - before == 20


def test_a_bad_cell_of_a_modality_is_named_or_becomes_nan():
    X, _ = waves(4)
    X[2] = X[2][:10]
    embedder = WaveformEmbedder(network(), cache=False)
    with pytest.raises(BadCellError, match="row 2: a waveform has 64 samples"):
        embedder.fit_transform(X)
    with pytest.warns(BadCellWarning, match="1 of 4 rows"):
        features = embedder.set_params(on_error="nan").fit_transform(X)
    assert np.isnan(features).any(axis=1).tolist() == [False, False, True, False]


@pytest.mark.parametrize("trainable", ["head", 2, "all", "gradual"])
def test_a_modality_is_classified_by_every_strategy(trainable, cache_folder):
    X, y = waves(40)
    classifier = WaveformClassifier(
        network(), trainable=trainable, max_epochs=40, lr=0.02, random_state=0
    )
    assert classifier.fit(X, y).score(X, y) >= 0.9
    kept, not_kept = (
        clone(classifier).set_params(reuse_activations=reuse, max_epochs=3).fit(X, y)
        for reuse in (True, False)
    )
    np.testing.assert_array_equal(kept.predict_proba(X), not_kept.predict_proba(X))


def test_a_modality_is_cross_validated_in_a_pipeline(cache_folder):
    X, y = waves(40)
    model = make_pipeline(WaveformEmbedder(network()), LogisticRegression())
    assert cross_val_score(model, X, y, cv=4).mean() >= 0.7
    assert cache_info().rows == 40


def test_estimators_of_a_modality_are_saved_and_loaded(tmp_path):
    X, y = waves(20)
    net = network()
    classifier = WaveformClassifier(net, trainable=1, max_epochs=2, cache=False, random_state=0)
    classifier.fit(X, y)
    with pytest.warns(UntrustedWarning, match="tests.contracts"):
        save(classifier, tmp_path / "model.skt")
    loaded = load(tmp_path / "model.skt", trusted=[WaveformClassifier], modules=[net])
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


# A target ----------------------------------------------------------------------------------


def tagged(n):
    """Return n texts, and per token whether it is a digit."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["cat", "7", "house", "42"], 1 + i % 9)) for i in range(n)]
    return texts, [[0, *(int(word.isdigit()) for word in text.split()), 0] for text in texts]


@pytest.mark.parametrize("trainable", ["head", 1, "gradual"])
def test_a_label_per_token_is_learned_by_every_strategy(trainable, cache_folder):
    texts, y = tagged(48)
    classifier = TokenClassifier(
        trainable=trainable, max_epochs=8, lr=2e-3, early_stopping=True, random_state=0
    )
    found = classifier.fit(texts, y).predict(texts)
    assert [len(labels) for labels in found] == [len(labels) for labels in y]
    assert np.mean(np.concatenate(found) == np.concatenate(y)) >= 0.95
    assert classifier.history_[-1]["valid_score"] >= 0.9


def test_a_label_per_token_is_the_same_with_and_without_cached_activations():
    texts, y = tagged(24)
    scores = [
        TokenClassifier(
            trainable=1, max_epochs=2, random_state=0, cache=False, reuse_activations=reuse
        )
        .fit(texts, y)
        ._outputs(texts, head=True)
        for reuse in (True, False)
    ]
    for one, other in zip(*scores, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_surplus_label_is_reported_with_its_row():
    texts, y = tagged(4)
    y[3] = [*y[3], 0]
    with pytest.raises(TargetError, match=r"row 3 of y: \d+ labels, \d+ tokens"):
        TokenClassifier(cache=False).fit(texts, y)


def test_an_estimator_of_token_labels_is_saved_and_loaded(tmp_path):
    texts, y = tagged(12)
    classifier = TokenClassifier(trainable=1, max_epochs=1, cache=False, random_state=0)
    classifier.fit(texts, y)
    with pytest.warns(UntrustedWarning, match="tests.contracts"):
        save(classifier, tmp_path / "model.skt")
    loaded = load(tmp_path / "model.skt", trusted=[TokenClassifier])
    assert loaded.predict(texts) == classifier.predict(texts)


# An objective ------------------------------------------------------------------------------


@pytest.mark.parametrize("trainable", [2, "all", "gradual"])
def test_two_views_are_learned_without_y(trainable, tmp_path):
    X = images(24)
    net = tiny_network()
    pretrainer = ImagePretrainer(
        net,
        objective=TwoViews(),
        trainable=trainable,
        max_epochs=6,
        batch_size=8,
        cache=False,
        random_state=0,
    )
    pretrainer = clone(pretrainer).fit(X)
    losses = [record["train_loss"] for record in pretrainer.history_]
    assert losses[-1] < losses[0]
    assert {record["phase"] for record in pretrainer.history_} == {"two views"}
    features = pretrainer.transform(X)
    as_backbone = ImageEmbedder(backbone=pretrainer, cache=False).fit_transform(X)
    np.testing.assert_allclose(as_backbone, features, rtol=1e-5, atol=1e-6)
    with pytest.warns(UntrustedWarning, match="tests.contracts"):
        save(pretrainer, tmp_path / "model.skt")
    loaded = load(tmp_path / "model.skt", trusted=[TwoViews], modules=[net])
    np.testing.assert_array_equal(loaded.transform(X), features)
