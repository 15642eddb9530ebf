"""OpenVINO: networks of torch converted, packed, compiled and run. Only this file imports it."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sktransfer import _runtime
from sktransfer._warnings import warnings_ignored
from sktransfer.exceptions import EngineError

_TELEMETRY = "openvino_telemetry"


# OpenVINO is imported without its telemetry, which writes to the home folder and sends a message at
# import; where that package is missing, OpenVINO uses a silent stub.
_telemetry = sys.modules.get(_TELEMETRY)
sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
try:
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
finally:
    del sys.modules[_TELEMETRY]
    if _telemetry is not None:
        sys.modules[_TELEMETRY] = _telemetry

_PRECISIONS = {"float32": ("f32", "ACCURACY"), "bfloat16": ("bf16", "PERFORMANCE")}


class Compiled:
    """A network that is ready to run, for one thread at a time.

    Parameters
    ----------
    model : openvino.Model
        The network.
    precision : {"float32", "bfloat16"}
        Precision of the computation.
    threads : int
        Number of threads.

    Attributes
    ----------
    broken : bool
        Whether it has failed once; it cannot be used again.
    """

    def __init__(self, model: Any, precision: str, threads: int) -> None:
        hint, mode = _PRECISIONS[precision]
        options = {
            "INFERENCE_PRECISION_HINT": hint,
            "EXECUTION_MODE_HINT": mode,
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            # Each of several processes would take the same cores for its own.
            "ENABLE_CPU_PINNING": False,
        }
        self._request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()
        self._lock = threading.Lock()
        self.broken = False

    def run(self, *inputs: np.ndarray) -> np.ndarray | None:
        """Return what the network gives, float32 (n, d); None if it is broken.

        Raises
        ------
        EngineError
            If it fails for another reason than a lack of memory.
        """
        with self._lock:
            # Once it has failed, for lack of memory, say, it gives wrong numbers and no error.
            if self.broken:
                return None
            try:
                return self._request.infer(list(inputs), share_inputs=True)[0]
            except BaseException as error:
                self.broken = True
                if not isinstance(error, Exception) or _runtime.is_out_of_memory(error):
                    raise
                raise EngineError(
                    f"OpenVINO failed on inputs of shape {inputs[0].shape}: {brief(error)} "
                    "Use engine='torch'."
                ) from error


def convert(
    compute: Callable[..., torch.Tensor], example: tuple[torch.Tensor, ...], shape: Sequence[int]
) -> Any:
    """Convert a function of torch tensors to an OpenVINO model.

    Parameters
    ----------
    compute : callable
        From plain tensors to one.
    example : tuple of Tensor
        Inputs that the function is traced on.
    shape : sequence of int
        Shape of the inputs, -1 for a dimension of any length; inputs of fewer dimensions have the
        first of them.
    """
    # As `openvino.convert_model` does it, but without its messages to Intel, and without its
    # changes to Python's `divmod` and to the root logger.
    decoder = TorchScriptPythonDecoder(_traced(compute, example))  # must live until the end
    frontend = FrontEndManager().load_by_framework("pytorch")
    model = frontend.convert(frontend.load(decoder))
    ports = zip(model.inputs, example, strict=True)
    model.reshape({port: list(shape[: tensor.ndim]) for port, tensor in ports})
    return model


def pack(model: Any) -> bytes:
    """Return a network as bytes: the length of its XML description, the description, the weights.

    Raises
    ------
    OSError
        If there is no room for it in the folder of temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="sktransfer-") as folder:
        path = Path(folder) / "network.xml"
        try:
            openvino.save_model(model, path, compress_to_fp16=False)
        except RuntimeError as error:
            raise OSError(
                f"a converted network cannot be written to {tempfile.gettempdir()} ({brief(error)})"
            ) from error
        described = path.read_bytes()
        weights = path.with_suffix(".bin").read_bytes()
        return len(described).to_bytes(8, "little") + described + weights


def unpack(packed: np.ndarray) -> Any:
    """Return the network that `pack` wrote."""
    end = 8 + int.from_bytes(packed[:8], "little")
    weights = openvino.Tensor(packed[end:])
    return openvino.Core().read_model(packed[8:end].tobytes().decode(), weights)


def brief(error: BaseException) -> str:
    """Return the most specific line of an error: the last of OpenVINO's, the first of others."""
    lines = [line.strip(" -:.") for line in str(error).splitlines() if line.strip()] or [""]
    its_own = lines[0].startswith(("Exception from", "Check '"))
    return f"{type(error).__name__}: {lines[-1 if its_own else 0]}."


def _traced(compute: Callable[..., torch.Tensor], example: tuple[torch.Tensor, ...]) -> Any:
    with (
        # torch.export is its successor: ten times slower, and strict about shapes.
        warnings_ignored(FutureWarning, message=r"`torch\.jit"),
        # What a trace has taken for constant is found by comparing the results.
        warnings_ignored(torch.jit.TracerWarning),  # type: ignore[attr-defined]
        torch.inference_mode(False),
        torch.no_grad(),
        _runtime.autocast(torch.device("cpu"), "float32"),
    ):
        # A function: of a module, the tracer reads every attribute, also those that warn.
        return torch.jit.trace(compute, example, check_trace=False, strict=False)
