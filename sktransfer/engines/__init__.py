"""What may run a frozen network in place of torch."""

from sktransfer.engines._asked import ENGINES, OPENVINO, check_engine, engine_device, engine_name
from sktransfer.engines._request import Request

__all__ = [
    "ENGINES",
    "OPENVINO",
    "Request",
    "check_engine",
    "engine_device",
    "engine_name",
]
