"""Words of a text and their places in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from sktransfer.columns import name_cell
from sktransfer.exceptions import BadCellError
from sktransfer.modalities.text._text_cells import Missing, read_texts

# Runs of letters, marks, digits and underscores; any other character is a word of its own, and so
# is each character of scripts that put no spaces between words.
_WORD = r"[\w&&[^\p{Han}\p{Hiragana}\p{Katakana}]]+|\S"


@dataclass(frozen=True, eq=False)
class Words:
    """The words of a cell.

    Attributes
    ----------
    text : str
        The text; words given one by one are joined by spaces.
    offsets : ndarray of int, shape (n_words, 2)
        Start and end of each word in it. A text without words has one that is empty.
    are_given : bool
        Whether the cell was a list of words.
    """

    text: str
    offsets: np.ndarray
    are_given: bool

    def __len__(self) -> int:
        """Return the number of words."""
        return len(self.offsets)

    @property
    def is_empty(self) -> bool:
        """Whether there are no words, and the one of `offsets` stands for none."""
        return len(self) == 1 and not self.text

    @property
    def strings(self) -> list[str]:
        """The words themselves."""
        return [self.text[start:end] for start, end in self.offsets.tolist()]


def words_of(cell: str | Sequence[str]) -> Words:
    """Return the words of a text, or of a list of them.

    Examples
    --------
    >>> words_of("Dr. Who").strings
    ['Dr', '.', 'Who']
    """
    if isinstance(cell, str):
        found = _splitter().pre_tokenize_str(cell)
        offsets = [place for word, place in found if not word.isspace()]
        return Words(cell, np.array(offsets or [(0, 0)], dtype=np.int64), are_given=False)
    ends = np.cumsum([len(word) + 1 for word in cell] or [1]) - 1
    starts = ends - ([len(word) for word in cell] or [0])
    return Words(" ".join(cell), np.stack([starts, ends], axis=1), are_given=True)


def read_words(cell: object, missing: Missing) -> str | tuple[str, ...] | BadCellError | None:
    """Return a cell as a text, or as words where it is a list of them; see `read_texts`."""
    if not isinstance(cell, (list, tuple, np.ndarray)):
        return next(read_texts([cell], missing))
    for number, word in enumerate(cell):
        if not isinstance(word, str):
            reason = f"word {number} is a value of type {type(word).__name__}, not a string"
            return name_cell(cell, BadCellError(reason))
    checked = next(read_texts([" ".join(cell)], missing))
    return tuple(str.__str__(word) for word in cell) if isinstance(checked, str) else checked


@cache
def _splitter() -> Any:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(_WORD), "isolated")
