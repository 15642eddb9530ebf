"""Texts: strings, cut into tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer.cache import FeatureCache
from sktransfer.exceptions import BackboneError, BadCellError
from sktransfer.modalities._digests import text_digest
from sktransfer.modalities._modality import Modality, Preparer, Recipe
from sktransfer.modalities.text._text_augmentation import text_augmentation
from sktransfer.modalities.text._text_cells import Missing, read_texts
from sktransfer.modalities.text._text_recipe import TextRecipe
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

    def digest(
        self, cells: Iterable[object], cache: FeatureCache
    ) -> tuple[Sequence[Any], Sequence[bytes | BadCellError | None]]:
        """Check and digest every text."""
        texts = list(read_texts(cells, missing=self.missing))
        return texts, [text_digest(text) if isinstance(text, str) else text for text in texts]

    def recipe(self, backbone: Any) -> TextRecipe:
        """Return the backbone's recipe at this length."""
        return backbone.recipe.at(self.max_length)

    def bind(self, backbone: Any) -> TextPreparer:
        """Return what cuts texts into tokens for a backbone."""
        return TextPreparer(self.recipe(backbone), backbone.processor)

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

    def __init__(self, recipe: TextRecipe, tokenizer: TextTokenizer) -> None:
        self.recipe = recipe
        self._tokenizer = tokenizer

    def prepare(self, cell: str, digest: bytes | None) -> list[int]:
        """Return token ids."""
        return self._tokenizer.encode([cell], self.recipe.max_length)[0]

    def collate(self, items: Sequence[list[int]], device: torch.device) -> dict[str, torch.Tensor]:
        """Return ``input_ids`` and ``attention_mask`` (n, tokens), padded on the right."""
        tensors = self._tokenizer.collate(items)
        return {name: tensor.to(device) for name, tensor in tensors.items()}

    def budget(self, on_cpu: bool) -> int:
        """Return the number of tokens per batch."""
        return _CPU_TOKENS if on_cpu else _GPU_TOKENS

    def length(self, item: list[int]) -> int:
        """Return the number of tokens."""
        return len(item)
