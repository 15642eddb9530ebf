"""Methods of an estimator over the partitions of a collection; the only file that knows dask."""

from __future__ import annotations

import copy
import sys
from typing import Any

import dask
import numpy as np
from dask.base import tokenize

from sktransfer.exceptions import ColumnError
from sktransfer.lazy._methods import Form
from sktransfer.lazy._partition import Call, as_frame, block_of, frame_of, rows_of


def stand_in(X: Any) -> Any:
    """Return a column in memory of the same kind as X, with made-up values."""
    if _is(X, "dataframe", "DataFrame", "Series") and not _is(X, "dataframe", "Index"):
        from dask.dataframe.utils import make_meta, meta_nonempty

        return meta_nonempty(make_meta(X))
    if _is(X, "array", "Array"):
        return _one_row(X)
    if _is(X, "bag", "Bag"):
        return [None]  # nobody knows what is in it
    raise ColumnError(
        f"a {type(X).__name__} of dask is not a column; make a Series, an Array or a Bag of it"
    )


def promised(estimator: Any, method: str, X: Any, form: Form) -> Any:
    """Return what a method gives for each cell of X, in the same kind of collection.

    Parameters
    ----------
    estimator : estimator
        As it is now: what becomes of it later does not matter.
    method : str
        Name of the method.
    X : Series, DataFrame, Array or Bag of dask
        The column.
    form : Form
        Of what the method gives.

    Returns
    -------
    DataFrame, Array or Bag of dask
        A Series where the method gives one value a cell. The partitions are those of X.
    """
    call = Call(copy.deepcopy(estimator), method, form)
    # A node of its own in the graph: a worker gets it once, not with each partition.
    name = f"{type(estimator).__name__}-{tokenize(estimator, method, form)}"
    node = dask.delayed(call, name=name, traverse=False)
    if _is(X, "array", "Array"):
        return _for_array(X, call, node)
    if _is(X, "bag", "Bag"):
        return _for_bag(X, call, node)
    meta = _empty_frame(call, stand_in(X).index)
    return X.map_partitions(frame_of, call=node, meta=meta, enforce_metadata=False)


def _for_array(X: Any, call: Call, node: Any) -> Any:
    import dask.array

    whole = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))  # a cell is in one piece
    nothing = call.nothing()
    widths = tuple((width,) for width in nothing.shape[1:])
    found = dask.array.map_blocks(
        block_of,
        whole,
        call=node,
        chunks=(whole.chunks[0], *widths),
        drop_axis=list(range(nothing.ndim, X.ndim)),
        new_axis=list(range(X.ndim, nothing.ndim)),
        dtype=nothing.dtype,
        meta=nothing,
    )
    if not call.form.as_frame:
        return found
    import dask.dataframe

    return dask.dataframe.from_dask_array(found, columns=call.form.names)


def _for_bag(X: Any, call: Call, node: Any) -> Any:
    import dask.bag

    numbers = dask.bag.from_sequence(range(X.npartitions), npartitions=X.npartitions)
    found = X.map_partitions(rows_of, numbers, call=node)
    return found.to_dataframe(meta=_empty_frame(call)) if call.form.as_frame else found


def _empty_frame(call: Call, index: Any = None) -> Any:
    return as_frame(call.nothing(), None if index is None else index[:0], call.form.names)


def _one_row(X: Any) -> np.ndarray:
    shape = (1, *X.shape[1:]) if X.ndim else ()
    if np.isnan(shape).any():
        raise ColumnError(
            f"only the length of an Array may be unknown, not the shape of its cells: {X.shape}. "
            "Call X.compute_chunk_sizes() first."
        )
    return np.full(shape, None if X.dtype == object else 0, dtype=X.dtype)


def _is(X: Any, module: str, *names: str) -> bool:
    """Whether X is of a class in a module of dask; it is not imported to find out."""
    found = sys.modules.get(f"dask.{module}")
    return found is not None and isinstance(X, tuple(getattr(found, name) for name in names))
