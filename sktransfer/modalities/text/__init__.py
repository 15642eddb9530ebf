"""Texts: read from strings, cut into tokens by a recipe."""

from sktransfer.modalities.text._text_modality import TextModality
from sktransfer.modalities.text._text_recipe import TextRecipe
from sktransfer.modalities.text._tokenizer import TextTokenizer

__all__ = ["TextModality", "TextRecipe", "TextTokenizer"]
