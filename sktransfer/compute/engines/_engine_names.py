"""Values of the parameter ``engine``; nothing heavy is imported here."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from sktransfer import _runtime

if TYPE_CHECKING:
    import torch

OPENVINO = "openvino"
ENGINES = ("torch", OPENVINO)


def engine_device(engine: str, device: str) -> torch.device:
    """Return the torch device on which an engine, or torch in its place, computes.

    Raises
    ------
    ImportError
        If the engine is not installed, which is checked without importing it.
    ValueError
        If there is no such device, or the engine does not compute on it.
    """
    if engine != OPENVINO:
        return _runtime.resolve_device(device)
    if find_spec(OPENVINO) is None:
        raise ImportError(
            "engine='openvino' needs the package openvino: pip install 'sktransfer[openvino]'"
        )
    # "auto" means the CPU here, even where torch has a GPU.
    found = _runtime.resolve_device("cpu" if device == "auto" else device)
    if found.type != "cpu":
        raise ValueError(
            f"engine='openvino' computes on the CPU, and not on device={device!r}. "
            "Leave device='auto', or use engine='torch'."
        )
    return found


def openvino_name(device: torch.device) -> str:
    """Return name and version of OpenVINO and of torch, which traces the network."""
    return f"{OPENVINO} {_runtime.version_of(OPENVINO)} of {_runtime.engine(device)}"
