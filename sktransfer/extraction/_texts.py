"""How a column of texts is read and prepared."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from sktransfer.cache import FeatureCache
from sktransfer.cells import Column, digest_texts, read_texts
from sktransfer.extraction._ahead import ahead
from sktransfer.extraction._batches import (
    CPU_TOKENS,
    GPU_TOKENS,
    equal_batches,
    even,
    mixed,
    sorted_batches,
    token_batches,
)
from sktransfer.extraction._failures import Failures
from sktransfer.extraction._reader import Batch, Batching, Due, Reader, Reading

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone, TextRecipe

# Texts are tokenized so many at a time: enough to find many of like length, and a bound on
# memory however long the column is.
_TOKENIZED_TOGETHER = 4_096


@dataclass(frozen=True)
class TextReader(Reader):
    """Texts.

    Parameters
    ----------
    max_length : int, optional
        Tokens kept of a text; None for as many as the backbone was made for.
    missing : {"raise", "nan", "empty"}
        What None, NaN and blank texts are taken for.
    batch_size : int or "auto"
        Texts that go through the network together.
    """

    modality: ClassVar[Literal["image", "text"]] = "text"
    preparation: ClassVar[str] = "tokenizers"

    max_length: int | None = None
    missing: Literal["raise", "nan", "empty"] = "raise"
    batch_size: int | str = "auto"

    def recipe(self, backbone: Backbone) -> TextRecipe:
        """Return the backbone's recipe at this length."""
        return cast("TextRecipe", backbone.recipe).at(self.max_length)

    def read(self, column: Column, cache: FeatureCache, failures: Failures) -> Reading:
        """Check and digest every text."""
        texts = failures.sift(read_texts(column.cells, missing=self.missing))
        return Reading(texts, digest_texts(texts))

    def prepare(
        self, reading: Reading, rows: Sequence[int], backbone: Backbone, failures: Failures
    ) -> Batch:
        """Tokenize to a list of lists of token numbers."""
        max_length = self.recipe(backbone).max_length
        return rows, backbone.tokenizer.encode([reading.cells[row] for row in rows], max_length)

    def batches(
        self,
        reading: Reading,
        rows: Sequence[int],
        backbone: Backbone,
        failures: Failures,
        batching: Batching,
    ) -> Generator[Batch]:
        """Tokenize in threads and group by length."""
        budget = CPU_TOKENS if batching.on_cpu else GPU_TOKENS

        def tokenize(some: Sequence[int]) -> list[Batch]:
            _, tokens = self.prepare(reading, some, backbone, failures)
            lengths = [len(ids) for ids in tokens]
            if self.batch_size == "auto":
                groups = token_batches(lengths, even(budget, sum(lengths), batching.streams))
            else:
                groups = sorted_batches(lengths, int(self.batch_size))
            if batching.due:
                groups = mixed(groups)
            return [([some[i] for i in group], [tokens[i] for i in group]) for group in groups]

        for batches in ahead(tokenize, equal_batches(rows, _TOKENIZED_TOGETHER)):
            for batch in batches:
                left = _left(batch, batching.due) if batching.due else batch
                if left[0]:
                    yield left

    def inputs(self, batch: list[list[int]], backbone: Backbone, device: torch.device) -> Any:
        """Pad token lists to a mapping of tensors (n, tokens)."""
        tensors = backbone.tokenizer.collate(batch)
        return {name: tensor.to(device) for name, tensor in tensors.items()}


def _left(batch: Batch, due: Due) -> Batch:
    tokens = dict(zip(*batch, strict=True))
    rows = due(batch[0])
    return rows, [tokens[row] for row in rows]
