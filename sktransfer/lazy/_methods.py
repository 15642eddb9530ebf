"""Which columns are lazy, and what the methods of an estimator do about them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np

Class = TypeVar("Class", bound=type)


class Form(NamedTuple):
    """What a method gives for each cell, known before any is computed.

    Attributes
    ----------
    dtype : dtype
        Of the numbers or labels.
    names : sequence of str or None
        Of the columns; None where each cell has one value and not a row of them.
    as_frame : bool
        Whether columns that came without names are to have these (see `set_output`).
    """

    dtype: np.dtype
    names: list[str] | None
    as_frame: bool = False


def is_lazy(X: Any) -> bool:
    """Whether X is a collection of dask, which is not imported to find out."""
    return any(base.__module__.partition(".")[0] == "dask" for base in type(X).__mro__)


def stand_in(X: Any) -> Any:
    """Return X, or for a lazy column one in memory of the same kind, with made-up values.

    Raises
    ------
    ColumnError
        If X is something of dask that is not a column.
    """
    if not is_lazy(X):
        return X
    from sktransfer.lazy import _dask

    return _dask.stand_in(X)


def also_lazy(*names: str) -> Callable[[Class], Class]:
    """Let methods of a class take lazy columns, and return lazy results for them.

    A class decorator, because scikit-learn wraps `transform` when the class is made: it would
    compute a lazy result to put it into the container of `set_output`.

    Parameters
    ----------
    *names : str
        Of the methods. "fit_transform" is `fit`, then `transform`; the class tells with
        ``_promise(method, X)`` the `Form` of what any other gives, or raises an error.
    """

    def decorate(cls: Class) -> Class:
        for name in names:
            setattr(cls, name, _also_lazy(getattr(cls, name)))
        return cls

    return decorate


def _also_lazy(method: Callable[..., Any]) -> Callable[..., Any]:
    name = method.__name__

    @wraps(method)
    def called(self: Any, X: Any, *args: Any, **options: Any) -> Any:
        if not is_lazy(X):
            return method(self, X, *args, **options)
        if name == "fit_transform":
            return self.fit(X, *args, **options).transform(X)
        from sktransfer.lazy import _dask

        form = self._promise(name, _dask.stand_in(X))
        return _dask.promised(self, name, X, form)

    return called
