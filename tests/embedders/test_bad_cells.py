"""A bad cell is refused by name, or costs its own row and no other."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sktransfer import ImageEmbedder, TextEmbedder
from sktransfer.exceptions import BadCellError, BadCellWarning, ColumnError
from tests._tiny import counted_rows, images, texts, tiny_network


@pytest.fixture(autouse=True)
def _own_cache(cache_folder):
    """Start every test with nothing cached."""


@pytest.fixture
def files(tmp_path):
    """Return the paths of four images, of which the third is cut off."""
    paths = []
    for i, pixels in enumerate(images(4, size=64)):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        paths.append(tmp_path / f"{i}.png")
    paths[2].write_bytes(paths[2].read_bytes()[:900])
    return paths


def test_the_row_the_cell_and_a_way_out_are_named(files):
    with pytest.raises(BadCellError, match=r"(?s)row 2.*2\.png.*on_error='nan'") as caught:
        ImageEmbedder(tiny_network()).fit_transform(files)
    assert caught.value.row == 2


def test_the_index_of_a_series_is_named(files):
    column = pd.Series(files, index=list("abcd"))
    with pytest.raises(BadCellError, match=r"row 2 .*'c'"):
        ImageEmbedder(tiny_network()).fit_transform(column)


def test_a_missing_file_is_refused_before_anything_is_computed(files, tmp_path):
    network = tiny_network()
    embedder = ImageEmbedder(network).fit(files)
    with counted_rows(network) as counts, pytest.raises(BadCellError, match=r"row 1.*gone"):
        embedder.transform([files[0], tmp_path / "gone.png"])
    assert counts == []


def test_on_error_nan_costs_only_the_bad_rows(files):
    embedder = ImageEmbedder(tiny_network(), on_error="nan")
    column = [*files, files[2], None]
    with pytest.warns(BadCellWarning, match=r"3 of 6 rows.*row 2.*row 4.*row 5"):
        rows = embedder.fit_transform(column)
    assert np.isnan(rows[[2, 4, 5]]).all()
    good = [files[0], files[1], files[3]]
    np.testing.assert_array_equal(rows[[0, 1, 3]], embedder.transform(good))


def test_rows_before_the_bad_one_are_kept(tmp_path):
    network, column = tiny_network(), list(images(200))
    column[190] = np.full((4, 4, 3), np.nan, dtype=np.float32)
    embedder = ImageEmbedder(network, batch_size=8)
    with pytest.raises(BadCellError, match="row 190"):
        embedder.fit_transform(column)
    column[190] = column[0]
    with counted_rows(network) as counts:
        embedder.fit_transform(column)
    assert 0 < sum(counts) <= 16


@pytest.mark.parametrize("cell", [3, b"bytes", ["a", "b"], ("a", "b"), 2.5, "\ud800"])
def test_a_cell_that_is_no_text_is_refused_by_name(cell):
    column = [*texts(3), cell]
    with pytest.raises(BadCellError, match="row 3"):
        TextEmbedder().fit_transform(column)
    with pytest.warns(BadCellWarning, match=r"1 of 4 rows.*row 3"):
        rows = TextEmbedder(on_error="nan").fit_transform(column)
    assert np.isnan(rows[3]).all()
    assert np.isfinite(rows[:3]).all()


@pytest.mark.parametrize("cell", [None, np.nan, pd.NA, "", "  \n"])
def test_missing_texts_are_refused_filled_or_empty(cell):
    column = [*texts(2), cell]
    with pytest.raises(BadCellError, match=r"(?s)row 2.*missing="):
        TextEmbedder().fit_transform(column)
    filled = TextEmbedder(missing="nan").fit_transform(column)
    assert np.isnan(filled[2]).all()
    assert np.isfinite(filled[:2]).all()
    empty = TextEmbedder(missing="empty").fit_transform(column)
    again = TextEmbedder(missing="empty").fit_transform([None])
    np.testing.assert_allclose(empty[2], again[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("a bare string", "list"),
        ((text for text in ["a"]), "generator"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "'a'"),
        ([], "0 sample"),
    ],
)
def test_what_is_no_column_is_refused(column, told):
    with pytest.raises(ColumnError, match=told):
        TextEmbedder().fit(column)


def test_a_directory_is_no_image(tmp_path):
    with pytest.raises(BadCellError, match=r"row 0.*directory"):
        ImageEmbedder(tiny_network()).fit_transform([tmp_path])
