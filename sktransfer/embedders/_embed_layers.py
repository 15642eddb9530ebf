"""Features of several layers of an embedder's network, each row computed once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import clone

from sktransfer.cache import open_cache
from sktransfer.columns import Column
from sktransfer.compute import LayersExtractor, LayersPlan
from sktransfer.compute.engines import OPENVINO
from sktransfer.embedders._base_embedder import BaseEmbedder

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone

# Rows that are timed, where fewer had to be computed.
_TIMED = 16


class LayerFeatures(NamedTuple):
    """Features of several layers for a column.

    Attributes
    ----------
    names : sequence of str
        The layers.
    rows : list of ndarray of shape (n, d), float32
        Features of each.
    seconds : sequence of float
        Time per row that a layer and those below it take, preparation of the cells included.
    n_computed : int
        Number of rows that the times are of.
    """

    names: Sequence[str]
    rows: list[np.ndarray]
    seconds: Sequence[float]
    n_computed: int


def embed_layers(embedder: BaseEmbedder, X: Any, layers: Sequence[str | int]) -> LayerFeatures:
    """Return the features that an embedder gives with each of several layers.

    Rows that are in the cache are read, and computed ones are kept there as the embedder's own.
    Each other row goes through the network once, up to the highest layer; networks that cannot go
    on from a stage in the middle, and OpenVINO, compute one layer after another.

    Parameters
    ----------
    embedder : BaseEmbedder
        Its `layer` is not used. It is not changed.
    X : column of n cells
        See the embedder.
    layers : sequence of str or int
        "pooled", or names or indices of stages.

    Returns
    -------
    LayerFeatures
        Times are those of the rows computed in this call. Where these are fewer than 16, as with
        a filled cache, up to 16 rows are computed again for the measurement.
    """
    embedder = clone(embedder)
    column, backbone = embedder._fit_column(X)
    chosen = {backbone.resolve(layer) for layer in layers}
    names = [name for name in (*backbone.stages, "pooled") if name in chosen]
    compute = _one_by_one if embedder.engine == OPENVINO else _in_one_pass
    found = compute(embedder, column, backbone, names)
    n = min(_TIMED, len(column.cells))
    if found.n_computed >= n:
        return found
    some = np.linspace(0, len(column.cells) - 1, n).astype(int).tolist()
    part = Column([column.cells[row] for row in some])
    timed = compute(embedder.set_params(cache=False, verbose=0), part, backbone, names)
    return found._replace(seconds=timed.seconds)


def _in_one_pass(
    embedder: BaseEmbedder, column: Column, backbone: Backbone, names: Sequence[str]
) -> LayerFeatures:
    cache = open_cache(embedder.cache)
    plain = embedder._extractor(backbone, cache)
    extractor = LayersExtractor(**vars(plain), layers=names)
    backbone.fast(plain.device)  # made before the measurement
    plan = embedder._filled(extractor, column, cache)
    assert isinstance(plan, LayersPlan)
    rows = [embedder._normalized(layer) for layer in plan.layers()]
    n_computed = len(plan.todo)
    seconds = extractor.seconds() / n_computed if extractor.times else np.zeros(len(names))
    return LayerFeatures(names, rows, seconds.tolist(), n_computed)


def _one_by_one(
    embedder: BaseEmbedder, column: Column, backbone: Backbone, names: Sequence[str]
) -> LayerFeatures:
    """Return the features of layers, whose times include the conversion of the network."""
    cache = open_cache(embedder.cache)
    rows, seconds = [], []
    for name in names:
        extractor = embedder.set_params(layer=name)._extractor(backbone, cache)
        start = time.perf_counter()
        plan = embedder._filled(extractor, column, cache)
        seconds.append((time.perf_counter() - start) / max(1, len(plan.todo)))
        rows.append(embedder._normalized(plan.rows()))
    return LayerFeatures(names, rows, seconds, n_computed=0)
