"""Search for similar rows: equal to scikit-learn's, for features and for columns."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.cluster import DBSCAN
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.metrics.pairwise import cosine_distances, cosine_similarity
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sktransfer import ImageEmbedder, SimilaritySearch, TextEmbedder, load, save
from sktransfer.exceptions import ColumnError
from sktransfer.neighbors import _approximate_index, _similarity_search, unit_rows
from tests.backbones.huggingface.test_text_families import both

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


# --- Columns ---------------------------------------------------------------------------------

TEXTS = ["a cat", "a kitten", "tax return", "income tax", "a dog", "a cat"]


def embedder(**options):
    return TextEmbedder(cache=False, **options)


@pytest.fixture(scope="module")
def search():
    return SimilaritySearch(embedder(), n_neighbors=2).fit(TEXTS)


def test_a_column_goes_through_a_clone_of_the_embedder(search):
    plain = SimilaritySearch(n_neighbors=2).fit(embedder().fit_transform(TEXTS))
    for found, wanted in zip(search.kneighbors(), plain.kneighbors(), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert not hasattr(search.embedder, "fingerprint_")
    assert (search.n_features_in_, search.n_samples_fit_) == (1, 6)
    assert search.kneighbors(["taxes"], return_distance=False)[0].tolist() in ([2, 3], [3, 2])
    assert search.kneighbors(["a cat"], 2)[0].tolist() == [[0, 0]]
    assert search.kneighbors(["a cat"], return_distance=False).tolist() == [[0, 5]]


@pytest.mark.parametrize(
    "container",
    [np.array, lambda texts: pd.Series(texts, index=list("uvwxyz")), pl.Series, pa.array],
)
def test_containers_give_equal_results(container, search):
    found = SimilaritySearch(embedder(), n_neighbors=2).fit(container(TEXTS))
    np.testing.assert_array_equal(found.kneighbors()[1], search.kneighbors()[1])


def test_a_pipeline_a_frozen_one_and_an_embedder_that_learns_from_y():
    pipeline = make_pipeline(embedder(), PCA(3, random_state=0))
    search = SimilaritySearch(pipeline, n_neighbors=1).fit(TEXTS)
    assert search.kneighbors(TEXTS)[0].max() < 1e-6
    frozen = FrozenEstimator(pipeline.fit(TEXTS[:4]))
    kept = SimilaritySearch(frozen, n_neighbors=1).fit(TEXTS)
    np.testing.assert_allclose(kept._rows, unit_rows(pipeline.transform(TEXTS)), atol=1e-6)
    supervised = make_pipeline(embedder(), LinearDiscriminantAnalysis(n_components=1))
    found = SimilaritySearch(supervised, n_neighbors=1).fit(TEXTS, list("aabbaa"))
    assert found.kneighbors(["a pet"], return_distance=False)[0, 0] not in (2, 3)


def test_a_graph_feeds_estimators_of_precomputed_distances(search):
    y = list("aabbaa")
    model = make_pipeline(clone(search), KNeighborsClassifier(1, metric="precomputed"))
    model.fit(TEXTS, y)
    assert model.predict(["a puppy", "tax"]).tolist() == ["a", "b"]
    assert model.predict(TEXTS).tolist() == y
    graph = search.kneighbors_graph(mode="distance")
    assert DBSCAN(eps=0.9, min_samples=1, metric="precomputed").fit_predict(graph).shape == (6,)
    assert {"embedder__layer", "embedder__cache"} <= set(search.get_params())


def test_texts_find_images_through_the_halves_of_one_model(tmp_path):
    both("clip", tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), np.uint8)
    search = SimilaritySearch(
        ImageEmbedder(tmp_path, cache=False),
        query_embedder=TextEmbedder(tmp_path, cache=False),
        n_neighbors=3,
    ).fit(images)
    queries = ["alpha beta", "gamma"]
    texts = TextEmbedder(tmp_path, cache=False).fit_transform(queries)
    pictures = ImageEmbedder(tmp_path, cache=False).fit_transform(images)
    cosines = cosine_similarity(texts, pictures)
    distances, rows = search.kneighbors(queries)
    assert rows.tolist() == np.argsort(-cosines, axis=1)[:, :3].tolist()
    np.testing.assert_allclose(1 - distances, np.sort(cosines)[:, :-4:-1], atol=1e-6)
    assert search.fit_transform(images).shape == (9, 9)
    save(search, tmp_path / "search.skt")
    np.testing.assert_array_equal(load(tmp_path / "search.skt").kneighbors(queries)[1], rows)


def test_queries_of_another_space_are_refused():
    rows = np.random.default_rng(0).normal(size=(5, 7))
    search = SimilaritySearch(FunctionTransformer(), query_embedder=embedder()).fit(rows)
    with pytest.raises(ValueError, match="384 features, and the rows of the fit 7"):
        search.kneighbors(["a"])
    search.set_params(query_embedder=StandardScaler())
    with pytest.raises(ValueError, match="query_embedder, a StandardScaler, is not fitted"):
        search.kneighbors(rows)


# --- Saving ----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["exact", "approximate"])
def test_a_search_is_saved_pickled_and_cloned(algorithm, tmp_path):
    model = SimilaritySearch(n_neighbors=3, algorithm=algorithm).fit(ROWS)
    wanted = model.kneighbors(QUERIES)
    save(model, tmp_path / "search.skt")
    for again in (
        load(tmp_path / "search.skt"),
        pickle.loads(pickle.dumps(model)),
        clone(model).fit(ROWS),
    ):
        for found, expected in zip(again.kneighbors(QUERIES), wanted, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_column_search_is_saved_with_its_embedder(search, tmp_path):
    save(search, tmp_path / "search.skt")
    again = load(tmp_path / "search.skt")
    np.testing.assert_array_equal(again.kneighbors(["pets"])[1], search.kneighbors(["pets"])[1])


def test_a_search_of_a_read_only_memory_map_does_not_warn(tmp_path):
    model = SimilaritySearch(n_neighbors=3).fit(ROWS)
    joblib.dump(model, tmp_path / "search.joblib")
    mapped = joblib.load(tmp_path / "search.joblib", mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = mapped.kneighbors(QUERIES)
    np.testing.assert_allclose(found[0], model.kneighbors(QUERIES)[0], atol=1e-12)


# --- Approximate search ----------------------------------------------------------------------


def clusters(n, seed=0):
    centres = np.random.default_rng(1).normal(size=(n // 20, 16))
    rng = np.random.default_rng(seed)
    return (centres[rng.integers(0, len(centres), n)] + 0.4 * rng.normal(size=(n, 16))).astype("f4")


def test_approximate_search_misses_few_and_gives_exact_distances():
    rows, queries = clusters(3_000), clusters(200, seed=2)
    exact = SimilaritySearch(n_neighbors=10, algorithm="exact").fit(rows)
    found = SimilaritySearch(n_neighbors=10, algorithm="approximate").fit(rows)
    distances, places = found.kneighbors(queries)
    wanted = exact.kneighbors(queries, return_distance=False)
    shared = [len({*a} & {*b}) / 10 for a, b in zip(places.tolist(), wanted.tolist(), strict=True)]
    assert np.mean(shared) > 0.97
    every = cosine_distances(queries, rows)
    np.testing.assert_allclose(distances, np.take_along_axis(every, places, axis=1), atol=1e-6)
    assert (np.diff(distances) >= 0).all()
    own = found.kneighbors(return_distance=False)
    assert not (own == np.arange(len(rows))[:, None]).any()


@pytest.mark.parametrize("jitter", [0, 1e-7])
@pytest.mark.parametrize("copies", ["rows", "zeros"])
def test_copies_of_a_row_do_not_cut_the_graph(copies, jitter):
    rows = np.random.default_rng(0).normal(size=(1_000, 16))
    again = np.repeat(rows[:1] * (copies == "rows"), 300, axis=0)
    again += jitter * np.random.default_rng(1).normal(size=again.shape)
    rows = np.concatenate([rows, again]).astype(np.float32)
    exact, found = (
        SimilaritySearch(algorithm=algorithm).fit(rows) for algorithm in ("exact", "approximate")
    )
    missed = found.kneighbors()[0] - exact.kneighbors()[0] > 1e-6
    assert missed.mean() < 0.05
    if not jitter:
        assert (
            found.kneighbors(rows[:1], 3)[1].tolist() == exact.kneighbors(rows[:1], 3)[1].tolist()
        )
    assert all(len({*near}) == 1_200 for near in found.kneighbors(rows[:3], 1_200)[1].tolist())


def test_how_many_are_examined_per_query_can_be_set_after_fit():
    rows, queries = clusters(2_000), clusters(100, seed=2)
    model = SimilaritySearch(algorithm="approximate", connectivity=4, expansion_search=1).fit(rows)
    few = model.kneighbors(queries)[0].mean()
    assert model.set_params(expansion_search=500).kneighbors(queries)[0].mean() < few
    assert model.set_params(expansion_search=1).kneighbors(queries)[0].mean() == few


@pytest.mark.parametrize("algorithm", ["auto", "exact", "approximate"])
def test_no_threads_are_refused(algorithm):
    with pytest.raises(ValueError, match=r"The 'n_jobs' parameter .* Got 0 instead"):
        SimilaritySearch(algorithm=algorithm, n_jobs=0).fit(ROWS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("expansion_search", "expansion_add") for value in (0, 1.5)),
        *(("connectivity", 1), ("n_neighbors", 0), ("mode", "x"), ("algorithm", "x")),
    ],
)
def test_parameters_are_refused_in_fit_and_when_they_are_set_later(name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of SimilaritySearch"):
        SimilaritySearch(**{name: value}).fit(ROWS)
    later = SimilaritySearch(algorithm="approximate").fit(ROWS).set_params(**{name: value})
    for search in (later.kneighbors, later.transform):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of SimilaritySearch"):
            search(QUERIES)


def one_hot(n, columns, values):
    """Return rows whose cosines are the shares of the columns in which they agree."""
    numbers = np.random.default_rng(0).integers(0, values, (n, columns))
    return np.eye(values, dtype="f4")[numbers].reshape(n, -1)


@pytest.mark.parametrize(
    ("columns", "values", "expansion"), [(3, 10, 48), (5, 10, 48), (10, 4, 48), (3, 40, 200)]
)
def test_of_rows_at_one_distance_any_are_neighbours(columns, values, expansion):
    rows = one_hot(3_200, columns, values)
    exact, near = (
        SimilaritySearch(n_neighbors=10, algorithm=algorithm, expansion_search=expansion)
        .fit(rows[:3_000])
        .kneighbors(rows[3_000:])[0]
        for algorithm in ("exact", "approximate")
    )
    last = exact[:, -1:]
    nearer, found = (np.sum(d < last - 1e-6, axis=1) for d in (exact, near))
    equal = np.minimum(np.isclose(near, last, atol=1e-6).sum(axis=1), 10 - nearer)
    assert (found + equal).mean() > 9.7


def test_rows_that_share_a_large_part_are_told_apart_by_exact_search_only():
    rows = 1 + 1e-4 * np.random.default_rng(0).normal(size=(500, 16))
    expected = NearestNeighbors(metric="cosine").fit(rows).kneighbors()[1]
    exact, approximate = (
        SimilaritySearch(algorithm=algorithm).fit(rows).kneighbors()[1]
        for algorithm in ("exact", "approximate")
    )
    assert (exact == expected).mean() > 0.99
    assert (approximate == expected).mean() < 0.5


def test_auto_is_approximate_for_many_rows_where_usearch_is_there(monkeypatch):
    assert SimilaritySearch().fit(ROWS).algorithm_ == "exact"
    monkeypatch.setattr(_similarity_search, "_MANY", 200)
    assert SimilaritySearch().fit(ROWS).algorithm_ == "approximate"
    monkeypatch.setattr(_approximate_index, "find_spec", lambda name: None)
    assert SimilaritySearch().fit(ROWS).algorithm_ == "exact"
    with pytest.raises(ImportError, match=r"pip install 'sktransfer\[search\]'"):
        SimilaritySearch(algorithm="approximate").fit(ROWS)


# --- Edge cases ------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["exact", "approximate"])
def test_rows_of_nan_are_nobodys_neighbours(algorithm):
    texts = pd.Series(["a cat", None, "a kitten", "tax", "a dog"], index=list("vwxyz"))
    model = SimilaritySearch(embedder(missing="nan"), n_neighbors=4, algorithm=algorithm)
    model.fit(texts)
    assert (model.left_out_.tolist(), model.n_samples_fit_) == ([1], 5)
    assert sorted(model.kneighbors(["a pet"])[1][0].tolist()) == [0, 2, 3, 4]
    assert model.kneighbors_graph(["a pet"]).shape == (1, 5)
    with pytest.raises(ColumnError, match=r"1 queries .* rows 1 \('w'\)\. Leave"):
        model.kneighbors(texts)
    with pytest.raises(ColumnError, match="1 rows of the fit have features that are NaN"):
        model.kneighbors()
    with pytest.raises(ColumnError, match="All 2 rows"):
        model.fit([None, None])


@pytest.mark.parametrize("algorithm", ["exact", "approximate"])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_more_neighbours_than_rows_are_refused(algorithm, n):
    model = SimilaritySearch(n_neighbors=n, algorithm=algorithm).fit(ROWS[:n])
    assert model.kneighbors(ROWS[:1])[1].shape == (1, n)
    with pytest.raises(ValueError, match=f"n_neighbors <= {n - 1}, .* without the row itself"):
        model.kneighbors()
    with pytest.raises(ValueError, match=f"n_neighbors <= {n}, the number"):
        model.kneighbors(ROWS, n + 1)


@pytest.mark.parametrize(("k", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_numbers_of_neighbours_that_make_no_sense_are_refused(k, error):
    with pytest.raises(error, match="n_neighbors"):
        SimilaritySearch().fit(ROWS).kneighbors(ROWS, k)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_rows_are_found_in_their_order_at_distance_zero(dtype):
    rows = np.concatenate([ROWS, np.repeat(ROWS[:2], 150, axis=0)]).astype(dtype)
    model = SimilaritySearch(n_neighbors=4).fit(rows)
    distances, places = model.kneighbors(rows[:2])
    assert places.tolist() == [[0, 300, 301, 302], [1, 450, 451, 452]]
    assert not distances.any()
    assert model.kneighbors()[1][[0, 300]].tolist() == [[300, 301, 302, 303], [0, 301, 302, 303]]


@pytest.mark.parametrize(("rows", "queries"), [("f4", "f8"), ("f8", "f4")])
def test_equal_rows_of_two_precisions_are_at_distance_zero(rows, queries):
    X = ROWS.astype("f4")
    distances, places = (
        SimilaritySearch(n_neighbors=1).fit(X.astype(rows)).kneighbors(X.astype(queries))
    )
    assert not distances.any()
    assert distances.dtype == rows
    assert places[:, 0].tolist() == [*range(300)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of StandardScaler
def test_a_fit_that_fails_leaves_an_earlier_one_as_it_is():
    search = SimilaritySearch(StandardScaler()).fit(ROWS)
    expected = search.kneighbors(ROWS[:3])
    with pytest.raises(ColumnError, match="have features that are NaN"):
        search.fit(np.full((4, 2), np.nan))
    for found, before in zip(search.kneighbors(ROWS[:3]), expected, strict=True):
        np.testing.assert_array_equal(found, before)
    assert search.n_features_in_ == ROWS.shape[1]


def test_an_embedder_that_drops_rows_is_refused():
    drops = FunctionTransformer(lambda rows: rows[:-1])
    with pytest.raises(ValueError, match="gives 299 rows of features for the 300 rows of X"):
        SimilaritySearch(drops).fit(ROWS)


@pytest.mark.parametrize(("dtype", "size"), [("f4", 1e30), ("f8", 1e300)])
def test_zero_huge_and_tiny_rows(dtype, size):
    rows = np.array([[0, 0], [size, 0], [1 / size, 1 / size], [0, 2]], dtype)
    distances, places = SimilaritySearch(n_neighbors=3).fit(rows).kneighbors()
    np.testing.assert_allclose(distances[0], 1)
    assert places[1].tolist() == [2, 0, 3]
    np.testing.assert_allclose(distances[1], [1 - 0.5**0.5, 1, 1], atol=1e-6)


def test_features_are_checked():
    with pytest.raises(
        ColumnError, match=r"column \(text\).* SimilaritySearch\(TextEmbedder\(\)\)"
    ):
        SimilaritySearch().fit(TEXTS)
    model = SimilaritySearch().fit(pd.DataFrame(ROWS[:, :2], columns=["a", "b"]))
    with pytest.raises(ValueError, match="feature names"):
        model.kneighbors(pd.DataFrame(ROWS[:, :2], columns=["a", "c"]))
    with pytest.raises(ValueError, match="X has 3 features"):
        model.kneighbors(ROWS[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        SimilaritySearch().fit([[np.nan, 1], [1, 2]])
    with pytest.raises(ValueError, match="infinity"):
        SimilaritySearch().fit([[np.inf, 1], [1, 2]])
    masked = np.ma.masked_greater(ROWS[:, :2], 2)
    for call in (SimilaritySearch().fit, model.kneighbors):
        with pytest.raises(ColumnError, match=rf"X has {masked.mask.sum()} masked features"):
            call(masked)
    with pytest.raises(TypeError, match="sparse features"):
        SimilaritySearch(TfidfVectorizer()).fit(TEXTS)
    with pytest.raises(ValueError, match="mode='x' must be"):
        model.kneighbors_graph(mode="x")
    with pytest.raises(NotFittedError):
        SimilaritySearch().kneighbors()
