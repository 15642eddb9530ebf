"""Device, precision, memory and threads of networks, without global changes."""

from __future__ import annotations

import functools
import gc
import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from typing import TYPE_CHECKING

from threadpoolctl import ThreadpoolController

from sktransfer._compat import cpu_has_bfloat16, set_threads_of_mkl
from sktransfer.exceptions import BackboneError

if TYPE_CHECKING:
    import torch


def resolve_device(device: str) -> torch.device:
    """Return the torch device of a name; "auto" is a GPU where there is one.

    Raises
    ------
    ValueError
        If torch does not know the device or this machine does not have it.
    """
    import torch

    if device == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found).cpu()  # fails on "meta", which has no values
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={device!r} cannot be used here: {reason} Use 'auto' or 'cpu'."
        ) from error
    return found


def resolve_precision(precision: str, device: torch.device) -> str:
    """Return "float32" or "bfloat16"; "auto" is bfloat16 only where the hardware computes it."""
    import torch

    if precision != "auto":
        return precision
    if device.type == "cuda":
        is_native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        is_native = device.type == "cpu" and cpu_has_bfloat16()
    return "bfloat16" if is_native else "float32"


@contextmanager
def inference(device: torch.device, precision: str) -> Iterator[None]:
    """Run networks without gradients in a precision."""
    import torch

    rest_after_fork()
    with torch.inference_mode(), autocast(device, precision):
        yield


@contextmanager
def autocast(device: torch.device, precision: str) -> Iterator[None]:
    """Run networks in a precision.

    Raises
    ------
    BackboneError
        If a network has an operation that bfloat16 does not allow.
    """
    import torch

    is_reduced = precision == "bfloat16"
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=is_reduced):
            yield
    except (RuntimeError, TypeError) as error:
        is_lacking = is_reduced and "bfloat16" in str(error).lower()
        if not is_lacking or is_out_of_memory(error):
            raise
        raise BackboneError(
            f"This network does not run in bfloat16: {error}. Set precision='float32'."
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Return whether the device or the machine ran out of memory."""
    import torch

    message = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(words in message for words in _OUT_OF_MEMORY)
    )


def free_memory() -> None:
    """Return memory that torch caches to the device."""
    import torch

    if torch.accelerator.is_available():
        gc.collect()
        torch.accelerator.empty_cache()


# In errors without a class of their own: of the CPU, Apple's GPUs, CUDA's libraries and OpenVINO.
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED", "Failed to allocate")


@contextmanager
def gradients() -> Iterator[None]:
    """Enable gradients within the block, also where the caller has disabled them."""
    import torch

    with torch.inference_mode(False), torch.enable_grad(), undisturbed():
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Compute without the caller's default device for new tensors and without its autocast.

    Both are settings of a thread, so other threads are not affected.
    """
    import torch

    with ExitStack() as stack:
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for kind in ("cpu", torch.accelerator.current_accelerator()):
            if kind is not None and torch.is_autocast_enabled(torch.device(kind).type):
                stack.enter_context(torch.autocast(torch.device(kind).type, enabled=False))
        yield


def rest_after_fork() -> None:
    """Limit torch to one thread in a forked child, where the parent's threads do not exist.

    torch would wait for them forever. Workers of joblib are not forked and keep their threads.
    """
    import torch

    if os.getpid() != _PROCESS and torch.get_num_threads() > 1:
        torch.set_num_threads(1)


# The process that imported this file; in a forked child the number differs.
_PROCESS = os.getpid()


def threads() -> int:
    """Return the number of threads that a network computes on."""
    import torch

    rest_after_fork()
    return torch.get_num_threads()


def compute_on(threads: int) -> None:
    """Limit networks run from this thread to `threads` threads."""
    import torch

    torch.get_num_threads()  # its first call sets the number for this thread
    _thread_pools().limit(limits=threads, user_api="openmp")
    set_threads_of_mkl(threads)


@functools.cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()  # scans all loaded libraries


def may_be_one_of_several_jobs() -> bool:
    """Return whether this is a thread or process beside the main one, as of a parallel search.

    Threads of a web server count too.
    """
    is_main = threading.current_thread() is threading.main_thread()
    return not is_main or multiprocessing.current_process().name != "MainProcess"


@functools.cache
def version_of(library: str) -> str:
    """Return the version of an installed library; the first look-up takes a millisecond."""
    return metadata.version(library)


def engine(device: torch.device) -> str:
    """Return name and version of what computes: rows of other ones may differ by rounding."""
    import torch

    name = f"torch {torch.__version__.partition('+')[0]} {device.type}"
    if device.type != "cuda":
        return name
    tf32 = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    return f"{name} {torch.cuda.get_device_name(device)} {tf32}"
