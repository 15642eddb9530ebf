"""Engines that run a frozen network in place of torch."""

from sktransfer.compute.engines._converted_extractor import ConvertedExtractor
from sktransfer.compute.engines._engine_names import ENGINES, OPENVINO, engine_device

__all__ = ["ENGINES", "OPENVINO", "ConvertedExtractor", "engine_device"]
