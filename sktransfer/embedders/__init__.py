"""Frozen backbones as scikit-learn transformers."""

from sktransfer.embedders._audio_embedder import AudioEmbedder
from sktransfer.embedders._base_embedder import BaseEmbedder
from sktransfer.embedders._image_embedder import ImageEmbedder
from sktransfer.embedders._speech_transcriber import SpeechTranscriber
from sktransfer.embedders._text_embedder import TextEmbedder

__all__ = ["AudioEmbedder", "BaseEmbedder", "ImageEmbedder", "SpeechTranscriber", "TextEmbedder"]
