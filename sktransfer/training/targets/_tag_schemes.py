"""Tags of words in the usual schemes: IOB1, IOB2, BILOU and BIOES."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sktransfer.exceptions import TargetError

#: First and last word of an entity (the last not included), and its label.
Entity = tuple[int, int, Any]

# Prefixes of the first and the last word of several, and of a single word.
_MARKS = {"BILOU": ("B", "L", "U"), "BIOES": ("B", "E", "S"), "IOB2": ("B", "I", "B")}
_FIRST, _LAST = frozenset("BUS"), frozenset("LUES")


def scheme_of(rows: Iterable[Sequence[str]]) -> str:
    """Return the scheme of rows of tags.

    Without a prefix of the other schemes it is "IOB1", where B only separates an entity from one
    of the same label before it, if no B is elsewhere and an entity begins with I; else "IOB2".

    Raises
    ------
    TargetError
        If a tag is of no scheme.
    """
    prefixes: set[str] = set()
    begins: set[tuple[str, bool]] = set()
    for number, row in enumerate(rows):
        before = ""
        for tag in row:
            prefix, label = split_tag(tag, number)
            prefixes.add(prefix)
            if prefix == "B" or (prefix == "I" and label != before):
                begins.add((prefix, label == before))
            before = label
    if prefixes & set("LU") and prefixes & set("ES"):
        raise TargetError(f"y mixes the tags of two schemes: {', '.join(sorted(prefixes))}.")
    if prefixes & set("LU"):
        return "BILOU"
    if prefixes & set("ES"):
        return "BIOES"
    return "IOB1" if ("I", False) in begins and ("B", False) not in begins else "IOB2"


def split_tag(tag: Any, row: int) -> tuple[str, str]:
    """Return the prefix and the label of a tag.

    Raises
    ------
    TargetError
        Naming the row, if it has none.
    """
    prefix, dash, label = tag.partition("-") if isinstance(tag, str) else ("", "", "")
    if tag == "O" or (dash and label and prefix in tuple("BILUES")):
        return str(prefix), str(label)
    raise TargetError(
        f"row {row} of y: {tag!r} is no tag; those of words are 'O', or a prefix (B, I; L, U or "
        "E, S) with a label, such as 'B-PER'."
    )


def entities_of(tags: Sequence[str], row: int) -> list[Entity]:
    """Return the entities of a row, as ``conlleval`` and seqeval find them in any scheme."""
    found: list[Entity] = []
    start, before, ends = 0, "", True
    for word, tag in enumerate([*tags, "O"]):
        prefix, label = split_tag(tag, row)
        if label != before or prefix in _FIRST or ends:
            if before:
                found.append((start, word, before))
            start, before = word, label
        ends = prefix in _LAST or prefix == "O"
    return found


def tags_of(entities: Iterable[Entity], n_words: int, scheme: str) -> list[str]:
    """Return the tags of words in a scheme, from entities in order."""
    tags, before = ["O"] * n_words, (-1, -1, None)
    for start, stop, label in entities:
        if scheme == "IOB1":
            first, last, single = "B" if before[1:] == (start, label) else "I", "I", ""
            single = first
        else:
            first, last, single = _MARKS[scheme]
        marks = [single] if stop - start == 1 else [first, *"I" * (stop - start - 2), last]
        tags[start:stop] = [f"{mark}-{label}" for mark in marks]
        before = (start, stop, label)
    return tags
