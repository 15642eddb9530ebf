"""Engines that run a frozen network in place of torch."""

from sktransfer.compute.engines._layer import ConvertedLayer
from sktransfer.compute.engines._names import (
    ENGINES,
    OPENVINO,
    check_engine,
    engine_device,
    engine_name,
)

__all__ = [
    "ENGINES",
    "OPENVINO",
    "ConvertedLayer",
    "check_engine",
    "engine_device",
    "engine_name",
]
