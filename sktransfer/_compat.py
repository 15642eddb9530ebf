"""Names of other libraries that are private or may move, imported here only."""

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path

from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
from sklearn.callback import with_callbacks as with_callbacks
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods as HasMethods
from sklearn.utils._param_validation import Interval as _Interval
from sklearn.utils._param_validation import StrOptions as StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = ["check_feature_names_in", "check_sample_weight", "safe_indexing"]


class Interval(_Interval):
    """An interval of numbers without the bools that Python counts among them."""

    def is_satisfied_by(self, val: object) -> bool:
        """Return whether a value is a number in the interval."""
        return not isinstance(val, bool) and bool(super().is_satisfied_by(val))


def gives_frames(estimator: object) -> bool:
    """Return whether `set_output` or scikit-learn's configuration asks for data frames."""
    return _get_output_config("transform", estimator)["dense"] != "default"


def cpu_has_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 in hardware.

    torch's public checks are also true where it is emulated, at a quarter of the speed.
    """
    import torch

    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in checks)


def set_threads_of_mkl(threads: int) -> None:
    """Limit matrix products run from this thread to `threads` threads, where torch uses MKL.

    MKL follows OpenMP's limit unless `torch.set_num_threads` was called, which sets its own.
    """
    _setter_of_mkl()(threads)


@functools.cache
def _setter_of_mkl() -> Callable[[int], object]:
    import torch

    for library in (Path(torch.__file__).parent / "lib").glob("*torch_cpu.*"):
        try:
            return ctypes.CDLL(str(library)).MKL_Set_Num_Threads_Local
        except (OSError, AttributeError):  # built without it, or not accessible
            continue
    return bool  # does nothing
