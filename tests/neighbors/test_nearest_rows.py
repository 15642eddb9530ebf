"""Exact search for near rows, in tiles."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from sktransfer.neighbors import _near_pairs, _nearest_rows, near_pairs, nearest_rows, unit_rows

ROWS = unit_rows(np.random.default_rng(0).normal(size=(90, 5)))
OTHERS = unit_rows(np.random.default_rng(1).normal(size=(40, 5)))


@pytest.fixture(autouse=True, params=[16, 256])
def _tile(request, monkeypatch):
    monkeypatch.setattr(_near_pairs, "_TILE", request.param)
    monkeypatch.setattr(_nearest_rows, "_ROWS", request.param)
    monkeypatch.setattr(_nearest_rows, "_COSINES", request.param**2)


def test_pairs_within_are_those_of_all_cosines():
    pairs, cosines = near_pairs(ROWS, threshold=0.8)
    every = np.triu(ROWS @ ROWS.T, 1)
    expected = np.argwhere(every >= 0.8)
    assert pairs.tolist() == expected.tolist()
    np.testing.assert_allclose(cosines, every[tuple(expected.T)], rtol=1e-6)


def test_pairs_across_are_those_of_scikit_learn():
    pairs, _ = near_pairs(ROWS, OTHERS, threshold=0.8)
    search = NearestNeighbors(metric="cosine", algorithm="brute").fit(OTHERS)
    found = search.radius_neighbors(ROWS, radius=0.2, return_distance=False)
    assert {*map(tuple, pairs.tolist())} == {(i, j) for i, row in enumerate(found) for j in row}


@pytest.mark.parametrize("k", [1, 7, 39])
def test_nearest_rows_are_those_of_scikit_learn(k):
    search = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute")
    distances, places = search.fit(OTHERS).kneighbors(ROWS)
    found, ours = nearest_rows(ROWS, OTHERS, k=k)
    assert found.tolist() == places.tolist()
    np.testing.assert_allclose(ours, distances, atol=1e-6)
    within, _ = nearest_rows(OTHERS, k=k)
    assert within.tolist() == search.kneighbors(return_distance=False).tolist()


def test_there_are_no_more_neighbours_than_rows():
    assert nearest_rows(ROWS[:3], k=5)[0].shape == (3, 2)
    assert nearest_rows(ROWS[:1], k=5)[0].shape == (1, 0)
    assert near_pairs(ROWS[:1], threshold=0.1)[0].shape == (0, 2)


def test_a_row_of_zeros_is_near_none():
    rows = unit_rows(np.array([[0, 0], [0, 0], [1, 0]]))
    assert np.isfinite(rows).all()
    assert len(near_pairs(rows, threshold=0.5)[0]) == 0


def test_too_many_pairs_are_refused_before_memory_is_full(monkeypatch):
    monkeypatch.setattr(_near_pairs, "MOST_PAIRS", 100)
    with pytest.raises(ValueError, match=r"more than 100 pairs have a similarity of 0\.1"):
        near_pairs(np.ones((90, 1), np.float32), threshold=0.1)
