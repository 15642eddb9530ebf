"""Where and how precisely a network runs; nothing global is changed here."""

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

if TYPE_CHECKING:
    import torch


def resolve_device(device: str) -> torch.device:
    """Return the torch device that `device` means; "auto" takes a GPU where there is one.

    Raises
    ------
    ValueError
        If torch does not know the device or does not see it on this machine.
    """
    import torch

    if device == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={device!r} cannot be used here: {reason} Use 'auto' or 'cpu'."
        ) from error
    if found.type == "meta":
        raise ValueError("device='meta' has no numbers, only shapes. Use 'auto' or 'cpu'.")
    return found


def resolve_precision(precision: str, device: torch.device) -> str:
    """Return "float32" or "bfloat16"; "auto" is bfloat16 only where the hardware computes it."""
    import torch

    if precision != "auto":
        return precision
    if device.type == "cpu":
        native = cpu_has_bfloat16()
    elif device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = False
    return "bfloat16" if native else "float32"


@contextmanager
def inference(device: torch.device, precision: str) -> Iterator[None]:
    """Run networks without gradients, in the given precision."""
    import torch

    rest_after_fork()
    with torch.inference_mode(), autocast(device, precision):
        yield


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return a context in which networks run in the given precision."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def is_out_of_memory(error: Exception) -> bool:
    """Whether the memory of the device or of the machine did not suffice."""
    import torch

    told = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(words in told for words in _OUT_OF_MEMORY)
    )


def free_memory() -> None:
    """Give memory that torch keeps for later back to the device."""
    import torch

    if torch.accelerator.is_available():
        gc.collect()
        torch.accelerator.empty_cache()


# How the CPU, Apple's GPUs, CUDA's libraries and OpenVINO say it, in errors of no class of their
# own.
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED", "Failed to allocate")


@contextmanager
def gradients() -> Iterator[None]:
    """Make tensors that can have gradients, also for a caller who has switched them off."""
    import torch

    with torch.inference_mode(False), torch.enable_grad(), undisturbed():
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Compute as where nobody has set a default device for new tensors, or is in an autocast.

    Both are settings of a thread, so no other one notices.
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
    """In a forked child, let torch compute on one thread: the parent's others are not there.

    torch would wait for them for ever. Workers of joblib are not forked and keep theirs.
    """
    import torch

    if os.getpid() != _PROCESS and torch.get_num_threads() > 1:
        torch.set_num_threads(1)


# Of the process that imported this file; only a forked child has it and another number.
_PROCESS = os.getpid()


def threads() -> int:
    """Return how many threads a network computes on."""
    import torch

    rest_after_fork()
    return torch.get_num_threads()


def compute_on(threads: int) -> None:
    """Let networks that this thread runs compute on so many threads; others keep theirs."""
    import torch

    torch.get_num_threads()  # which at its first call sets the number for this thread
    _thread_pools().limit(limits=threads, user_api="openmp")
    set_threads_of_mkl(threads)


@functools.cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()  # which looks through all libraries that are loaded


def may_be_one_of_several_jobs() -> bool:
    """Whether this is a thread or a process that a program has started besides its own.

    So are the threads of a web server too.
    """
    is_main = threading.current_thread() is threading.main_thread()
    return not is_main or multiprocessing.current_process().name != "MainProcess"


@functools.cache
def version_of(library: str) -> str:
    """Return the version of an installed library; to find it out takes a millisecond."""
    return metadata.version(library)


def engine(device: torch.device) -> str:
    """Name what computes: rows of different engines may differ in their last digits."""
    import torch

    name = f"torch {torch.__version__.partition('+')[0]} {device.type}"
    if device.type != "cuda":
        return name
    tf32 = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    return f"{name} {torch.cuda.get_device_name(device)} {tf32}"
