"""Which columns are lazy, and a mixin through which methods accept them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

_METHODS = {"fit_transform", "predict", "predict_proba", "transform"}


def is_lazy(X: Any) -> bool:
    """Return whether X is a Dask collection, without importing Dask."""
    return any(base.__module__.partition(".")[0] == "dask" for base in type(X).__mro__)


def sample(X: Any) -> Any:
    """Return X, or for a lazy column a small one of its kind in memory, with made-up values.

    Raises
    ------
    ColumnError
        If X is a Dask object that is not a column.
    """
    if not is_lazy(X):
        return X
    from sktransfer.lazy import _dask

    return _dask.sample(X)


class LazyMixin:
    """Make `transform`, `predict` and `predict_proba` return lazy results for lazy columns.

    `fit_transform` becomes `fit` followed by `transform`. The class has two methods:
    ``_check_call(X)`` raises what the estimator's state and the column's kind make impossible,
    and ``_output_spec(method)`` returns the `OutputSpec` of a method.

    List it before `TransformerMixin`, whose `set_output` would compute a lazy result in order to
    convert it: methods are wrapped when a subclass is made, and the first base wraps last.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in _METHODS.intersection(vars(cls)):
            setattr(cls, name, _accept_lazy(vars(cls)[name]))


def _accept_lazy(method: Callable[..., Any]) -> Callable[..., Any]:
    name = method.__name__

    @wraps(method)
    def call(self: Any, X: Any, *args: Any, **options: Any) -> Any:
        if not is_lazy(X):
            return method(self, X, *args, **options)
        if name == "fit_transform":
            return self.fit(X, *args, **options).transform(X)
        from sktransfer.lazy import _dask

        return _dask.lazy_map(self, name, X)

    return call
