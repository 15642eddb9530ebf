"""Whether a converted network computes what torch does, on a few rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from sktransfer import _runtime
from sktransfer.backbones import Backbone
from sktransfer.engines._request import Request
from sktransfer.exceptions import EngineError

#: How far a float32 row may be from torch's, in lengths of that.
TOLERANCE = 1e-4
# A bfloat16 row may be this far from the exact one, or so many times as far as torch's own.
_LOWER_TOLERANCE, _TIMES = 0.05, 3.0

_MOST_TOKENS = 256
_TEXTS = ("a", "The quick brown fox jumps over the lazy dog.", "one two, three 4! " * _MOST_TOKENS)


def example_of(request: Request) -> Any:
    """Return network inputs of two rows, of texts with padding."""
    return next(_probes(request))


def check(request: Request, run: Callable[[Any], np.ndarray]) -> None:
    """See that a converted network gives torch's features, in batches of several sizes.

    A conversion follows the network on one example. What the network decides by its inputs, and
    how many rows and tokens there were, may have become part of it.

    Parameters
    ----------
    request : Request
        What was converted.
    run : callable
        From network inputs to features, as it computes them.

    Raises
    ------
    EngineError
        If it does not.
    """
    for inputs in _probes(request):
        exact = _by_torch(request, inputs, "float32")
        away = _furthest(run(inputs), exact)
        if away > _allowed(request, inputs, exact, away):
            raise EngineError(
                f"its features are {away:.2g} away from torch's, in lengths of a row: what the "
                "network does may depend on its inputs, on chance, or on how many rows there are"
            )


def _allowed(request: Request, inputs: Any, exact: np.ndarray, away: float) -> float:
    if request.precision == "float32":
        return TOLERANCE
    if away <= _LOWER_TOLERANCE:
        return _LOWER_TOLERANCE
    return _TIMES * _furthest(_by_torch(request, inputs, request.precision), exact)


def _by_torch(request: Request, inputs: Any, precision: str) -> np.ndarray:
    with _runtime.inference(request.device, precision):
        found = request.backbone.extract(inputs, layer=request.layer, pooling=request.pooling)
    return found.numpy()


def _furthest(rows: np.ndarray, exact: np.ndarray) -> float:
    if rows.shape != exact.shape:
        return np.inf
    if not np.array_equal(np.isfinite(rows), np.isfinite(exact)):
        return np.inf
    away = np.linalg.norm(np.nan_to_num(rows - exact), axis=1)
    lengths = np.linalg.norm(np.nan_to_num(exact), axis=1)
    return float(np.max(away / np.maximum(lengths, np.finfo(np.float32).tiny), initial=0.0))


def _probes(request: Request) -> Iterator[Any]:
    """Yield two rows, three, one."""
    if request.size is None:
        yield from _texts(request.backbone)
    else:
        yield from _images(request)


def _texts(backbone: Backbone) -> Iterator[Any]:
    most = min(backbone.recipe.max_length, _MOST_TOKENS)  # type: ignore[union-attr]
    tokens = backbone.tokenizer.encode(_TEXTS, most)
    for some in (tokens[:2], tokens, tokens[1:2]):
        yield backbone.tokenizer.collate(some)


def _images(request: Request) -> Iterator[Any]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand((3, *request.size, 3), generator=generator)  # type: ignore[misc]
    pixels[1], pixels[2] = pixels[1] / 10, 1 - pixels[2] / 10  # a dark one and a bright one
    scaled = request.backbone.recipe.scale(pixels)  # type: ignore[union-attr]
    yield from (scaled[:2], scaled, scaled[2:])
