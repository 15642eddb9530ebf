"""Every kind of cell of a text column: texts, missing values, and invalid cells."""

from __future__ import annotations

import decimal
import enum
from typing import Any

import numpy as np
import pandas as pd


class Loud(str):
    """A text whose `__str__` is another one."""

    def __str__(self) -> str:
        return super().upper()


class Car(str, enum.Enum):  # noqa: UP042 - it prints itself as another text
    """An enumeration of texts."""

    RED = "a red car"


GOOD: dict[str, str] = {
    "word": "a",
    "padded": " padded ",
    "other scripts": "naïve 日本語 हिन्दी",
    "right to left": "שלום עולם مرحبا",
    "direction marks": "\u202eabc\u202c",
    "emoji": "👩‍👩‍👧 👍🏽 🇫🇷",
    "newer than Python": "\U0001faea",
    "private use": "\ue000",
    "combining": "e\u0301 a\u0308\u0323",
    "composed": "é",
    "many accents": "Z" + "\u0301" * 500,
    "NUL inside": "nul\0in it",
    "control characters inside": "a" + "".join(map(chr, range(32))) + "b\x7f\x9f",
    "invisible inside": "a\u200bb\ufeff",
    "one character": ".",
    "no words": "!?*#",
    "numpy": np.str_("numpy"),
    "subclass": Loud("loud"),
    "enum": Car.RED,
    "code": "<script>alert(1)</script>; DROP TABLE students; --",
    "special tokens": "[CLS] [SEP] [PAD] [MASK]",
}
"""Texts, which come back as they are."""

MISSING: dict[str, Any] = {
    "None": None,
    "nan": float("nan"),
    "float32 nan": np.float32("nan"),
    "NA": pd.NA,
    "NaT": pd.NaT,
    "numpy NaT": np.datetime64("NaT"),
    "empty": "",
    "numpy empty": np.str_(""),
    "blank": " \t\n\u3000",
    "no-break space": "\u00a0",
    "zero-width space": "\u200b",
    "byte order mark": "\ufeff",
    "direction mark": "\u200f",
    "NUL": "\0",
    "control characters": "".join(map(chr, (*range(32), *range(127, 160)))),
}
"""Cells that hold no text: `missing` decides about them."""

NO_TEXTS: dict[str, tuple[Any, str]] = {
    "bytes": (b"abc", r"<3 bytes>: bytes are not text; decode.*column.str.decode\('utf-8'\)"),
    "no bytes": (b"", "<0 bytes>: bytes are not text"),
    "bytearray": (bytearray(b"abc"), "<3 bytes>: bytes are not text"),
    "memoryview": (memoryview(b"abc"), "<3 bytes>: bytes are not text"),
    "int": (3, "3: a value of type int is not text; pass one string per row"),
    "float": (0.5, "a value of type float is not text"),
    "infinity": (float("inf"), "a value of type float is not text"),
    "numpy int": (np.int64(3), "a value of type int64 is not text"),
    "bool": (True, "a value of type bool is not text"),
    "numpy bool": (np.True_, "a value of type bool is not text"),
    "decimal": (decimal.Decimal(1), "a value of type Decimal is not text"),
    "time": (pd.Timestamp("2026-01-01"), "a value of type Timestamp is not text"),
    "list": (["a", "b"], r"\['a', 'b'\]: a value of type list is not text"),
    "tuple": (("a", "b"), "a value of type tuple is not text"),
    "dict": ({"a": 1}, "a value of type dict is not text"),
    "set": ({"a"}, "a value of type set is not text"),
    "array": (np.array(["a"]), r"<ndarray of shape \(1,\).*type ndarray is not text"),
    "function": (len, "is not text; pass one string per row"),
    "surrogate": ("ab\ud800c", r"U\+D800 at position 2 is no character; remove it"),
    "surrogate alone": ("\udfff", r"U\+DFFF at position 0 is no character; remove it"),
}
"""Cells that are no texts: `on_error` decides about them."""
