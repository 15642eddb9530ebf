"""Texts as words: the cells of taggers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sktransfer.cache import FeatureCache
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._digests import text_digest, words_digest
from sktransfer.modalities._inputs import MASK
from sktransfer.modalities._modality import Augmentation, Preparer, Recipe
from sktransfer.modalities.text._spelling import PER_WORD, spelling_of
from sktransfer.modalities.text._text_modality import TextModality
from sktransfer.modalities.text._text_recipe import TextRecipe
from sktransfer.modalities.text._tokenizer import TextTokenizer
from sktransfer.modalities.text._words import Words, read_words, words_of

if TYPE_CHECKING:
    import torch

# Tokens of a word that are used; words have one to five.
_MOST_PIECES = 64
# Share of a window after which the next one starts.
_STRIDE = 0.75


@dataclass(frozen=True)
class WordRecipe(TextRecipe):
    """How a text is cut into words, and what the vector of a word is.

    Attributes
    ----------
    layer : str or int
        Stage whose tokens are taken.
    subwords : {"mean", "first"}
        Whether a word is the mean over its tokens, or its first token.
    """

    layer: str | int = -1
    subwords: str = "mean"

    def blank(self, rows: int) -> Any:
        """Return texts of two words, each one token."""
        import torch

        tokens = torch.zeros(rows, 1, 2, dtype=torch.int64)
        return {
            "input_ids": tokens,
            "token_mask": torch.ones_like(tokens),
            "words": torch.arange(2)[:, None].expand(rows, 2, 1).clone(),
            "spelling": torch.zeros(rows, 2, PER_WORD, dtype=torch.int64),
            MASK: torch.ones(rows, 2, dtype=torch.int64),
        }


@dataclass(frozen=True)
class WordModality(TextModality):
    """Texts, or lists of words, for networks that give a vector per word.

    Parameters
    ----------
    max_length : int, optional
        Number of tokens of a window; longer texts are cut into windows that overlap.
    layer, subwords
        See `WordRecipe`.
    """

    recipe_type: ClassVar[type[Recipe]] = WordRecipe

    layer: str | int = -1
    subwords: str = "mean"

    def read(self, cells: Iterable[object]) -> list[Any]:
        """Return each cell as `read_words` reads it."""
        return [read_words(cell, self.missing) for cell in cells]

    def digest(
        self, cells: Iterable[object], cache: FeatureCache
    ) -> tuple[Sequence[Any], Sequence[bytes | BadCellError | None]]:
        """Check and digest every text or list of words."""
        read = self.read(cells)
        return read, [_digest(cell) for cell in read]

    def recipe(self, backbone: Any) -> WordRecipe:
        """Return the backbone's recipe for words."""
        fields = vars(super().recipe(backbone))
        return WordRecipe(**{**fields, "layer": self.layer, "subwords": self.subwords})

    def preview(self, cell: object, *, pixels: int = 96, characters: int = 80) -> str:
        """Return the start of a text, or the first words of a list."""
        read = read_words(cell, self.missing)
        shown = " ".join(read) if isinstance(read, tuple) else cell
        return super().preview(shown, pixels=pixels, characters=characters)

    def bind(self, backbone: Any) -> Any:
        """Return what cuts texts into words and tokens for a backbone."""
        return WordPreparer(self.recipe(backbone), backbone.processor)

    @classmethod
    def augmentation(cls, augment: Any) -> Augmentation | None:
        """Return None: a token that is dropped would leave a word without a vector."""
        return None


@dataclass(frozen=True)
class WordedText:
    """A text as windows of tokens.

    Attributes
    ----------
    words : Words
        Its words.
    windows : list of list of int
        Token ids of each window, special tokens included.
    places : ndarray of int, shape (n_words, 3)
        Window of each word, and its first and last token there, the last not included.
    spelling : ndarray of int32, shape (n_words, n)
        Numbers of its spelling features.
    """

    words: Words
    windows: list[list[int]]
    places: np.ndarray
    spelling: np.ndarray


class WordPreparer(Preparer):
    """Cuts texts into words, and these into tokens."""

    variable_length: ClassVar[bool] = True

    def __init__(self, recipe: WordRecipe, tokenizer: TextTokenizer) -> None:
        self.recipe = recipe
        self._tokenizer = tokenizer
        tokenizer.check_words(recipe.max_length)

    def prepare(self, cell: str | tuple[str, ...], digest: bytes | None) -> WordedText:
        """Return words, tokens and spelling."""
        words = words_of(cell)
        before, ids, offsets, after = self._tokenizer.encode_words(words.text)
        room = self.recipe.max_length - len(before) - len(after)
        starts = _window_starts(len(ids), room)
        tokens = _tokens_of(words.offsets, np.array(offsets, dtype=np.int64).reshape(-1, 2))
        windows = [[*before, *ids[start : start + room], *after] for start in starts]
        places = _central(tokens, np.array(starts), room)
        places[:, 1:] += len(before) if ids else 0
        return WordedText(words, windows, places, spelling_of(words.strings))

    def collate(self, items: Sequence[WordedText], device: torch.device) -> dict[str, torch.Tensor]:
        """Return the network inputs of n texts.

        ``input_ids`` and ``token_mask`` (n, windows, tokens); ``words`` (n, words, pieces), the
        positions of each word's tokens among all tokens of its text, padded with -1; ``spelling``
        (n, words, features); and ``attention_mask`` (n, words), 1 where there is a word.
        """
        import torch

        length = max(len(window) for item in items for window in item.windows)
        n_windows = max(len(item.windows) for item in items)
        ids = np.full((len(items), n_windows, length), self._tokenizer.pad_id, dtype=np.int64)
        token_mask = np.zeros_like(ids)
        for row, item in enumerate(items):
            for number, window in enumerate(item.windows):
                ids[row, number, : len(window)] = window
                token_mask[row, number, : len(window)] = 1
        positions = [_positions(item.places, length) for item in items]
        found = {
            "input_ids": ids,
            "token_mask": token_mask,
            "words": _padded(positions, -1),
            "spelling": _padded([item.spelling for item in items], 0),
            MASK: _padded([np.ones((len(item.words), 1)) for item in items], 0)[:, :, 0],
        }
        return {name: torch.from_numpy(array).to(device) for name, array in found.items()}

    def budget(self, on_cpu: bool) -> int:
        """Return the number of words per batch."""
        return 1_000 if on_cpu else 16_384

    def length(self, item: WordedText) -> int:
        """Return the number of words."""
        return len(item.words)


def _digest(cell: Any) -> bytes | BadCellError | None:
    if isinstance(cell, str):
        return text_digest(cell)
    return words_digest(cell) if isinstance(cell, tuple) else cell


def _window_starts(n_tokens: int, room: int) -> list[int]:
    """Return the first token of each window, at even distances."""
    if n_tokens <= room:
        return [0]
    count = math.ceil((n_tokens - room) / max(1, int(_STRIDE * room))) + 1
    return np.linspace(0, n_tokens - room, count).round().astype(int).tolist()


def _tokens_of(words: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Return the first token of each word, and the one after its last.

    A token belongs to the first word that ends behind its start. A word without a token of its
    own, such as the second of two that one token covers, has that of the word before.
    """
    owners = np.searchsorted(words[:, 1], np.maximum.accumulate(tokens[:, 0]), side="right")
    numbers = np.arange(len(words))
    first = np.searchsorted(owners, numbers, side="left")
    last = np.searchsorted(owners, numbers, side="right")
    first = np.where(first == last, np.maximum(first - 1, 0), first)
    return np.stack([first, np.maximum(last, first + 1)], axis=1)


def _central(tokens: np.ndarray, starts: np.ndarray, room: int) -> np.ndarray:
    """Return for each word the window in whose middle it is, and its tokens there."""
    left = (tokens[:, :1] - starts).astype(float)
    right = (starts + room - tokens[:, 1:]).astype(float)
    left[:, 0], right[:, -1] = np.inf, np.inf  # no text is before the first and after the last
    window = np.minimum(left, right).argmax(axis=1)
    first = np.clip(tokens[:, 0] - starts[window], 0, room - 1)
    last = np.clip(tokens[:, 1] - starts[window], first + 1, np.minimum(room, first + _MOST_PIECES))
    return np.stack([window, first, last], axis=1)


def _positions(places: np.ndarray, length: int) -> np.ndarray:
    """Return the positions of each word's tokens (n_words, pieces), padded with -1."""
    window, first, last = places.T
    pieces = np.arange((last - first).max())
    positions = (window * length + first)[:, None] + pieces
    return np.where(pieces < (last - first)[:, None], positions, -1)


def _padded(rows: Sequence[np.ndarray], value: int) -> np.ndarray:
    """Return arrays of two axes as one of three, int64."""
    longest, widest = (max(row.shape[axis] for row in rows) for axis in (0, 1))
    found = np.full((len(rows), longest, widest), value, dtype=np.int64)
    for number, row in enumerate(rows):
        found[number, : row.shape[0], : row.shape[1]] = row
    return found
