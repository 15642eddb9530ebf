"""Engines that run a frozen network in place of torch."""

from sktransfer.compute.engines._converted_extractor import ConvertedExtractor as ConvertedExtractor
from sktransfer.compute.engines._engine_names import ENGINES as ENGINES
from sktransfer.compute.engines._engine_names import OPENVINO as OPENVINO
from sktransfer.compute.engines._engine_names import engine_device as engine_device
