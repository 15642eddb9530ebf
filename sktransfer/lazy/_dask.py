"""Estimator methods over the partitions of a Dask collection; the only file that imports Dask."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dask
import dask.array as da
import dask.bag as db
import numpy as np
from dask.base import tokenize
from dask.utils import is_dataframe_like, is_series_like

from sktransfer.exceptions import ColumnError, SktransferError
from sktransfer.lazy._output_spec import OutputSpec


def sample(X: Any) -> Any:
    """Return a column in memory of the same kind as X, with made-up values."""
    if is_dataframe_like(X) or is_series_like(X):
        from dask.dataframe.utils import make_meta, meta_nonempty

        return meta_nonempty(make_meta(X))
    if isinstance(X, da.Array):
        return _one_row(X)
    if isinstance(X, db.Bag):
        return [None]  # a Bag does not tell the type of its elements
    raise ColumnError(
        f"a {type(X).__name__} of dask is not a column; make a Series, an Array or a Bag of it"
    )


def lazy_map(estimator: Any, method: str, X: Any) -> Any:
    """Return the output of a method for each row of X, in the same kind of collection.

    Parameters
    ----------
    estimator : LazyMixin
        Fitted. It is copied: later changes to it do not affect the result.
    method : str
        Name of the method.
    X : Series, DataFrame, Array or Bag of dask
        The column.

    Returns
    -------
    DataFrame, Array or Bag of dask
        A Series where the method returns one value per row. The partitions are those of X.
    """
    rows = sample(X)
    estimator._check_call(rows)
    call = _Call(copy.deepcopy(estimator), method, estimator._output_spec(method))
    # A node of its own in the graph: a worker gets it once, not with each partition.
    name = f"{type(estimator).__name__}-{tokenize(estimator, method, call.spec)}"
    node = dask.delayed(call, name=name, traverse=False)
    if isinstance(X, da.Array):
        return _map_array(X, call.spec, node)
    if isinstance(X, db.Bag):
        return _map_bag(X, call.spec, node)
    meta = call.spec.frame(call.spec.empty(), rows.index[:0])
    return X.map_partitions(_frame_of, call=node, meta=meta, enforce_metadata=False)


@dataclass(frozen=True)
class _Call:
    """A fitted estimator, the name of its method, and what the method returns."""

    estimator: Any
    method: str
    spec: OutputSpec

    def __call__(self, cells: Any, partition: int) -> np.ndarray:
        if not len(cells):
            return self.spec.empty()
        try:
            found = getattr(self.estimator, self.method)(cells)
        except SktransferError as error:  # it counts rows from the start of the partition
            error.args = (f"in partition {partition}: {error}", *error.args[1:])
            raise
        if self.spec.dtype == object:  # rows may be lists, which are no further axis
            return np.fromiter(found, dtype=object, count=len(found))
        return np.asarray(found, dtype=self.spec.dtype)


def _frame_of(part: Any, call: _Call, partition_info: dict[str, int]) -> Any:
    return call.spec.frame(call(part, partition_info["number"]), part.index)


def _block_of(block: np.ndarray, call: _Call, block_id: Sequence[int]) -> np.ndarray:
    return call(block, block_id[0])


def _elements_of(part: Iterable[Any], numbers: Iterable[int], call: _Call) -> list[Any]:
    return list(call(list(part), next(iter(numbers))))


def _map_array(X: Any, spec: OutputSpec, node: Any) -> Any:
    whole = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))  # each cell in one chunk
    empty = spec.empty()
    found = da.map_blocks(
        _block_of,
        whole,
        call=node,
        chunks=(whole.chunks[0], *((width,) for width in empty.shape[1:])),
        drop_axis=list(range(empty.ndim, X.ndim)),
        new_axis=list(range(X.ndim, empty.ndim)),
        dtype=empty.dtype,
        meta=empty,
    )
    if not spec.as_frame:
        return found
    import dask.dataframe

    return dask.dataframe.from_dask_array(found, columns=spec.names)


def _map_bag(X: Any, spec: OutputSpec, node: Any) -> Any:
    numbers = db.from_sequence(range(X.npartitions), npartitions=X.npartitions)
    found = X.map_partitions(_elements_of, numbers, call=node)
    return found.to_dataframe(meta=spec.frame(spec.empty())) if spec.as_frame else found


def _one_row(X: Any) -> np.ndarray:
    shape = (1, *X.shape[1:]) if X.ndim else ()
    if np.isnan(shape).any():
        raise ColumnError(
            f"only the length of an Array may be unknown, not the shape of its cells: {X.shape}. "
            "Call X.compute_chunk_sizes() first."
        )
    return np.full(shape, None if X.dtype == object else 0, dtype=X.dtype)
