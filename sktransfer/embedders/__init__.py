"""Frozen backbones as scikit-learn transformers."""

from sktransfer.embedders._base import BaseEmbedder
from sktransfer.embedders._image import ImageEmbedder
from sktransfer.embedders._text import TextEmbedder

__all__ = ["BaseEmbedder", "ImageEmbedder", "TextEmbedder"]
