"""Features of how words are spelled, hashed to numbers."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

#: Number of different features; 0 stands for none.
N_SPELLINGS = 1 << 14
#: Largest number of features per word.
PER_WORD = 28

_MARKS = '.,;:()"'


def spelling_of(words: Sequence[str]) -> np.ndarray:
    """Return the spelling features of each word of a text, and of its neighbours.

    They are those that taggers usually have: the word in lower case, its prefixes and suffixes of
    up to three characters, its shape (``"Xx-dd"``), the number of digits, the length, the distance
    from both ends of the text, and some of these of the words before and after.

    Parameters
    ----------
    words : sequence of str
        In order.

    Returns
    -------
    ndarray of int32, shape (n_words, PER_WORD)
        Numbers of the features, padded with 0.
    """
    found = np.zeros((len(words), PER_WORD), dtype=np.int32)
    own = [list(_own(word)) for word in words]
    near = [list(_near(word)) for word in words]
    for i, features in enumerate(own):
        places = [f"start{min(i, 3)}", f"end{min(len(words) - 1 - i, 3)}"]
        before = near[i - 1] if i else ["none"]
        after = near[i + 1] if i + 1 < len(words) else ["none"]
        names = (
            features
            + places
            + [f"before {name}" for name in before]
            + [f"after {n}" for n in after]
        )
        found[i, : len(names)] = [_number(name) for name in names]
    return found


def _own(word: str) -> Iterator[str]:
    lower, shape = word.lower(), _shape(word)
    yield f"word {lower}"
    yield f"core {lower.strip(_MARKS)}"
    for length in (1, 2, 3):
        yield f"prefix {lower[:length]}"
        yield f"suffix {lower[-length:]}"
    yield f"shape {shape}"
    yield f"short {_squeezed(shape)}"
    yield f"digits {sum(map(str.isdigit, word))}"
    yield f"length {min(len(word), 8)}"
    yield f"mark {lower[-1:] if not lower[-1:].isalnum() else ''}"
    yield "any"


def _near(word: str) -> Iterator[str]:
    lower = word.lower()
    yield f"word {lower}"
    yield f"core {lower.strip(_MARKS)}"
    yield f"short {_squeezed(_shape(word))}"
    yield f"suffix {lower[-2:]}"


def _shape(word: str) -> str:
    kinds = ((str.isupper, "X"), (str.islower, "x"), (str.isdigit, "d"))
    return "".join(next((k for test, k in kinds if test(char)), char) for char in word)


def _squeezed(shape: str) -> str:
    return re.sub(r"(.)\1+", r"\1", shape)


def _number(name: str) -> int:
    return 1 + zlib.crc32(name.encode("utf-8", "surrogatepass")) % (N_SPELLINGS - 1)
