"""Labelled spans of a text, or tags of its words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from sktransfer._warnings import warn
from sktransfer.columns import is_missing
from sktransfer.exceptions import TargetError, WidenedWarning
from sktransfer.modalities import IGNORED
from sktransfer.training.targets._tag_schemes import Entity, entities_of, scheme_of, tags_of
from sktransfer.training.targets._target import Target

#: Start and end of a span in characters, and its label.
Span = tuple[int, int, Any]


@dataclass(frozen=True)
class SpanTarget(Target):
    """Entities: spans of words with a label.

    Tags of words are numbers: 0 outside of entities, 1 + 2 i and 2 + 2 i for the first and for
    further words of an entity of the label i.

    Attributes
    ----------
    labels : list of str or int
        In order.
    form : {"tuples", "dicts", "IOB1", "IOB2", "BILOU", "BIOES"}
        How y is written.
    """

    kind: ClassVar[str] = "spans"
    level: ClassVar = "token"

    labels: list[Any]
    form: str

    @classmethod
    def learn(cls, y: Any) -> Self:
        """Return the target of these rows of spans or tags."""
        rows = _rows(y)
        first = next((row[0] for row in rows if row), None)
        if isinstance(first, str):
            for number, row in enumerate(rows):
                _refuse_others(row, str, number, "tag")
            form = scheme_of(rows)
            found = {e[2] for n, row in enumerate(rows) for e in entities_of(row, n)}
        else:
            form = "dicts" if isinstance(first, Mapping) else "tuples"
            found = {_span(item, n)[2] for n, row in enumerate(rows) for item in row}
        if not found:
            raise TargetError("there is no labelled span in y, so there is nothing to learn.")
        return cls(sorted(found, key=lambda label: (isinstance(label, str), label)), form)

    @property
    def n_outputs(self) -> int:
        """Number of tags."""
        return 1 + 2 * len(self.labels)

    @property
    def legal(self) -> torch.Tensor:
        """Whether a tag (column) may follow each other (row), or begin a text (last row)."""
        tags = torch.arange(self.n_outputs)
        is_inside = (tags > 0) & (tags % 2 == 0)
        before = torch.cat([tags, torch.zeros(1, dtype=torch.int64)])[:, None]
        return ~is_inside | (before == tags) | (before == tags - 1)

    @property
    def has_tags(self) -> bool:
        """Whether y has a tag per word."""
        return self.form not in ("tuples", "dicts")

    def encode(self, y: Any, outlines: Sequence[Any] | None = None) -> list[torch.Tensor]:
        """Return the tags (words,) of each row, int64; warn of spans that are widened to words."""
        items = outlines or []
        numbers = []
        for number, (entities, item) in enumerate(zip(self.read(y, items), items, strict=True)):
            tags = torch.zeros(0 if item is None else len(item.words), dtype=torch.int64)
            for start, stop, label in entities:
                tags[start:stop] = 2 + 2 * self._number(label, number)
                tags[start] -= 1
            numbers.append(tags)
        return numbers

    def read(self, y: Any, items: Sequence[Any]) -> list[list[Entity]]:
        """Return the entities of each row of y, in words; none where the item is None."""
        widened: list[str] = []
        found = [
            [] if item is None else self._of(row, item.words, number, widened)
            for number, (row, item) in enumerate(zip(_rows(y), items, strict=True))
        ]
        if widened:
            warn(
                f"{len(widened)} spans begin or end inside a word, and were widened to whole "
                f"words; the first: {widened[0]}. Pass lists of words to choose the words.",
                WidenedWarning,
            )
        return found

    def _of(self, row: list[Any], words: Any, number: int, widened: list[str]) -> list[Entity]:
        if words.are_given != self.has_tags and (row or words.text):
            raise TargetError(
                f"row {number}: a list of words needs a tag per word, and a text spans "
                "(start, end, label); "
                + ("X has a text, y tags." if self.has_tags else "X has words, y spans.")
            )
        if not self.has_tags:
            return _to_words([_span(span, number) for span in row], words, number, widened)
        _refuse_others(row, str, number, "tag")
        n_words = 0 if words.is_empty else len(words)
        if len(row) != n_words:
            raise TargetError(f"row {number} of y: {len(row)} tags for {n_words} words.")
        return entities_of(row, number)

    def _number(self, label: Any, row: int) -> int:
        if label not in self.labels:
            raise TargetError(
                f"row {row} of y: {label!r} is none of the labels {self.labels} of the first fit."
            )
        return self.labels.index(label)

    def entities(self, tags: Iterable[int]) -> list[Entity]:
        """Return the entities of a row of encoded tags, in words."""
        found: list[Entity] = []
        for word, tag in enumerate(tags):
            if tag % 2:
                found.append((word, word + 1, self.labels[tag // 2]))
            elif tag and found:
                found[-1] = (found[-1][0], word + 1, found[-1][2])
        return found

    def decode(self, tags: Sequence[int], words: Any, scores: Any = None) -> list[Any]:
        """Return a row as y is written.

        Parameters
        ----------
        tags : sequence of int
            Encoded tags of its words.
        words : Words
            Its words.
        scores : Marginals, optional
            Adds the probability of each span, or of each word's tag.
        """
        if words.is_empty:
            return []
        entities = self.entities(tags)
        if self.has_tags:
            found = tags_of(entities, len(words), self.form)
            if scores is None:
                return found
            return [*zip(found, scores.of_tags(np.asarray(tags)).tolist(), strict=True)]
        rows: list[Any] = []
        for first, stop, label in entities:
            start, end = int(words.offsets[first, 0]), int(words.offsets[stop - 1, 1])
            row = {"start": start, "end": end, "label": label}
            if scores is not None:
                row["score"] = scores.of_entity(first, stop, np.asarray(tags))
            rows.append(row if self.form == "dicts" else (*row.values(),))
        return rows

    def row_loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float
    ) -> torch.Tensor:
        """Return the cross entropy, summed over words."""
        return functional.cross_entropy(
            outputs.mT,
            targets,
            reduction="none",
            ignore_index=IGNORED,
            label_smoothing=label_smoothing,
        ).sum(1)

    def to_proba(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the probability of each tag of a word by itself."""
        return outputs.softmax(-1)

    def to_labels(self, proba: np.ndarray) -> np.ndarray:
        """Return the most probable tag of each word by itself."""
        return proba.argmax(-1)

    def bias(self, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return zeros: shares of tags say little where transitions are learned."""
        return torch.zeros(self.n_outputs)

    def batch(self, targets: Any, rows: Sequence[int]) -> torch.Tensor:
        """Return the tags of some rows, padded."""
        return pad_sequence([targets[row] for row in rows], True, padding_value=IGNORED)

    def join(self, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return all rows, each as long as in its batch."""
        return [row for part in parts for row in part]

    def score(self, outputs: Any, targets: Any, weights: np.ndarray) -> float:
        """Return the micro-averaged F1 of entities; outputs are scores of tags."""
        rows = []
        for scores, tags in zip(outputs, targets, strict=True):
            known = tags != IGNORED
            rows.append((self.entities(tags[known]), self.entities(scores[known].argmax(-1))))
        return f1_of(counts_of(rows, weights))


def counts_of(
    rows: Iterable[tuple[list[Entity], list[Entity]]], weights: Iterable[float]
) -> dict[Any, np.ndarray]:
    """Return per label the numbers of entities that are right, predicted and true.

    Parameters
    ----------
    rows : iterable of pairs of lists of entities
        True and predicted entities of each row. One is right if start, end and label are.
    weights : iterable of float
        Of each row.
    """
    counts: dict[Any, np.ndarray] = {}
    for (true, predicted), weight in zip(rows, weights, strict=True):
        right = set(true) & set(predicted)
        for column, entities in enumerate((right, predicted, true)):
            for entity in entities:
                counts.setdefault(entity[2], np.zeros(3))[column] += weight
    return counts


def f1_of(counts: Mapping[Any, np.ndarray]) -> float:
    """Return the micro-averaged F1 of `counts_of`; 0 if there are no entities."""
    right, predicted, true = sum(counts.values(), np.zeros(3))
    return float(2 * right / max(predicted + true, 1e-12))


def _rows(y: Any) -> list[list[Any]]:
    """Return each row of y as a list."""
    rows = []
    for number, row in enumerate(y):
        row = row["ents"] if isinstance(row, Mapping) and "ents" in row else row
        if isinstance(row, (str, bytes, Mapping)) or not hasattr(row, "__iter__"):
            raise TargetError(
                f"row {number} of y: {row!r} is no list of spans (start, end, label) or of tags; "
                "a row without any is []."
            )
        rows.append(list(row))
    return rows


def _refuse_others(row: list[Any], kind: type, number: int, name: str) -> None:
    for item in row:
        if not isinstance(item, kind):
            raise TargetError(f"row {number} of y: {item!r} is no {name}, as others are.")


def _span(item: Any, row: int) -> Span:
    """Return start, end and label of a span, checked without its text."""
    if isinstance(item, Mapping):
        missing = [name for name in ("start", "end", "label") if name not in item]
        if missing:
            raise TargetError(f"row {row} of y: {item!r} lacks {', '.join(missing)}.")
        item = (item["start"], item["end"], item["label"])
    elif isinstance(item, str) or not hasattr(item, "__len__") or len(item) != 3:
        raise TargetError(f"row {row} of y: {item!r} is no span (start, end, label).")
    start, end, label = item
    if not all(isinstance(n, Integral) and not isinstance(n, bool) for n in (start, end)):
        raise TargetError(f"row {row} of y: start and end of {item!r} are no whole numbers.")
    label = label.item() if isinstance(label, np.generic) else label
    if is_missing(label) or not isinstance(label, (str, Real)):
        raise TargetError(f"row {row} of y: {label!r} is no label; labels are strings or numbers.")
    return int(start), int(end), label


def _to_words(spans: list[Span], words: Any, row: int, widened: list[str]) -> list[Entity]:
    """Return spans of characters as spans of words, and add those that are widened."""
    starts, ends = words.offsets.T
    found: list[Entity] = []
    before: Span | None = None
    for span in sorted(spans, key=lambda span: span[:2]):
        start, end, label = span
        if start < 0 or end > len(words.text):
            raise TargetError(
                f"row {row} of y: {span!r} is outside the text of {len(words.text)} characters."
            )
        first = int(np.searchsorted(ends, start, side="right"))
        stop = int(np.searchsorted(starts, end, side="left"))
        if start >= end or first >= stop:
            raise TargetError(f"row {row} of y: {span!r} is empty.")
        if before is not None and (start < before[1] or first < found[-1][1]):
            how = "overlap" if start < before[1] else "share a word; pass lists of words"
            raise TargetError(f"row {row} of y: {before!r} and {span!r} {how}.")
        place = int(starts[first]), int(ends[stop - 1])
        if place[0] < start or place[1] > end:
            widened.append(f"row {row}, {span!r} to {place}")
        found.append((first, stop, label))
        before = span
    return found
