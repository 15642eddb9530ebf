"""A bad cell raises with its row, or affects its own row only."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image

from sktransfer import AudioEmbedder, ImageEmbedder, TextEmbedder, cache_info
from sktransfer.exceptions import BadCellError, BadCellWarning, ColumnError
from tests._tiny import counted_rows, images, sounds, tiny_network
from tests.backbones._huggingface_folders import WORDS, save
from tests.modalities.audio import _bad_sounds
from tests.modalities.image._bad_images import CELLS, FILES
from tests.modalities.text._bad_texts import GOOD, MISSING, NO_TEXTS


@pytest.fixture(autouse=True)
def _own_cache(cache_folder):
    """Start every test with an empty cache."""


@pytest.fixture
def files(tmp_path):
    """Return the paths of four images, of which the third is truncated."""
    paths = []
    for i, pixels in enumerate(images(4, size=64)):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        paths.append(tmp_path / f"{i}.png")
    paths[2].write_bytes(paths[2].read_bytes()[:900])
    return paths


@pytest.fixture(scope="module")
def folder_of_words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    save("bert", folder)
    return folder


@pytest.fixture
def words(folder_of_words):
    """Return a fitted text embedder with a tiny random network."""
    return TextEmbedder(folder_of_words).fit(["alpha"])


def _woven(good, bad):
    return [cell for pair in zip(good, bad, strict=False) for cell in pair]


def _new_folder(path):
    path.mkdir()
    return path


def test_an_error_names_the_row_the_cell_and_a_solution(files):
    with pytest.raises(BadCellError, match=r"(?s)row 2.*2\.png.*on_error='nan'") as caught:
        ImageEmbedder(tiny_network()).fit_transform(files)
    assert caught.value.row == 2


def test_the_index_label_of_a_series_is_named(files):
    column = pd.Series(files, index=list("abcd"))
    with pytest.raises(BadCellError, match=r"row 2 .*'c'"):
        ImageEmbedder(tiny_network()).fit_transform(column)


def test_a_missing_file_is_refused_before_anything_is_computed(files, tmp_path):
    network = tiny_network()
    embedder = ImageEmbedder(network).fit(files)
    with counted_rows(network) as counts, pytest.raises(BadCellError, match=r"row 1.*gone"):
        embedder.transform([files[0], tmp_path / "gone.png"])
    assert counts == []


def test_on_error_nan_affects_only_the_bad_rows(files):
    embedder = ImageEmbedder(tiny_network(), on_error="nan")
    column = [*files, files[2], None]
    with pytest.warns(BadCellWarning, match=r"3 of 6 rows.*row 2.*row 4.*row 5"):
        rows = embedder.fit_transform(column)
    assert np.isnan(rows[[2, 4, 5]]).all()
    good = [files[0], files[1], files[3]]
    np.testing.assert_array_equal(rows[[0, 1, 3]], embedder.transform(good))


# Every kind of bad cell -------------------------------------------------------------------


@pytest.mark.parametrize("cell", [cell for cell, _ in CELLS.values()], ids=CELLS)
def test_a_bad_image_is_refused_with_its_row(cell):
    column = [*images(2), cell, *images(1)]
    with pytest.raises(BadCellError, match=r"^row 2: .* set on_error='nan'\.$") as caught:
        ImageEmbedder(tiny_network(), image_size=16).fit_transform(column)
    assert caught.value.row == 2


def test_bad_images_affect_only_their_own_rows(tmp_path):
    files = [make(_new_folder(tmp_path / str(i))) for i, (make, _) in enumerate(FILES.values())]
    bad = [*(cell for cell, _ in CELLS.values()), *files]
    good = list(images(len(bad) + 1))
    column = [*_woven(good, bad), good[-1]]
    embedder = ImageEmbedder(tiny_network(), image_size=16, on_error="nan")
    with pytest.warns(BadCellWarning, match=rf"{len(bad)} of {len(column)} rows.*row 1: .* more"):
        rows = embedder.fit_transform(column)
    assert np.isnan(rows[1::2]).all()
    np.testing.assert_array_equal(rows[::2], embedder.transform(good))


SOUNDS = [cell for cell, _ in _bad_sounds.CELLS.values()]


def _sound_embedder(**options):
    return AudioEmbedder("log-mel", sampling_rate=16_000, device="cpu", **options)


@pytest.mark.parametrize("cell", SOUNDS, ids=_bad_sounds.CELLS)
def test_a_bad_sound_is_refused_with_its_row(cell):
    with pytest.raises(BadCellError, match=r"^row 2: .* set on_error='nan'\.$") as caught:
        _sound_embedder().fit_transform([*sounds(2), cell, *sounds(1)])
    assert caught.value.row == 2


def test_bad_sounds_affect_only_their_own_rows(tmp_path):
    makers = [make for make, _ in _bad_sounds.FILES.values()]
    files = [make(_new_folder(tmp_path / str(i))) for i, make in enumerate(makers)]
    bad = [*SOUNDS, *files]
    good = sounds(len(bad) + 1)
    column = [*_woven(good, bad), good[-1]]
    embedder = _sound_embedder(on_error="nan")
    with pytest.warns(BadCellWarning, match=rf"{len(bad)} of {len(column)} rows.*row 1: .* more"):
        rows = embedder.fit_transform(column)
    assert np.isnan(rows[1::2]).all()
    np.testing.assert_array_equal(rows[::2], embedder.transform(good))


@pytest.mark.parametrize("cell", [cell for cell, _ in NO_TEXTS.values()], ids=NO_TEXTS)
@pytest.mark.parametrize("missing", ["raise", "nan", "empty"])
def test_a_cell_that_is_not_a_text_is_refused_with_its_row(cell, missing, words):
    with pytest.raises(BadCellError, match=r"^row 2: .* set on_error='nan'\.$") as caught:
        words.set_params(missing=missing).transform(["alpha", "beta", cell, "gamma"])
    assert caught.value.row == 2


@pytest.mark.parametrize("cell", MISSING.values(), ids=MISSING)
def test_a_missing_text_raises_or_becomes_nan_or_empty(cell, words):
    column = ["alpha", cell, "beta"]
    with pytest.raises(BadCellError, match=r"^row 1: .*missing='nan'.*missing='empty'"):
        words.transform(column)
    filled = words.set_params(missing="nan").transform(column)
    assert np.isnan(filled[1]).all()
    empty = words.set_params(missing="empty").transform(column)
    np.testing.assert_array_equal(filled[::2], empty[::2])
    assert np.isfinite(empty).all()
    np.testing.assert_array_equal(empty[1], words.transform([None])[0])


def test_bad_texts_affect_only_their_own_rows(words):
    bad = [*(cell for cell, _ in NO_TEXTS.values()), *MISSING.values()]
    good = [f"{word} {other}" for word in WORDS for other in WORDS][: len(bad) + 1]
    column = [*_woven(good, bad), good[-1]]
    with pytest.warns(BadCellWarning, match=rf"{len(bad)} of {len(column)} rows"):
        rows = words.set_params(on_error="nan").transform(column)
    assert np.isnan(rows[1::2]).all()
    np.testing.assert_allclose(rows[::2], words.transform(good), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore::sktransfer.exceptions.LeftOutWarning")
def test_every_kind_of_text_has_features():
    texts = list(GOOD.values())
    rows = TextEmbedder().fit_transform([*texts, "word " * 2_000_000])
    assert np.isfinite(rows).all()
    alone = TextEmbedder(cache=False).fit_transform(texts[-1:])
    np.testing.assert_allclose(rows[len(texts) - 1], alone[0], rtol=1e-5, atol=1e-6)


def test_missing_cells_of_pandas_and_polars_stay_in_their_rows(words):
    values = ["alpha", None, "beta"]
    columns = [
        *(pd.Series(values, dtype=dtype) for dtype in (object, "str", "string", "category")),
        *(pl.Series(values), pl.Series(values, dtype=pl.Categorical)),
        pd.DataFrame({"a": values}),
        pl.DataFrame({"a": values}),
        pd.array(values, dtype="string"),
    ]
    expected = words.set_params(missing="nan").transform(values)
    for column in columns:
        np.testing.assert_array_equal(words.transform(column), expected)


# One bad cell among many ------------------------------------------------------------------

MANY = 10_000


def test_one_bad_image_among_ten_thousand_affects_no_other(tmp_path):
    column = list(images(MANY, size=8))
    column[7_000] = tmp_path / "gone.png"
    column[9_000] = np.full((8, 8), np.nan)
    embedder = ImageEmbedder(tiny_network(), image_size=8, on_error="nan")
    with pytest.warns(BadCellWarning, match=r"2 of 10000 rows.*row 7000: .*row 9000: "):
        rows = embedder.fit_transform(column)
    assert np.flatnonzero(np.isnan(rows).any(axis=1)).tolist() == [7_000, 9_000]
    assert len(rows) == MANY
    some = [0, 6_999, 7_001, 9_999]
    fresh = embedder.set_params(cache=False).transform([column[row] for row in some])
    np.testing.assert_array_equal(rows[some], fresh)


def test_rows_before_the_bad_one_are_cached_and_the_next_run_continues_there():
    column = list(images(MANY, size=8))
    good, column[9_000] = column[9_000], np.full((8, 8), np.nan)
    embedder = ImageEmbedder(tiny_network(), image_size=8, batch_size=64)
    before = cache_info().computed
    with pytest.raises(BadCellError, match="row 9000: "):
        embedder.fit_transform(column)
    kept = cache_info().computed - before
    assert 9_000 - 64 <= kept <= 9_000
    assert cache_info().rows == kept
    column[9_000] = good
    rows = embedder.fit_transform(column)
    assert cache_info().computed - before == MANY
    np.testing.assert_array_equal(rows[8_999:9_002], embedder.transform(column[8_999:9_002]))


def test_one_bad_text_among_ten_thousand_affects_no_other(words):
    rng = np.random.default_rng(0)
    column = [" ".join(row) for row in rng.choice(WORDS, (MANY, 4))]
    column[7_000] = 3
    with pytest.raises(BadCellError, match="row 7000: "):
        words.transform(column)
    with pytest.warns(BadCellWarning, match=r"1 of 10000 rows.*row 7000: "):
        rows = words.set_params(on_error="nan").transform(column)
    assert np.flatnonzero(np.isnan(rows).any(axis=1)).tolist() == [7_000]
    some = [0, 6_999, 7_001, 9_999]
    fresh = words.set_params(cache=False).transform([column[row] for row in some])
    np.testing.assert_allclose(rows[some], fresh, rtol=1e-5, atol=1e-6)


# The pixel limit --------------------------------------------------------------------------


def test_max_pixels_limits_the_size_of_images(files):
    embedder = ImageEmbedder(tiny_network(), max_pixels=4_000)
    with pytest.raises(BadCellError, match=r"row 0: .*64x64 pixels is above the limit of 4000"):
        embedder.fit_transform(files[:2])
    assert np.isfinite(embedder.set_params(max_pixels=4_096).fit_transform(files[:2])).all()
    assert np.isfinite(embedder.set_params(max_pixels=None).fit_transform(files[:2])).all()
    for limit in (0, "many", 1.5):
        with pytest.raises(ValueError, match="max_pixels"):
            embedder.set_params(max_pixels=limit).fit(files)


def test_a_cached_row_ignores_max_pixels(files):
    embedder = ImageEmbedder(tiny_network()).fit(files[:2])
    rows = embedder.transform(files[:2])
    np.testing.assert_array_equal(embedder.set_params(max_pixels=1).transform(files[:2]), rows)
    with pytest.raises(BadCellError, match="row 0: "):
        embedder.set_params(cache=False).transform(files[:2])


def test_max_pixels_applies_to_pillow_images_and_not_to_arrays():
    embedder = ImageEmbedder(tiny_network(), image_size=16, max_pixels=255)
    column = [images(1)[0], Image.fromarray(images(2)[1])]
    with pytest.raises(BadCellError, match=r"row 1: .*16x16 pixels is above the limit of 255"):
        embedder.fit_transform(column)


# Columns ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("a bare string", "list"),
        ((text for text in ["a"]), "generator"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "'a'"),
        ([], "0 sample"),
    ],
)
def test_inputs_other_than_a_column_are_refused(column, told):
    with pytest.raises(ColumnError, match=told):
        TextEmbedder().fit(column)


def test_a_directory_is_not_an_image(tmp_path):
    with pytest.raises(BadCellError, match=r"row 0.*directory"):
        ImageEmbedder(tiny_network()).fit_transform([tmp_path])
