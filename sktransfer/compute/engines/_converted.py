"""Converted networks of this process: each is converted once and compiled once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sktransfer import _runtime
from sktransfer._forks import in_a_forked_child
from sktransfer.cache import FeatureCache, space_key, warn_once
from sktransfer.compute._extractor import FeatureExtractor
from sktransfer.compute.engines import _openvino
from sktransfer.compute.engines._engine_names import openvino_name
from sktransfer.compute.engines._openvino import Compiled
from sktransfer.exceptions import EngineError

# Of converted networks on disk. Raise it when older ones must not be read any more.
_FORMAT = 3
_Key = tuple[bytes, str, int]

# Largest distance of a float32 row from torch's, relative to its length.
_TOLERANCE = 1e-4
# A bfloat16 row may have this distance from the exact one, or some times that of torch's own.
_LOWER_TOLERANCE, _TIMES = 0.05, 3.0

_KEPT = 8  # networks: each is a copy with its weights
_compiled: OrderedDict[_Key, Compiled] = OrderedDict()
_refused: dict[tuple[bytes, str], str] = {}
_lock = threading.RLock()
_is_forked = False


@in_a_forked_child
def _start_anew() -> None:
    global _lock, _is_forked
    _lock, _is_forked = threading.RLock(), True


def converted(layer: FeatureExtractor, cache: FeatureCache) -> Compiled:
    """Return the compiled network of a layer; the same one for all threads.

    Parameters
    ----------
    layer : FeatureExtractor
        The layer, computed by torch.
    cache : FeatureCache
        Where converted networks are kept.

    Raises
    ------
    EngineError
        If it cannot be converted, or computes something else; without a new attempt, if that is
        already known.
    """
    if _is_forked:  # the threads of OpenVINO do not exist here, and it would wait for them
        raise EngineError(
            "this process was forked from one that has used OpenVINO; joblib's default, loky, "
            "starts processes that can use it"
        )
    key = (_network_key(layer), layer.precision, _runtime.threads())
    # One lock for all: two threads must not convert the same network twice, and torch traces one
    # network at a time.
    with _lock:
        found = _compiled.get(key)
        if found is None or found.broken:
            found = _compiled[key] = _make(layer, cache, key)
        _compiled.move_to_end(key)
        while len(_compiled) > _KEPT:
            _compiled.popitem(last=False)
        return found


def run(layer: FeatureExtractor, cache: FeatureCache, inputs: Any) -> np.ndarray:
    """Return one feature vector per row, float32 (n, d).

    Raises
    ------
    EngineError
        If the network fails on these inputs for another reason than a lack of memory.
    """
    rows = None
    while rows is None:  # another thread may have broken the network that this one was given
        rows = converted(layer, cache).run(*_arrays(layer, inputs))
    return rows


def _network_key(layer: FeatureExtractor) -> bytes:
    """Return the key of a converted network, the same for any precision."""
    return space_key(
        format=_FORMAT,
        fingerprint=layer.backbone.fingerprint,
        layer=layer.backbone.resolve(layer.layer),
        pooling=layer.pooling,
        shape=repr(layer.modality.recipe(layer.backbone).input_shape()),
        engine=openvino_name(layer.device),
        library=layer.backbone.library,
    )


def _make(layer: FeatureExtractor, cache: FeatureCache, key: _Key) -> Compiled:
    if key[:2] in _refused:
        raise EngineError(_refused[key[:2]])
    try:
        return _from_disk(layer, cache, key) or _convert(layer, cache, key)
    except Exception as error:  # whatever the network, torch's tracer or OpenVINO raises
        reason = str(error) if isinstance(error, EngineError) else _openvino.brief(error)
        if not _runtime.is_out_of_memory(error):
            _refused[key[:2]] = reason
        raise EngineError(reason) from error


def _from_disk(layer: FeatureExtractor, cache: FeatureCache, key: _Key) -> Compiled | None:
    packed = cache.read_object(key[0])
    if packed is None:
        return None
    try:
        return _checked(_openvino.unpack(packed), layer, key)
    except Exception:  # a correct checksum does not prove what the bytes are
        return None


def _convert(layer: FeatureExtractor, cache: FeatureCache, key: _Key) -> Compiled:
    def compute(*tensors: torch.Tensor) -> torch.Tensor:
        inputs = layer.modality.from_plain(*tensors)
        return layer.backbone.extract(inputs, layer=layer.layer, pooling=layer.pooling)

    # The fast network is made on first use, and a trace must not follow how.
    layer.backbone.fast(layer.device)
    example = layer.modality.to_plain(_examples(layer)[0])
    shape = layer.modality.recipe(layer.backbone).input_shape()
    model = _openvino.convert(compute, example, shape)
    compiled = _checked(model, layer, key)
    if cache.folder is not None:
        try:
            cache.write_object(key[0], _openvino.pack(model))
        except OSError as error:  # it computes all the same
            warn_once(cache.folder, error)
    return compiled


def _checked(model: Any, layer: FeatureExtractor, key: _Key) -> Compiled:
    """Compile a network, and check that it gives torch's features, in batches of several sizes.

    A conversion traces the network on one example: what the network decides by its inputs, and
    the numbers of rows and tokens, may have become constants.
    """
    compiled = Compiled(model, layer.precision, key[-1])
    for inputs in _examples(layer):
        exact = replace(layer, precision="float32").features(inputs)
        allowed = _TOLERANCE
        if layer.precision != "float32":
            allowed = max(_LOWER_TOLERANCE, _TIMES * _distance(layer.features(inputs), exact))
        distance = _distance(compiled.run(*_arrays(layer, inputs)), exact)
        if distance > allowed:
            raise EngineError(
                f"its features differ from torch's by {distance:.2g} of the length of a row: what "
                "the network does may depend on its inputs, on chance, or on the number of rows"
            )
    return compiled


def _distance(rows: Any, exact: np.ndarray) -> float:
    """Return the largest distance of a row, relative to its length."""
    if not np.array_equal(np.isfinite(rows), np.isfinite(exact)):  # or another shape
        return np.inf
    distances = np.linalg.norm(np.nan_to_num(rows - exact), axis=1)
    lengths = np.linalg.norm(np.nan_to_num(exact), axis=1)
    return float(np.max(distances / np.maximum(lengths, np.finfo(np.float32).tiny), initial=0.0))


def _arrays(layer: FeatureExtractor, inputs: Any) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in layer.modality.to_plain(inputs)]


def _examples(layer: FeatureExtractor) -> Any:
    """Return network inputs of two, three and one rows, of variable length with padding."""
    return layer.modality.recipe(layer.backbone).examples(layer.backbone.processor)
