"""Texts: read from strings, cut into tokens by a recipe."""

from sktransfer.modalities.text._instructed_texts import InstructedTexts
from sktransfer.modalities.text._spelling import N_SPELLINGS
from sktransfer.modalities.text._text_modality import TextModality
from sktransfer.modalities.text._text_recipe import TextRecipe
from sktransfer.modalities.text._tokenizer import TextTokenizer
from sktransfer.modalities.text._word_modality import WordModality, WordRecipe
from sktransfer.modalities.text._words import Words, words_of

__all__ = [
    "N_SPELLINGS",
    "InstructedTexts",
    "TextModality",
    "TextRecipe",
    "TextTokenizer",
    "WordModality",
    "WordRecipe",
    "Words",
    "words_of",
]
