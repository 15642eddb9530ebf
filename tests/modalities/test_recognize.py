"""Which modality a column is of: by type, content of files, names and signatures."""

import io
import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image

from sktransfer.modalities import MODALITIES, recognize
from tests.modalities.audio._bad_sounds import AIFF, AU, CAF, FLAC, MP3, OGG, OPUS, WAV
from tests.modalities.audio._sound_files import ID3
from tests.modalities.image._bad_images import encoded

PIXELS = np.zeros((8, 9, 3), dtype=np.uint8)
PNG, JPEG = encoded(PIXELS), encoded(PIXELS, "JPEG")
RATE = 16_000

CELLS = {
    "PNG": (PNG, "image"),
    "JPEG": (JPEG, "image"),
    "GIF": (encoded(PIXELS, "GIF"), "image"),
    "WebP": (encoded(PIXELS, "WEBP"), "image"),
    "TIFF": (encoded(PIXELS, "TIFF"), "image"),
    "DICOM": (bytes(128) + b"DICM" + bytes(20), "image"),
    "bytearray": (bytearray(PNG), "image"),
    "memoryview": (memoryview(PNG), "image"),
    "dict of bytes": ({"bytes": PNG, "path": None}, "image"),
    "PIL": (Image.new("L", (3, 4)), "image"),
    "grey": (np.zeros((8, 8)), "image"),
    "colour": (PIXELS, "image"),
    "strip": (np.zeros((1, 80), np.uint8), "image"),
    "channels first": (np.zeros((3, 20, 20)), "image"),
    "tensor": (torch.zeros(20, 20), "image"),
    "missing image": ("folder/no such.PNG", "image"),
    "data URI": ("data:image/png;base64,iVBORw0KGgo", "image"),
    "base64": ("iVBORw0KGgo" + "A" * 60, "image"),
    "WAV": (WAV, "audio"),
    "FLAC": (FLAC, "audio"),
    "Ogg": (OGG, "audio"),
    "Opus": (OPUS, "audio"),
    "MP3": (MP3, "audio"),
    "MP3 with a tag": (ID3 + MP3, "audio"),
    "AIFF": (AIFF, "audio"),
    "AU": (AU, "audio"),
    "CAF": (CAF, "audio"),
    "rate and samples": ((RATE, np.zeros(100)), "audio"),
    "samples and rate": ((np.zeros((2, 100)), RATE), "audio"),
    "dict of samples": ({"array": [0.0] * 100, "sampling_rate": RATE}, "audio"),
    "dict of a sound": ({"bytes": WAV, "path": "x.png"}, "audio"),
    "missing sound": ("no such.wav", "audio"),
    "sentence": ("This is no file.", "text"),
    "word": ("word", "text"),
    "domain": ("example.com", "text"),
    "price": ("from $5", "text"),
    "two lines": ("a\nb.png", "text"),
    "null": ("a\0b", "text"),
    "long": ("word " * 100_000, "text"),
    "folder": ("/", "text"),
    "surrogate": ("a\ud800", "text"),
    "DNA": ("ACGT" * 200, "text"),
    "text in bytes": (b"a text", None),
    "PDF": (b"%PDF-1.7", None),
    "embedding": (np.zeros(1_536), None),
    "list of numbers": ([0.1] * 20, None),
    "words": (["New", "York"], None),
    "set": ({1}, None),
    "wide": (np.zeros((2, 16_000)), None),
}


@pytest.mark.parametrize(("cell", "expected"), CELLS.values(), ids=CELLS)
def test_a_cell_has_the_modality_of_its_type_or_content(cell, expected):
    found = recognize([cell, None, cell])
    assert found.name == expected
    assert bool(found.reason) == (expected is None)


@pytest.mark.parametrize("as_cell", [str, lambda path: path, lambda path: {"path": str(path)}])
def test_a_path_counts_by_the_content_of_its_file(tmp_path, as_cell):
    for content, name, expected in [(PNG, "a.wav", "image"), (WAV, "b.png", "audio")]:
        (tmp_path / name).write_bytes(content)
        assert recognize([as_cell(tmp_path / name)]).name == expected


def test_a_string_that_is_a_file_of_another_kind_is_text(tmp_path, monkeypatch):
    (tmp_path / "LICENSE").write_text("Permission is granted")
    monkeypatch.chdir(tmp_path)
    assert recognize(["LICENSE"]).name == "text"
    assert recognize([tmp_path / "LICENSE"]).name is None


@pytest.mark.parametrize(
    "container",
    [list, tuple, pd.Series, pl.Series, pa.array, lambda X: pd.DataFrame({"a": X}), np.array],
)
def test_every_container_is_read(container):
    assert recognize(container(["one", "two", "three"])).name == "text"


def test_stacks_of_images_are_images_and_matrices_are_not():
    assert recognize(np.zeros((4, 8, 8))).name == "image"
    assert recognize(np.zeros((4, 8, 8, 3), np.uint8)).name == "image"
    assert recognize(torch.zeros(4, 8, 8)).name == "image"
    assert recognize(np.zeros((4, 64))).name is None


@pytest.mark.parametrize(
    ("X", "reason"),
    [
        ([], "0 sample"),
        ([None, float("nan"), ""], "all cells are missing"),
        ([1, 2, 3], "row 0 is the number 1, not a text, sound or image"),
        (pd.Series(pd.date_range("2026-01-01", periods=3)), "of no known kind"),
        ([True, False], "the number True"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "2 columns"),
        ("a text", "one cell"),
        (["a", "b", PNG, PNG], r"of 4 cells .* 2 texts \(row 0: 'a'\), 2 images \(row 2: <"),
    ],
)
def test_what_is_of_no_modality_says_why(X, reason):
    found = recognize(X)
    assert found.name is None
    assert found.reason
    assert re.search(reason, found.reason), found.reason


def test_a_few_cells_of_another_kind_do_not_change_the_modality():
    assert recognize(["text"] * 20 + [PNG] * 5 + [7]).name == "text"


def test_a_few_rows_of_a_long_column_are_read(tmp_path, monkeypatch):
    opened = []
    from sktransfer.modalities import _recognize

    real = _recognize._modality_of_cell
    monkeypatch.setattr(_recognize, "_modality_of_cell", lambda c: opened.append(c) or real(c))
    assert recognize([None] * 5_000 + [f"text {n}" for n in range(100_000)]).name == "text"
    assert len(opened) == 32
    assert recognize([None] * 5_000 + ["text"] + [None] * 5_000).name == "text"


def test_every_modality_recognizes_what_it_decodes():
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "BMP")
    given = {"image": stream.getvalue(), "audio": WAV, "text": "a"}
    assert {*given} == {*MODALITIES} - {"waveform"}  # of a test
    assert {name: recognize([cell]).name for name, cell in given.items()} == {n: n for n in given}
