"""How texts become what a network takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from sktransfer.exceptions import BackboneError
from sktransfer.modalities._modality import Recipe

_MOST_TOKENS = 256
_TEXTS = ("a", "The quick brown fox jumps over the lazy dog.", "one two, three 4! " * _MOST_TOKENS)


@dataclass(frozen=True)
class TextRecipe(Recipe):
    """How a text is cut and its token vectors are pooled.

    Attributes
    ----------
    max_length : int
        Number of tokens kept of a text, special tokens included.
    longest : int
        Largest number of tokens that the network takes.
    pooling : str
        "mean" over the tokens of the text, "max", or "cls" for the first token.
    normalize : bool
        Whether the source scales its vectors to unit length.
    tokenizer : str
        Digest of the tokenizer, hexadecimal.
    """

    modality: ClassVar[str] = "text"

    max_length: int
    longest: int
    pooling: str = "mean"
    normalize: bool = False
    tokenizer: str = ""

    def at(self, max_length: int | None) -> Self:
        """Return the recipe for another number of tokens."""
        if max_length is None:
            return self
        if max_length > self.longest:
            raise BackboneError(
                f"max_length={max_length} is more than the {self.longest} tokens "
                "that this backbone has positions for."
            )
        return replace(self, max_length=int(max_length))

    def blank(self, rows: int) -> Any:
        """Return texts of two tokens."""
        import torch

        tokens = torch.zeros(rows, 2, dtype=torch.int64)
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}

    def examples(self, processor: Any) -> Sequence[Any]:
        """Return two, three and one texts of different lengths."""
        tokens = processor.encode(_TEXTS, min(self.max_length, _MOST_TOKENS))
        return [processor.collate(some) for some in (tokens[:2], tokens, tokens[1:2])]

    def describe(self) -> str:
        """Return the number of tokens as the parameter `max_length`."""
        return f"max_length={self.max_length}"

    def check(self, processor: Any) -> None:
        """Refuse a tokenizer that is not the one of this recipe."""
        if processor is None or processor.digest != self.tokenizer:
            raise BackboneError("The tokenizer is not the one that the recipe names.")
