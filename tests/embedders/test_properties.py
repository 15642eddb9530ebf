"""Invariants of every column: any container, any cells, any order, with and without the cache.

A column is generated cell by cell. Each row must equal the features of its cell alone, or be NaN
for a bad cell; independence of neighbours, order and container follows.
"""

import collections
import contextlib
import copy
import io
import logging
import os
import random
import warnings
from numbers import Number
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sktransfer import ImageEmbedder, TextEmbedder
from sktransfer.columns import is_missing
from sktransfer.exceptions import BadCellWarning, ColumnError
from tests._tiny import tiny_network
from tests.backbones._huggingface_folders import WORDS, save
from tests.modalities.image._bad_images import encoded
from tests.modalities.text._bad_texts import GOOD, MISSING, NO_TEXTS

# The same columns in each run, so that failures are reproducible and nothing is stored on disk.
quick = settings(derandomize=True, max_examples=40, deadline=None, database=None)
long = settings(quick, max_examples=1_500)

BAD = object()
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


# Containers -------------------------------------------------------------------------------


def _objects(cells):
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def _series(cells, **options):
    return pd.Series(_objects(cells), dtype=object, **options)


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "deque": collections.deque,
    "object array": _objects,
    "one-column array": lambda cells: _objects(cells)[:, None],
    "Series": _series,
    "labelled Series": lambda cells: _series(cells, index=range(9, 9 + len(cells))),
    "frame": lambda cells: _series(cells, name="x").to_frame(),
    "slice of a frame": lambda cells: pd.DataFrame({"x": _series([None, *cells]), "y": 0}).iloc[1:][
        ["x"]
    ],
    "polars objects": lambda cells: pl.Series("x", cells, dtype=pl.Object),
}
CONTAINERS_OF_STRINGS = {
    "pandas str": lambda cells: pd.Series(cells, dtype="str"),
    "pandas string": lambda cells: pd.Series(cells, dtype="string"),
    "pandas category": lambda cells: pd.Series(cells, dtype="category"),
    "pandas extension array": lambda cells: pd.array(cells, dtype="string"),
    "polars": lambda cells: pl.Series("x", cells, dtype=pl.String),
    "polars category": lambda cells: pl.Series("x", cells, dtype=pl.Categorical),
    "polars frame": lambda cells: pl.DataFrame({"x": cells}, schema={"x": pl.String}),
}


# Cells ------------------------------------------------------------------------------------

_rng = np.random.default_rng(0)
PICTURES = [_rng.integers(0, 256, (height, 7, 3), dtype=np.uint8) for height in (7, 1, 20)]


@pytest.fixture(scope="module")
def image_cells(tmp_path_factory):
    """Return pairs of a cell and the number of the picture that it shows, or BAD."""
    folder = tmp_path_factory.mktemp("pictures")
    cells = []
    for number, pixels in enumerate(PICTURES):
        content = encoded(pixels)
        path = folder / f"{number}.png"
        path.write_bytes(content)
        image, lazy = Image.fromarray(pixels), Image.open(io.BytesIO(content))
        forms = [pixels, np.asfortranarray(pixels), pixels.astype(int), torch.from_numpy(pixels)]
        forms += [content, bytearray(content), memoryview(content), path, str(path), image, lazy]
        cells += [(form, number) for form in forms]
    bad = [None, np.nan, 3, "", b"", encoded(PICTURES[2])[:-40], folder / "gone.png", folder]
    return cells + [(cell, BAD) for cell in [*bad, np.full((4, 4), np.nan)]]


GOOD_TEXTS = [*GOOD.values(), *WORDS, "alpha beta", "alpha beta gamma delta " * 9]
# Pairs of a cell and its text, None if it is missing, or BAD.
TEXT_CELLS = [
    *((text, str.__str__(text)) for text in GOOD_TEXTS),
    *((cell, None) for cell in MISSING.values()),
    *((cell, BAD) for cell, _ in NO_TEXTS.values()),
]
# Values that a column of strings can hold.
STRING_CELLS = [(text, text) for _, text in TEXT_CELLS if text is not BAD]


@pytest.fixture(scope="module")
def picture(cache_of_module):
    """Return an embedder, and the features of each picture alone."""
    embedder = ImageEmbedder(tiny_network(), image_size=16, cache=False, on_error="nan")
    rows = {number: embedder.fit_transform([one])[0] for number, one in enumerate(PICTURES)}
    return embedder, {**rows, BAD: np.full(6, np.nan)}


@pytest.fixture(scope="module")
def text(tmp_path_factory, cache_of_module):
    """Return an embedder, and the features of each text alone."""
    folder = tmp_path_factory.mktemp("words")
    save("bert", folder)
    embedder = TextEmbedder(folder, cache=False, on_error="nan", missing="empty")
    rows = {str.__str__(one): embedder.fit_transform([one])[0] for one in [*GOOD_TEXTS, ""]}
    return embedder, {**rows, BAD: np.full(32, np.nan)}


@pytest.fixture(scope="module")
def cache_of_module(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


# Invariants -------------------------------------------------------------------------------


def _state():
    return {
        "torch's seed": torch.random.get_rng_state().numpy().tobytes(),
        "NumPy's seed": np.random.get_state()[1].tobytes(),
        "Python's seed": random.getstate(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "logging": logging.root.level,
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "limit of Pillow": Image.MAX_IMAGE_PIXELS,
        "errors of NumPy": np.geterr(),
    }


@contextlib.contextmanager
def _nothing_global_changes():
    before = _state()
    filters = list(warnings.filters)
    yield
    assert warnings.filters == filters
    assert _state() == before


def _same_cells(one, other):
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _transform(embedder, X, n_bad):
    """Return the features; check the number of rows in the warning, and that nothing else changes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with _nothing_global_changes():
            rows = embedder.fit_transform(X)
    told = [str(warning.message) for warning in caught]
    assert all(issubclass(warning.category, BadCellWarning) for warning in caught), told
    assert [message.split(" rows")[0] for message in told] == (
        [f"{n_bad} of {len(rows)}"] if n_bad else []
    )
    return rows


def _check(embedder, cells, make, expected, n_bad):
    kept, pictures = list(cells), copy.deepcopy(PICTURES)
    rows = _transform(embedder, make(cells), n_bad)
    assert _same_cells(cells, kept)
    np.testing.assert_equal(PICTURES, pictures)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected, **CLOSE)


def _are_numbers(cells):
    present = [cell for cell in cells if not is_missing(cell)]
    return bool(present) and all(isinstance(cell, Number | np.bool_) for cell in present)


def _refused(embedder, cells):
    with pytest.raises(ColumnError, match=r"is the number .*choose another column"):
        embedder.fit(cells)


def _check_images(image_cells, picture, folder, data):
    column = data.draw(st.lists(st.sampled_from(image_cells), min_size=1, max_size=24))
    cells, shown = [cell for cell, _ in column], [number for _, number in column]
    embedder, rows = picture
    if _are_numbers(cells):
        _refused(embedder, cells)
        return
    embedder.set_params(
        cache=data.draw(st.sampled_from([False, folder])),
        batch_size=data.draw(st.sampled_from(["auto", 1, 3])),
    )
    make = CONTAINERS[data.draw(st.sampled_from(sorted(CONTAINERS)))]
    n_bad = sum(number is BAD for number in shown)
    _check(embedder, cells, make, np.array([rows[number] for number in shown]), n_bad)


def _check_texts(text, folder, data):
    only_strings = data.draw(st.booleans())
    pool = STRING_CELLS if only_strings else TEXT_CELLS
    column = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=24))
    cells = [cell for cell, _ in column]
    missing = data.draw(st.sampled_from(["raise", "nan", "empty"]))
    embedder, rows = text
    if _are_numbers(cells):
        _refused(embedder, cells)
        return
    embedder.set_params(
        missing=missing,
        cache=data.draw(st.sampled_from([False, folder])),
        batch_size=data.draw(st.sampled_from(["auto", 1, 3])),
    )
    instead = "" if missing == "empty" else BAD
    meant = [instead if one is None else one for _, one in column]
    n_bad = sum(one is BAD or (one is None and missing == "raise") for _, one in column)
    containers = CONTAINERS | (CONTAINERS_OF_STRINGS if only_strings else {})
    make = containers[data.draw(st.sampled_from(sorted(containers)))]
    _check(embedder, cells, make, np.array([rows[one] for one in meant]), n_bad)


@given(data=st.data())
@quick
def test_every_image_has_the_features_of_its_picture(image_cells, picture, cache_of_module, data):
    _check_images(image_cells, picture, cache_of_module, data)


@given(data=st.data())
@quick
def test_every_text_has_its_own_features(text, cache_of_module, data):
    _check_texts(text, cache_of_module, data)


@pytest.mark.slow
@given(data=st.data())
@long
def test_every_image_has_the_features_of_its_picture_in_many_examples(
    image_cells, picture, cache_of_module, data
):
    _check_images(image_cells, picture, cache_of_module, data)


@pytest.mark.slow
@given(data=st.data())
@long
def test_every_text_has_its_own_features_in_many_examples(text, cache_of_module, data):
    _check_texts(text, cache_of_module, data)


@given(
    order=st.permutations(range(12)),
    rows=st.lists(st.integers(0, 11), min_size=1, max_size=20),
    size=st.sampled_from(["auto", 1, 5]),
)
@quick
def test_rows_follow_their_cells_in_any_order_subset_and_repetition(text, order, rows, size):
    embedder, _ = text
    embedder.set_params(cache=False, missing="raise", batch_size=size)
    column = np.array(WORDS[:12], dtype=object)
    whole = embedder.fit_transform(column)
    np.testing.assert_allclose(embedder.transform(column[order]), whole[order], **CLOSE)
    some = embedder.transform(column[rows])
    np.testing.assert_allclose(some, whole[rows], **CLOSE)
    first = [rows.index(row) for row in rows]
    np.testing.assert_array_equal(some, some[first])  # equal cells have bit-identical rows


@given(text=st.text(max_size=40))
@quick
def test_any_string_is_a_text_or_missing_or_refused(text, cache_of_module, request):
    embedder, _ = request.getfixturevalue("text")
    embedder.set_params(cache=False, missing="nan", batch_size="auto")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BadCellWarning)
        rows = embedder.fit_transform([text, "alpha"])
    assert rows.shape == (2, 32)
    assert np.isfinite(rows[1]).all()
    assert np.isfinite(rows[0]).all() or np.isnan(rows[0]).all()
