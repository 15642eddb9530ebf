"""Names of other libraries that are private or may move; each is imported here only."""

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path

from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as count_rows

__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "StrOptions",
    "check_sample_weight",
    "count_rows",
    "cpu_has_bfloat16",
    "gives_frames",
    "set_threads_of_mkl",
    "with_callbacks",
]


def gives_frames(estimator: object) -> bool:
    """Whether `set_output`, or scikit-learn's configuration, asks for frames of features."""
    return _get_output_config("transform", estimator)["dense"] != "default"


def cpu_has_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16 itself.

    torch's public checks answer yes where it is only emulated, at a quarter of the speed.
    """
    import torch

    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in checks)


def set_threads_of_mkl(threads: int) -> None:
    """Let the matrix products of this thread run on so many, where torch has Intel's library.

    That asks OpenMP how many, unless `torch.set_num_threads` has told it, for all threads.
    """
    setter = _setter_of_mkl()
    if setter:
        setter(threads)


@functools.cache
def _setter_of_mkl() -> Callable[[int], int] | None:
    import torch

    for library in (Path(torch.__file__).parent / "lib").glob("*torch_cpu.*"):
        try:
            return ctypes.CDLL(str(library)).MKL_Set_Num_Threads_Local
        except (OSError, AttributeError):  # made without it, or it is not to be reached
            continue
    return None
