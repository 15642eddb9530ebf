"""Texts: read from strings, cut into tokens by a recipe."""

from sktransfer.modalities.text._augment import text_augmentation
from sktransfer.modalities.text._cells import read_texts
from sktransfer.modalities.text._modality import TextModality
from sktransfer.modalities.text._recipe import TextRecipe
from sktransfer.modalities.text._tokenizer import TextTokenizer

__all__ = ["TextModality", "TextRecipe", "TextTokenizer", "read_texts", "text_augmentation"]
