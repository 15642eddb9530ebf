"""Errors in a collection are raised as early as possible, with their position."""

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from sktransfer import ImageEmbedder, TextClassifier, TextEmbedder, find_lr
from sktransfer.exceptions import BadCellError, BadCellWarning, ColumnError, WeightsError
from tests._tiny import images, texts, tiny_network

N_ROWS = 9
LABELS = np.arange(N_ROWS) % 2
SERIES = pd.Series(texts(N_ROWS), name="text", index=list("abcdefghi"))
BAD = SERIES.mask(SERIES.index == "h")
LAZY = dd.from_pandas(SERIES, npartitions=3)


@pytest.fixture(autouse=True)
def _in_this_thread(cache_folder):
    """Compute the partitions in order, with an empty cache."""
    with dask.config.set(scheduler="sync"):
        yield


def test_a_bad_cell_is_named_by_its_partition_row_and_label():
    features = TextEmbedder().fit_transform(dd.from_pandas(BAD, npartitions=3))
    with pytest.raises(
        BadCellError, match=r"in partition 2: row 1 \(index 'h'\).*on_error"
    ) as told:
        features.compute()
    assert told.value.row == 1


@pytest.mark.parametrize(
    "column",
    [
        da.from_array(BAD.astype(object).to_numpy(), chunks=3),
        db.from_sequence(BAD.tolist(), partition_size=3),
    ],
    ids=["Array", "Bag"],
)
def test_a_bad_cell_of_an_array_or_a_bag_is_named_by_its_partition_and_row(column):
    with pytest.raises(BadCellError, match="in partition 2: row 1: "):
        TextEmbedder().fit_transform(column).compute()


def test_on_error_nan_affects_only_the_bad_row():
    column = dd.from_pandas(BAD, npartitions=3)
    with pytest.warns(BadCellWarning, match=r"1 of 3 rows.*row 1 \(index 'h'\)"):
        found = TextEmbedder(on_error="nan").fit_transform(column).compute()
    assert found.index[found.isna().any(axis=1)].tolist() == ["h"]


def test_a_data_frame_of_several_columns_is_refused_immediately():
    table = LAZY.to_frame().assign(other=1)
    with pytest.raises(ColumnError, match=r"2 columns \('text', 'other'\)"):
        TextEmbedder().fit(table)


def test_a_column_of_numbers_is_refused_immediately():
    with pytest.raises(ColumnError, match="is the number"):
        TextEmbedder().fit(LAZY.str.len())


def test_a_column_other_than_that_of_the_fit_is_refused_immediately():
    embedder = TextEmbedder().fit(LAZY.to_frame())
    with pytest.raises(ColumnError, match="fitted on column 'text', not 'title'"):
        embedder.transform(LAZY.to_frame("title"))


def test_cells_of_unknown_shape_are_refused_immediately():
    pixels = da.from_array(images(N_ROWS), chunks=3)
    unknown = pixels[:, pixels[0, :, 0, 0] > 100]
    with pytest.raises(ColumnError, match="compute_chunk_sizes"):
        ImageEmbedder(tiny_network()).fit(unknown)


@pytest.mark.parametrize(
    "other", [dask.delayed(list)(SERIES), LAZY.count(), LAZY.index, da.zeros(())]
)
def test_dask_objects_other_than_a_column_are_refused(other):
    with pytest.raises(ColumnError, match="is not a column"):
        TextEmbedder().fit(other)


def test_an_embedder_must_be_fitted():
    with pytest.raises(NotFittedError):
        TextEmbedder().transform(LAZY)


def test_parameters_changed_after_the_fit_are_refused_immediately():
    module = tiny_network()
    column = da.from_array(images(N_ROWS), chunks=3)
    embedder = ImageEmbedder(module).fit(column)
    embedder.set_params(backbone=tiny_network(seed=1))
    with pytest.raises(WeightsError, match="fit again"):
        embedder.transform(column)


def test_fitting_on_a_collection_is_refused():
    classifier = TextClassifier()
    for fit in (classifier.fit, classifier.partial_fit, classifier.fit_transform):
        with pytest.raises(ColumnError, match=r"a Series of dask has no values.*X\.compute\(\)"):
            fit(LAZY, LABELS)
    with pytest.raises(ColumnError, match=r"X\.compute\(\)") as told:
        classifier.fit(SERIES, LABELS, X_val=LAZY, y_val=LABELS)
    assert told.value.__notes__ == ["This is about X_val and y_val."]
    with pytest.raises(ColumnError, match=r"X\.compute\(\)"):
        find_lr(classifier, LAZY, LABELS)
