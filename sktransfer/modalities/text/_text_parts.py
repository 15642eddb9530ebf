"""Words of a text, left out one by one."""

from __future__ import annotations

import html
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer.columns import is_missing
from sktransfer.modalities._parts import WEIGHT_COLOURS, Part, Parts, Weighted, css_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Runs of letters, marks and digits, with apostrophes inside; each character of scripts that put no
# spaces between words; any other character with what combines with it, such as an emoji.
_LETTERS = r"[\w&&[^\p{Han}\p{Hiragana}\p{Katakana}]]+"
_WORD = rf"{_LETTERS}(?:['’]{_LETTERS})*|\X"

# Of a text without any word, because an empty one is a missing cell.
_BLANK = "."
# Share of the largest weight from which colours are too dark for black letters.
_DARK = 0.6
# Characters per line, and lines, of a drawing.
_WIDTH, _MOST_LINES = 56, 18
# The second has more scripts.
_FONTS = ["monospace", "sans-serif"]


class TextParts(Parts):
    """The words of a text.

    Parameters
    ----------
    text : str
        The text; parts are start and end of characters in it.
    """

    keeps_form = True

    def __init__(self, text: str) -> None:
        self._text = text
        self.whole = (0, len(text))
        self._words = words_in(text)

    def split(self, part: Part, most: int) -> list[Part]:
        """Return the words within a part, or runs of them that differ by one in length."""
        first, end = (bisect_left(self._words, (place,)) for place in part)
        words = self._words[first:end]
        runs = np.array_split(np.arange(len(words)), max(1, min(most, len(words))))
        return [(words[run[0]][0], words[run[-1]][1]) for run in runs if len(run)]

    def without(self, part: Part | None) -> str:
        """Return the text without some words and the space behind them."""
        if part is None:
            return self._text
        before, after = self._text[: part[0]], self._text[part[1] :]
        if not before or before[-1].isspace():
            after = after.lstrip()
        left = before + after
        return _BLANK if is_missing(left) else left

    def weighted(self, parts: Sequence[Part], weights: Sequence[float]) -> WordWeights:
        """Return words with their weights."""
        found = sorted(zip(parts, weights, strict=True))
        return WordWeights(
            self._text, [(a, b, self._text[a:b], float(weight)) for (a, b), weight in found]
        )


class WordWeights(Weighted, list[tuple[int, int, str, float]]):
    """Words of a text with their weights: (start, end, word, weight).

    Start and end count characters. Of a long text several words may share one entry.

    Attributes
    ----------
    text : str
        The text.
    """

    def __init__(self, text: str, words: Sequence[tuple[int, int, str, float]]) -> None:
        super().__init__(words)
        self.text = text

    @property
    def largest(self) -> float:
        """Largest absolute weight that is finite; 0 if there is none."""
        return max((abs(w) for *_, w in self if np.isfinite(w)), default=0.0)

    def entries(self) -> list[tuple[str, float]]:
        """Return the words and their weights."""
        return [(word, weight) for *_, word, weight in self]

    def describe(self) -> str:
        """Return the three words of the largest weights."""
        top = sorted(self, key=lambda word: -abs(word[3]))[:3]
        return ", ".join(f"{' '.join(word.split())[:24]} {weight:+.3f}" for *_, word, weight in top)

    def draw(self, ax: Axes, limit: float) -> None:
        """Write the text, in lines of equal width, on the colours of its words."""
        import matplotlib as mpl

        colours = mpl.colormaps[WEIGHT_COLOURS]
        rows = list(self._placed())
        lines = 1 + max((line for line, *_ in rows), default=0)
        ax.set(xlim=(0, _WIDTH), ylim=(max(lines, 8), 0))
        ax.set_axis_off()
        for line, column, text, weight in rows:
            if weight is not None:
                face = colours(0.5 + 0.5 * weight / limit)
                ax.add_patch(
                    mpl.patches.Rectangle((column, line + 0.08), _width(text), 0.84, color=face)
                )
            is_dark = weight is not None and abs(weight) > _DARK * limit
            style: dict[str, Any] = {"ha": "center", "va": "center", "family": _FONTS}
            style |= {"color": "white" if is_dark else "black", "size": 8, "parse_math": False}
            ax.text(column + _width(text) / 2, line + 0.5, text, **style)

    def to_html(self, limit: float) -> str:
        """Return a paragraph of coloured words; each shows its weight under the pointer."""
        parts = []
        for text, weight in self._pieces():
            shown = html.escape(text)
            if weight is not None:
                colour = css_colour(weight, limit)
                style = f"background:{colour};color:#111;border-radius:3px;padding:1px 2px"
                shown = f'<span style="{style}" title="{weight:+.4f}">{shown}</span>'
            parts.append(shown)
        style = "margin:0;line-height:1.9;white-space:pre-wrap;overflow-wrap:anywhere"
        return f'<p style="{style}">{"".join(parts)}</p>'

    def _pieces(self) -> Iterator[tuple[str, float | None]]:
        """Yield all of the text in pieces, with the weights of those that are parts."""
        at = 0
        for start, end, word, weight in self:
            yield self.text[at:start], None
            yield word, weight
            at = end
        yield self.text[at:], None

    def _placed(self) -> Iterator[tuple[int, int, str, float | None]]:
        """Yield the words with line and column; what does not fit is left out behind "…"."""
        line = column = 0
        for piece, weight in self._pieces():
            for word in piece.split():
                word, width = _cut(word), min(_width(word), _WIDTH)
                if column and column + width > _WIDTH:
                    if line == _MOST_LINES - 1:
                        yield line, min(column, _WIDTH - 1), "…", None
                        return
                    line, column = line + 1, 0
                yield line, column, word, weight
                column += width
            if piece[-1:].isspace() or (piece and weight is None and not piece.strip()):
                column += 1


def words_in(text: str) -> list[Part]:
    """Return start and end of each word.

    Examples
    --------
    >>> text = "Don't panic!"
    >>> [text[start:end] for start, end in words_in(text)]
    ["Don't", 'panic', '!']
    """
    found = _splitter().pre_tokenize_str(text)
    return [place for word, place in found if not word.isspace()]


def _cut(word: str) -> str:
    """Return a word that fits on a line."""
    if _width(word) <= _WIDTH:
        return word
    ends = accumulate(map(_width_of, word))
    return word[: sum(end < _WIDTH for end in ends)] + "…"


def _width(text: str) -> int:
    return sum(_width_of(character) for character in text)


def _width_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@cache
def _splitter() -> Any:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(_WORD), "isolated")
