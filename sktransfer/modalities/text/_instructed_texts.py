"""Texts in a prompt, for models that continue or rewrite them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sktransfer.exceptions import BadCellError, LeftOutWarning
from sktransfer.modalities._modality import Remark
from sktransfer.modalities.text._text_modality import TextModality, TextPreparer
from sktransfer.modalities.text._text_recipe import TextRecipe

# Tokens per batch. Steps of one token cost about as much for a few rows as for one.
_CPU_TOKENS, _GPU_TOKENS = 4_096, 16_384


@dataclass(frozen=True)
class InstructedTexts(TextModality):
    """Texts in a prompt; of a long text the end is left out, and nothing of the prompt.

    Parameters
    ----------
    max_length, missing, prompt, long_texts
        As those of `TextModality`; a prompt with ``{}`` has the text in its place, and with
        ``long_texts="raise"`` a text of more tokens is a bad cell.
    chat : bool or "auto"
        Whether the whole is put into the chat template of the model; "auto" if it has one.
    new_tokens : int
        Number of tokens that the model may add, for which it needs positions.
    language : str, optional
        Code of the language of the texts; None for that of the tokenizer.
    """

    chat: bool | str = "auto"
    new_tokens: int = 0
    language: str | None = None

    def preparation(self) -> str:
        """Return the tokenizers' version, and parameters that change the tokens of a text."""
        return f"{super().preparation()} chat={self.chat!r} language={self.language!r}"

    def recipe(self, backbone: Any) -> TextRecipe:
        """Return the model's recipe at this length."""
        return backbone.recipe_for(self.new_tokens).at(self.max_length)

    def bind(self, backbone: Any) -> InstructedPreparer:
        """Return what cuts texts into tokens for a model."""
        chat = backbone.uses_chat(self.chat)
        return InstructedPreparer(self.recipe(backbone), backbone.processor, self, chat)


class InstructedPreparer(TextPreparer):
    """Cuts texts in their prompt into tokens.

    Parameters
    ----------
    recipe : TextRecipe
        With the number of tokens.
    tokenizer : object
        With the methods ``ids(text, chat, language)``, ``without_control(text)`` and
        ``collate(rows)``.
    texts : InstructedTexts
        What is put around a text.
    chat : bool
        Whether the whole is put into a chat template.
    """

    def __init__(
        self, recipe: TextRecipe, tokenizer: Any, texts: InstructedTexts, chat: bool
    ) -> None:
        self.recipe, self._texts, self._chat = recipe, texts, chat
        self._tokenizer: Any = tokenizer
        prompt = texts.prompt or ""
        self._template = prompt if "{}" in prompt else f"{prompt}{{}}"

    def prepare(self, cell: str, digest: bytes | None) -> list[int]:
        """Return token ids."""
        ids = self._ids(cell)
        if not ids:
            raise BadCellError("the text has no tokens, and the model cannot start without one")
        if len(ids) <= self.recipe.max_length:
            return ids
        if self._texts.long_texts == "raise":
            raise BadCellError(
                f"the text has {len(ids)} tokens with its prompt, more than "
                f"max_length={self.recipe.max_length}"
            )
        self.remark(Remark(self._describe_left_out(), LeftOutWarning), digest)
        return self._ids(self._start_of(cell))

    def _start_of(self, text: str) -> str:
        """Return the longest start of a text that has few enough tokens, by bisection."""
        fits, too_long = 0, len(text)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            is_short = len(self._ids(text[:middle])) <= self.recipe.max_length
            fits, too_long = (middle, too_long) if is_short else (fits, middle)
        if fits == 0:
            raise BadCellError(
                f"max_length={self.recipe.max_length} leaves no room for text beside the prompt"
            )
        return text[:fits]

    def budget(self, on_cpu: bool) -> int:
        """Return the number of tokens per batch, with those that are written."""
        return _CPU_TOKENS if on_cpu else _GPU_TOKENS

    def length(self, item: Any) -> int:
        """Return the number of tokens, with those that may be written."""
        return len(item) + self._texts.new_tokens

    def _ids(self, text: str) -> list[int]:
        whole = self._template.replace("{}", self._tokenizer.without_control(text))
        return self._tokenizer.ids(whole, self._chat, self._texts.language)

    def _describe_left_out(self) -> str:
        length, longest = self.recipe.max_length, self.recipe.longest
        more = f". To use more, set max_length up to {longest}" if longest > length else ""
        return (
            f"texts have more than max_length={length} tokens with their prompt, and only their "
            f"start is used{more}. Texts that were cached before are not counted"
        )
