"""Vectors of items from their features."""

import numpy as np
import pytest

from sktransfer.recommend import _content_vectors
from sktransfer.recommend._content_vectors import content_vectors, fit_content

N = 60
RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(N, 3)).astype(np.float32)
VECTORS = np.sin(FEATURES @ RNG.normal(size=(3, 4))).astype(np.float32)
LIKES = RNG.integers(0, 9, N)


def test_it_is_kernel_ridge_regression_weighted_by_likes():
    liked = LIKES > 0
    x, y, n = (array[liked].astype(np.float64) for array in (FEATURES, VECTORS, LIKES))
    mean = np.average(y, axis=0, weights=n)

    def kernel(a):
        squares = np.square(a[:, np.newaxis] - x).sum(axis=2)
        return np.exp(-squares / np.square(x - x.mean(axis=0)).sum(axis=1).mean())

    coefficients = np.linalg.solve(kernel(x) + np.diag(1 / n), y - mean)
    found = content_vectors(fit_content(FEATURES, VECTORS, LIKES), FEATURES)
    np.testing.assert_allclose(found, kernel(FEATURES) @ coefficients + mean, atol=1e-4)


def test_items_with_similar_features_have_similar_vectors():
    new = FEATURES[LIKES == 8] + np.float32(0.01)
    found = content_vectors(fit_content(FEATURES, VECTORS, LIKES), new)
    assert np.abs(found - VECTORS[LIKES == 8]).mean() < 0.2 * np.abs(VECTORS).mean()


def test_blocks_give_the_same_as_all_at_once(monkeypatch):
    weights = fit_content(FEATURES, VECTORS, LIKES)
    expected = content_vectors(weights, FEATURES)
    monkeypatch.setattr(_content_vectors, "_BLOCK", 7)
    np.testing.assert_allclose(content_vectors(weights, FEATURES), expected, atol=1e-6)


def test_of_many_items_those_with_the_most_likes_are_used(monkeypatch):
    monkeypatch.setattr(_content_vectors, "_MAX_ITEMS", 10)
    weights = fit_content(FEATURES, VECTORS, LIKES)
    most = np.argsort(-LIKES, kind="stable")[:10]
    np.testing.assert_array_equal(weights["features"], FEATURES[most])


@pytest.mark.parametrize("n", [0, 3])
def test_items_without_features_have_no_vector(n):
    features = np.full((n, 3), np.nan, dtype=np.float32)
    found = content_vectors(fit_content(FEATURES, VECTORS, LIKES), features)
    assert found.shape == (n, 4)
    assert np.isnan(found).all()
