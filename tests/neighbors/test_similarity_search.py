"""Search for similar rows: equal to scikit-learn's, for features and for columns."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsTransformer, NearestNeighbors
from sklearn.utils.estimator_checks import parametrize_with_checks

from sktransfer import SimilaritySearch

RNG = np.random.default_rng(0)
ROWS, QUERIES = RNG.normal(size=(300, 12)), RNG.normal(size=(50, 12))


@parametrize_with_checks(
    [SimilaritySearch(n_neighbors=2), SimilaritySearch(n_neighbors=2, algorithm="approximate")]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 5, 299])
def test_neighbours_are_those_of_scikit_learn(k, dtype):
    rows, queries = ROWS.astype(dtype), QUERIES.astype(dtype)
    theirs = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(rows)
    ours = SimilaritySearch(n_neighbors=k).fit(rows)
    for X in (queries, None):
        (distances, places), (wanted, expected) = ours.kneighbors(X), theirs.kneighbors(X)
        assert distances.dtype == dtype
        np.testing.assert_allclose(distances, wanted, atol=1e-6 if dtype == np.float32 else 1e-12)
        if dtype == np.float64 or k < 299:  # the order of far rows is decided by the last digit
            assert places.tolist() == expected.tolist()
        assert ours.kneighbors(X, return_distance=False).tolist() == places.tolist()


@pytest.mark.parametrize("queries", [QUERIES, None])
@pytest.mark.parametrize("how", [{"mode": "distance"}, {"n_neighbors": 3}])
def test_a_graph_is_that_of_scikit_learn(queries, how):
    theirs = NearestNeighbors(metric="cosine").fit(ROWS).kneighbors_graph(queries, **how)
    ours = SimilaritySearch().fit(ROWS).kneighbors_graph(queries, **how)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), atol=1e-12)


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_the_graph_is_that_of_kneighbors_transformer(mode):
    theirs = KNeighborsTransformer(mode=mode, n_neighbors=4, metric="cosine")
    ours = SimilaritySearch(n_neighbors=4, mode=mode)
    wanted, found = theirs.fit_transform(ROWS), ours.fit_transform(ROWS)
    assert found.nnz == wanted.nnz
    np.testing.assert_allclose(found.toarray(), wanted.toarray(), atol=1e-12)
    np.testing.assert_allclose(
        ours.transform(QUERIES).toarray(), theirs.transform(QUERIES).toarray(), atol=1e-12
    )
    assert ours.get_feature_names_out()[-1] == "similaritysearch299"
