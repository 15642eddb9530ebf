"""Dask collections give the rows of their cells, computed lazily."""

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn

from sktransfer import (
    ImageClassifier,
    ImageEmbedder,
    TextClassifier,
    TextEmbedder,
    TextRegressor,
    cache_info,
)
from tests._tiny import images, texts, tiny_network

N_ROWS = 10
TEXTS = texts(N_ROWS)
LABELS = np.array(["law", "pet"])[np.arange(N_ROWS) % 2]
SERIES = pd.Series(TEXTS, name="text", index=np.arange(N_ROWS) * 10)


@pytest.fixture(autouse=True)
def _in_this_thread(cache_folder):
    """Compute the partitions in order, with an empty cache."""
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture
def expected():
    """Return the features of the texts, and cache them."""
    return TextEmbedder().fit_transform(TEXTS)


@pytest.fixture(scope="module")
def fine_tuned():
    """Return a fitted text classifier."""
    return TextClassifier(max_epochs=1, random_state=0, cache=False).fit(SERIES, LABELS)


def lazy_series(partitions=3):
    return dd.from_pandas(SERIES, npartitions=partitions)


def test_nothing_is_computed_before_compute_is_called():
    asked = cache_info().asked
    broken = lazy_series().map_partitions(lambda part: 1 / 0, meta=SERIES.iloc[:0])
    features = TextEmbedder().fit_transform(broken)
    assert features.columns[0] == "text_0"
    assert cache_info().asked == asked
    with pytest.raises(ZeroDivisionError):
        features.compute()


@pytest.mark.parametrize("kind", ["Series", "DataFrame"])
def test_a_data_frame_gives_a_data_frame_with_its_index_and_divisions(kind, expected):
    column = lazy_series() if kind == "Series" else lazy_series().to_frame()
    features = TextEmbedder().fit(column).transform(column)
    assert features.divisions == column.divisions
    pd.testing.assert_frame_equal(features.head(0), features.compute().iloc[:0])
    in_memory = TextEmbedder().set_output(transform="pandas").fit_transform(SERIES.to_frame())
    pd.testing.assert_frame_equal(features.compute(), in_memory)
    np.testing.assert_array_equal(features.compute(), expected)


@pytest.mark.parametrize("shape", [(N_ROWS,), (N_ROWS, 1)])
def test_an_array_gives_an_array_with_its_chunks(shape, expected):
    column = da.from_array(np.array(TEXTS, dtype=object).reshape(shape), chunks=4)
    features = TextEmbedder().fit_transform(column)
    assert features.chunks == ((4, 4, 2), (384,))
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features.compute(), expected)


def test_chunks_of_unknown_length_stay_unknown(expected):
    column = da.from_array(np.array(TEXTS, dtype=object), chunks=4)
    column = column[column != TEXTS[0]]
    features = TextEmbedder().fit_transform(column)
    assert np.isnan(features.shape[0])
    assert features.shape[1] == 384
    np.testing.assert_array_equal(features.compute(), expected[1:])


@pytest.mark.parametrize("flattened", [False, True], ids=["stack", "flattened"])
def test_images_in_an_array_are_assembled_from_any_chunks(flattened):
    pixels = images(N_ROWS)
    options = {"image_shape": (16, 16, 3)} if flattened else {}
    pixels = pixels.reshape(N_ROWS, -1) if flattened else pixels
    embedder = ImageEmbedder(tiny_network(), **options)
    features = embedder.fit_transform(da.from_array(pixels, chunks=(4, *[7] * (pixels.ndim - 1))))
    assert features.chunks == ((4, 4, 2), (6,))
    assert embedder.n_features_in_ == (768 if flattened else 1)
    np.testing.assert_array_equal(features.compute(), embedder.transform(pixels))


def test_a_bag_gives_a_bag_with_one_row_per_cell(expected):
    column = db.from_sequence(TEXTS, npartitions=3)
    features = TextEmbedder().fit_transform(column)
    assert features.npartitions == 3
    pairs = db.zip(column, features).compute()
    assert [text for text, _ in pairs] == TEXTS
    np.testing.assert_array_equal(np.stack([row for _, row in pairs]), expected)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize(
    "column",
    [
        lazy_series(),
        da.from_array(np.array(TEXTS, dtype=object), chunks=4),
        db.from_sequence(TEXTS, npartitions=3),
    ],
    ids=["Series", "Array", "Bag"],
)
def test_set_output_gives_a_lazy_data_frame(library, column, expected):
    asked = cache_info().asked
    with sklearn.config_context(transform_output=library):
        assert isinstance(TextEmbedder().fit_transform(column), dd.DataFrame)
    features = TextEmbedder().set_output(transform=library).fit_transform(column)
    assert isinstance(features, dd.DataFrame)
    assert cache_info().asked == asked
    assert features.columns[-1].endswith("_383")
    np.testing.assert_array_equal(features.compute(), expected)


def test_empty_partitions_give_no_rows(expected):
    column = lazy_series()
    some = column[column == TEXTS[0]]
    features = TextEmbedder().fit(some).transform(some)
    assert list(features.map_partitions(len).compute()) == [1, 0, 0]
    np.testing.assert_array_equal(features.compute(), expected[:1])


def test_a_missing_text_in_its_own_partition_is_nan(expected):
    column = dd.from_pandas(SERIES.mask(SERIES.index == 0), npartitions=N_ROWS)
    features = TextEmbedder(missing="nan").fit_transform(column).compute()
    assert features.isna().all(axis=1).tolist() == [True] + [False] * (N_ROWS - 1)
    np.testing.assert_array_equal(features[1:], expected[1:])


def test_images_as_bytes_in_parquet_are_cells(tmp_path):
    from io import BytesIO

    from PIL import Image

    files = []
    for pixels in images(N_ROWS):
        Image.fromarray(pixels).save(file := BytesIO(), "png")
        files.append(file.getvalue())
    pd.DataFrame({"photo": files}).to_parquet(tmp_path / "photos.parquet")
    column = dd.read_parquet(tmp_path)["photo"]
    features = ImageEmbedder(tiny_network()).fit_transform(column).compute()
    np.testing.assert_array_equal(features, ImageEmbedder(tiny_network()).fit_transform(files))


def test_later_changes_of_the_estimator_do_not_change_the_result(expected):
    embedder = TextEmbedder()
    features = embedder.fit_transform(lazy_series())
    embedder.set_params(layer=0, normalize=True).fit(TEXTS)
    np.testing.assert_array_equal(features.compute(), expected)


def test_equal_estimators_give_equal_task_names_and_others_do_not(fine_tuned):
    def name(embedder, column=None):
        return embedder.fit(lazy_series()).transform(lazy_series())._name

    first = name(TextEmbedder())
    assert name(TextEmbedder()) == first
    assert name(TextEmbedder(normalize=True)) != first
    column = da.from_array(images(N_ROWS), chunks=4)
    names = {ImageEmbedder(tiny_network()).fit_transform(column).name for _ in range(2)}
    assert len(names) == 1
    assert ImageEmbedder(tiny_network(seed=1)).fit_transform(column).name not in names
    again = TextClassifier(max_epochs=2, random_state=0, cache=False).fit(SERIES, LABELS)
    assert again.predict(lazy_series())._name != fine_tuned.predict(lazy_series())._name
    assert fine_tuned.predict(lazy_series())._name == fine_tuned.predict(lazy_series())._name


def test_a_graph_contains_the_estimator_once_and_no_weights():
    import cloudpickle

    features = TextEmbedder().fit_transform(lazy_series(N_ROWS)).optimize()
    tasks = [task for key, task in dict(features.dask).items() if "frame_of" in str(key)]
    assert len(tasks) == N_ROWS
    assert all(len(cloudpickle.dumps(task)) < 3_000 for task in tasks)
    assert len(cloudpickle.dumps(dict(features.dask))) < 60_000


def test_a_classifier_gives_labels_probabilities_and_features(fine_tuned):
    column = lazy_series()
    labels = fine_tuned.predict(column)
    assert isinstance(labels, dd.Series)
    assert labels.divisions == column.divisions
    assert labels.compute().tolist() == fine_tuned.predict(SERIES).tolist()
    probabilities = fine_tuned.predict_proba(column)
    assert probabilities.columns.tolist() == ["law", "pet"]
    np.testing.assert_allclose(probabilities.compute(), fine_tuned.predict_proba(SERIES), rtol=1e-5)
    assert fine_tuned.transform(column).columns[0] == "text_0"


def test_labels_of_arrays_and_bags_have_the_same_container(fine_tuned):
    expected = fine_tuned.predict(TEXTS).tolist()
    array = fine_tuned.predict(da.from_array(np.array(TEXTS, dtype=object), chunks=4))
    assert array.chunks == ((4, 4, 2),)
    assert array.compute().tolist() == expected
    assert fine_tuned.predict(db.from_sequence(TEXTS)).compute() == expected


def test_several_labels_or_numbers_per_row_are_columns():
    both = np.stack([LABELS == "law", LABELS == "pet"], axis=1).astype(int)
    options = {"weights": None, "image_size": 32, "max_epochs": 1, "random_state": 0}
    pixels = images(N_ROWS)
    column = da.from_array(pixels, chunks=(4, 16, 16, 3))
    labels = ImageClassifier("resnet18", **options).fit(pixels, both).predict(column)
    assert labels.shape == (N_ROWS, 2)
    assert labels.dtype == np.int64
    assert set(labels.compute().ravel()) <= {0, 1}
    for y, columns in ((np.arange(N_ROWS), None), (both, ["0", "1"])):
        regressor = TextRegressor(max_epochs=1, random_state=0).fit(SERIES, y)
        found = regressor.predict(lazy_series())
        assert (found.columns.tolist() if columns else None) == columns
        np.testing.assert_allclose(found.compute(), regressor.predict(SERIES), rtol=1e-5)
