"""Sounds: recordings of many kinds of cells, as samples at one rate."""

from sktransfer.modalities.audio._audio_cells import HIGHEST_RATE, LOWEST_RATE
from sktransfer.modalities.audio._audio_modality import AudioModality
from sktransfer.modalities.audio._audio_recipe import AudioRecipe

__all__ = ["HIGHEST_RATE", "LOWEST_RATE", "AudioModality", "AudioRecipe"]
