"""Texts: strings, cut into tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer.cache import FeatureCache
from sktransfer.columns import describe
from sktransfer.exceptions import BackboneError, BadCellError, LeftOutWarning
from sktransfer.modalities._chunks import Chunked
from sktransfer.modalities._digests import text_digest
from sktransfer.modalities._modality import (
    Augmentation,
    Modality,
    Preparer,
    Recipe,
    Remark,
    shortened,
)
from sktransfer.modalities.text._text_augmentation import text_augmentation
from sktransfer.modalities.text._text_cells import Missing, read_texts
from sktransfer.modalities.text._text_recipe import TextRecipe
from sktransfer.modalities.text._token_masking import token_masking
from sktransfer.modalities.text._tokenizer import TextTokenizer

if TYPE_CHECKING:
    import torch

# Tokens per batch, padding included. On a CPU small batches stay in its cache.
_CPU_TOKENS, _GPU_TOKENS = 1_000, 16_384


@dataclass(frozen=True)
class TextModality(Modality):
    """Texts.

    Parameters
    ----------
    max_length : int, optional
        Number of tokens kept of a text; None for as many as the backbone was made for.
    missing : {"raise", "nan", "empty"}
        What None, NaN and blank texts become.
    prompt : str, optional
        Put before each text; None for the backbone's own, if it has one.
    long_texts : {"truncate", "chunk"}
        Whether the start of a text of more tokens is used, or the mean over chunks of it.
    """

    name: ClassVar[str] = "text"
    noun: ClassVar[str] = "text"
    library: ClassVar[str] = "tokenizers"
    recipe_type: ClassVar[type[Recipe]] = TextRecipe
    augmentation = staticmethod(text_augmentation)
    processor_from_dict = TextTokenizer.from_dict
    can_blend: ClassVar[bool] = False
    number_advice: ClassVar[str] = ", or convert each value to a string"

    max_length: int | None = None
    missing: Missing = "raise"
    prompt: str | None = None
    long_texts: str = "truncate"

    @classmethod
    def claims(cls, cell: object, start: bytes | None) -> bool:
        """Return whether it is a string."""
        return isinstance(cell, str)

    def digest(
        self, cells: Iterable[object], cache: FeatureCache
    ) -> tuple[Sequence[Any], Sequence[bytes | BadCellError | None]]:
        """Check and digest every text."""
        texts = list(read_texts(cells, missing=self.missing))
        return texts, [text_digest(text) if isinstance(text, str) else text for text in texts]

    def recipe(self, backbone: Any) -> TextRecipe:
        """Return the backbone's recipe at this length."""
        return backbone.recipe.at(self.max_length)

    def preparation(self) -> str:
        """Return the tokenizers' version, and parameters that change the tokens of a text."""
        parts = [super().preparation()]
        for name in ("prompt", "long_texts"):
            value = getattr(self, name)
            if value != getattr(type(self), name):  # keys of the default name neither
                parts.append(f"{name}={value!r}")
        return " ".join(parts)

    def masking(
        self, fraction: float, backbone: Any, grid: tuple[int, int] | None = None
    ) -> Augmentation:
        """Return what masks this share of the tokens."""
        return token_masking(fraction, backbone.processor)

    def preview(self, cell: object, *, pixels: int = 96, characters: int = 80) -> str:
        """Return the start of a text."""
        return shortened(cell if isinstance(cell, str) else describe(cell), characters)

    def bind(self, backbone: Any) -> TextPreparer:
        """Return what cuts texts into tokens for a backbone."""
        kind = ChunkPreparer if self.long_texts == "chunk" else TextPreparer
        return kind(self.recipe(backbone), backbone.processor, self.prompt)

    @classmethod
    def module_recipe(cls, module: Any) -> Recipe:
        """Refuse: a module has no tokenizer."""
        raise BackboneError(
            f"A module ({type(module).__name__}) is no backbone for texts, because the tokenizer "
            "that belongs to it is not known. Pass a name, a Hugging Face id, or the folder that "
            "model.save_pretrained and tokenizer.save_pretrained have written."
        )

    @staticmethod
    def from_plain(*tensors: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``input_ids`` and ``attention_mask``."""
        return dict(zip(("input_ids", "attention_mask"), tensors, strict=True))


class TextPreparer(Preparer):
    """Cuts texts into tokens."""

    variable_length: ClassVar[bool] = True

    def __init__(
        self, recipe: TextRecipe, tokenizer: TextTokenizer, prompt: str | None = None
    ) -> None:
        tokenizer.check_prompt(recipe.max_length, prompt)
        self.recipe = recipe
        self._tokenizer = tokenizer
        self._prompt = prompt

    def prepare(self, cell: str, digest: bytes | None) -> Any:
        """Return token ids."""
        length = self.recipe.max_length
        tokens, is_whole = self._tokenizer.encode_start(cell, length, self._prompt)
        if not is_whole:
            self.remark(Remark(self._describe_left_out(), LeftOutWarning), digest)
        return tokens

    def _describe_left_out(self) -> str:
        """Return how many tokens are used, and how to use more."""
        length, longest = self.recipe.max_length, self.recipe.longest
        more = f"max_length up to {longest}, or " if longest > length else ""
        return (
            f"texts have more than max_length={length} tokens, and only their start is used. To "
            f"use more, set {more}long_texts='chunk' in a TextEmbedder. Texts that were cached "
            "before are not counted"
        )

    def collate(self, items: Sequence[list[int]], device: torch.device) -> dict[str, torch.Tensor]:
        """Return ``input_ids`` and ``attention_mask`` of n texts, each int64 (n, tokens).

        Texts are padded on the right to the length of the longest, where the mask is 0.
        """
        tensors = self._tokenizer.collate(items)
        return {name: tensor.to(device) for name, tensor in tensors.items()}

    def budget(self, on_cpu: bool) -> int:
        """Return the number of tokens per batch."""
        return _CPU_TOKENS if on_cpu else _GPU_TOKENS

    def length(self, item: Any) -> int:
        """Return the number of tokens."""
        return len(item)


class ChunkPreparer(Chunked, TextPreparer):
    """Cuts texts into chunks of tokens; the output of a text is the mean over its chunks."""

    def prepare(self, cell: str, digest: bytes | None) -> list[list[int]]:
        """Return the token ids of each chunk."""
        return self._tokenizer.encode_chunks(cell, self.recipe.max_length, self._prompt)
