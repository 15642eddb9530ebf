"""Each column is recognized for what it is, in any library, with a reason."""

import datetime
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image

from sktransfer.columns import rows_of
from sktransfer.tables import recognize_columns
from sktransfer.tables._columns import FEW_VALUES, OFTEN
from tests._tiny import images, sounds

N = 60


def kind_of(cells) -> str:
    table = np.empty((len(cells), 1), object)
    for row, cell in enumerate(cells):
        table[row, 0] = cell
    (column,) = recognize_columns(rows_of(table))
    assert column.why
    return column.kind


def codes(n):
    return [str(uuid.UUID(int=number * 7**30)) for number in range(n)]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, 2.5, None] * 20, "number"),
        ([True, False, None] * 20, "number"),
        ([datetime.timedelta(1), datetime.timedelta(2)], "number"),
        ([str(n / 7) for n in range(N)], "number"),
        (["1", "2", "?"] + ["3"] * N, "number"),
        (["1,5", "2,5"] * 30, "category"),
        ([datetime.date(2020, 1, 1 + n % 28) for n in range(N)], "date"),
        ([f"2020-01-{1 + n % 28:02}" for n in range(N)], "date"),
        ([f"2020-01-{1 + n % 28:02} 10:00" for n in range(N)], "date"),
        ([f"20{n % 20:02}-{1 + n % 12:02}" for n in range(N)], "date"),
        ([f"20{n % 20:02}-{1 + n % 13:02}" for n in range(N)], "drop"),
        (["01/02/2020", "02/03/2021"] * 30, "category"),
        (["red", "blue"] * 30, "category"),
        (["a", 1, 2.5] * 20, "category"),
        ([f"{n % 30:05}" for n in range(N)], "category"),
        ([f"city {n % 50}" for n in range(50 * OFTEN)], "category"),
        ([f"city {n % 50}" for n in range(50 * OFTEN - 1)], "text"),
        ([f"word {n % FEW_VALUES}" for n in range(2 * FEW_VALUES)], "category"),
        ([f"word {n % (FEW_VALUES + 1)}" for n in range(2 * FEW_VALUES + 2)], "text"),
        ([f"offer {n}: a chair" for n in range(N)], "text"),
        ([f"第{n}章很好看" for n in range(N)], "text"),
        ([f"รุ่น{n}ใหม่" for n in range(N)], "text"),
        (["aurora", "lambda", "cloudfront"], "text"),
        (codes(N), "drop"),
        (codes(10) + codes(N), "category"),
        ([3] * N, "drop"),
        (["x"] * N, "drop"),
        ([None, float("nan"), "", " "], "drop"),
        ([[1, 2]] * N, "unknown"),
        ([{"a": 1}] * N, "unknown"),
        ([1j] * N, "unknown"),
        ([datetime.time(1)] * N, "unknown"),
        ([b"abc"] * N, "unknown"),
        (list(images(3)), "image"),
        ([None, *images(3)], "image"),
        ([Image.new("RGB", (8, 8))] * 3, "image"),
        ([f"photo {n}.png" for n in range(3)], "image"),
        ([(16_000, sound) for sound in sounds(3)], "audio"),
        (["call.wav", None], "audio"),
    ],
)
def test_cells_are_recognized(cells, kind):
    assert kind_of(cells) == kind


def test_a_column_of_files_is_recognized_by_their_content(tmp_path):
    for n in range(3):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{n}", "PNG")
    paths = [str(tmp_path / f"{n}") for n in range(3)]
    contents = [(tmp_path / f"{n}").read_bytes() for n in range(3)]
    dicts = [{"bytes": content, "path": None} for content in contents]
    assert [kind_of(cells) for cells in (paths, contents, dicts)] == ["image"] * 3


@pytest.mark.parametrize("make", [lambda table: table, pl.from_pandas])
def test_data_types_of_frames_are_recognized(make):
    table = make(
        pd.DataFrame(
            {
                "n": pd.array([1, None] * 10, dtype="Int64"),
                "b": [True, False] * 10,
                "c": pd.Categorical(["a", None] * 10),
                "d": pd.date_range("2020-01-01", periods=20, tz="UTC"),
                "t": [f"title {n}" for n in range(20)],
            }
        )
    )
    kinds = [column.kind for column in recognize_columns(rows_of(table))]
    assert kinds == ["number", "number", "category", "date", "text"]
    if isinstance(table, pl.DataFrame):
        arrow = recognize_columns(rows_of(table.to_arrow()))
        assert [column.kind for column in arrow] == kinds


def test_one_row_and_columns_that_are_constant():
    assert kind_of([3]) == "number"
    assert kind_of([3, 3]) == "drop"
    assert kind_of([3, None, 3]) == "number"
