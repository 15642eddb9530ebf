"""Texts: read from strings, cut into tokens by a recipe."""

from sktransfer.modalities.text._text_augmentation import text_augmentation
from sktransfer.modalities.text._text_cells import read_texts
from sktransfer.modalities.text._text_modality import TextModality
from sktransfer.modalities.text._text_recipe import TextRecipe
from sktransfer.modalities.text._tokenizer import TextTokenizer

__all__ = ["TextModality", "TextRecipe", "TextTokenizer", "read_texts", "text_augmentation"]
