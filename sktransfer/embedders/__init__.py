"""Frozen backbones as scikit-learn transformers."""

from sktransfer.embedders._audio_embedder import AudioEmbedder
from sktransfer.embedders._base_embedder import BaseEmbedder
from sktransfer.embedders._embed_layers import embed_layers
from sktransfer.embedders._image_embedder import ImageEmbedder
from sktransfer.embedders._speech_transcriber import SpeechTranscriber
from sktransfer.embedders._text_embedder import TextEmbedder
from sktransfer.embedders._text_generator import TextGenerator

#: The embedder of each modality.
EMBEDDERS: dict[str, type[BaseEmbedder]] = {
    "image": ImageEmbedder,
    "text": TextEmbedder,
    "audio": AudioEmbedder,
}

__all__ = [
    "EMBEDDERS",
    "AudioEmbedder",
    "BaseEmbedder",
    "ImageEmbedder",
    "SpeechTranscriber",
    "TextEmbedder",
    "TextGenerator",
    "embed_layers",
]
