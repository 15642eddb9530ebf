"""A cache that cannot be used causes a warning and recomputation, never a wrong row."""

import resource
import warnings
from contextlib import contextmanager

import numpy as np
import pytest

from sktransfer import ImageEmbedder, TextEmbedder
from sktransfer.cache import open_cache
from sktransfer.cache._errors import forget_warnings
from sktransfer.exceptions import CacheWarning
from tests._tiny import counted_rows, images, texts, tiny_network

NETWORKS = {"image": tiny_network(), "text": "all-MiniLM-L6-v2"}


@pytest.fixture(autouse=True)
def _reset_warnings():
    """Reset warnings of the cache, which are issued once per process."""
    forget_warnings()
    yield
    forget_warnings()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture(params=["image", "text"])
def case(request, folder):
    """Return an embedder with a cache in a folder, a column, its features, and a row counter."""
    backbone, kind = NETWORKS[request.param], request.param
    if kind == "image":
        column, embedder = list(images(12)), ImageEmbedder(backbone, cache=folder)
    else:
        column, embedder = texts(12), TextEmbedder(backbone, cache=folder)
    plain = type(embedder)(backbone, cache=False)
    return embedder, column, plain.fit_transform(column), (backbone, kind)


def test_a_corrupted_data_file_warns_and_rows_are_recomputed(case, folder):
    embedder, column, expected, _ = case
    embedder.fit_transform(column)
    open_cache(folder).database.close()
    data = folder / "v3" / "features.sqlite"
    data.write_bytes(np.random.default_rng(0).bytes(data.stat().st_size))
    with pytest.warns(CacheWarning, match=r"sktransfer\.clear_cache"):
        rows = embedder.transform(column)
    np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize("page", [0, 1, 3])
def test_an_overwritten_page_of_the_data_file_gives_no_wrong_row(case, folder, page):
    embedder, column, expected, _ = case
    embedder.fit_transform(column)
    open_cache(folder).database.close()
    data = folder / "v3" / "features.sqlite"
    content = bytearray(data.read_bytes())
    content[8192 * page : 8192 * (page + 1)] = np.random.default_rng(page).bytes(8192)
    data.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)  # not every page is in use
        rows = embedder.transform(column)
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-6)


def test_a_file_in_the_place_of_the_folder_warns(case, folder):
    embedder, column, expected, counted = case
    folder.write_text("mine")
    with (
        counted_rows(*counted) as counts,
        pytest.warns(CacheWarning, match="SKTRANSFER_CACHE") as warned,
    ):
        rows = [embedder.fit_transform(column), embedder.transform(column)]
    np.testing.assert_array_equal(rows, [expected, expected])
    assert sum(counts) == 2 * len(column)
    assert len(warned) == 1
    assert folder.read_text() == "mine"


@contextmanager
def limited_files(size):
    """Limit the size of files in bytes; Python turns the signal into an error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:  # before pytest writes the result, to a file perhaps
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_from_the_start(case, folder):
    embedder, column, expected, _ = case
    with limited_files(4096), pytest.warns(CacheWarning, match="Free some space"):
        rows = embedder.fit_transform(column)
    np.testing.assert_array_equal(rows, expected)


def test_a_disk_that_fills_up_while_rows_are_written(folder):
    network = NETWORKS["image"]
    # The first stage flattened, 25 kB per row, does not fit into the free space in the file.
    wide = {"layer": 0, "pooling": "flatten"}
    embedder = ImageEmbedder(network, cache=folder, **wide)
    old, new = images(4), images(20, seed=1)
    embedder.fit_transform(old)
    expected = ImageEmbedder(network, cache=False, **wide).fit_transform(new)
    size = (folder / "v3" / "features.sqlite-wal").stat().st_size + 4096
    with limited_files(size), pytest.warns(CacheWarning, match="Free some space"):
        rows = embedder.transform(new)
    np.testing.assert_array_equal(rows, expected)
    with counted_rows(network) as counts:
        embedder.transform(old)
    assert sum(counts) == 0
