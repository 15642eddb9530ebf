"""Backbones whose weights came from a standalone file, in place of weights on this machine."""

from __future__ import annotations

from pathlib import Path

from sktransfer.backbones._backbone import Backbone

_loaded: dict[tuple[str, str, str | None], Backbone] = {}


def keep_from_file(backbone: Backbone, *, named: str, weights: str | None) -> None:
    """Keep a backbone for the estimators that were fitted with it.

    A request by name alone still gets the weights of this machine, so a file cannot replace the
    weights of other estimators.

    Parameters
    ----------
    backbone : Backbone
        As `unpack` returns it.
    named, weights : str
        The parameters ``backbone`` and ``weights`` of those estimators.
    """
    _loaded[backbone.fingerprint, named, weights] = backbone


def find_from_file(fingerprint: str, backbone: object, weights: object) -> Backbone | None:
    """Return the backbone kept for an estimator with these parameters and this fingerprint."""
    if not isinstance(backbone, str | Path):
        return None
    given = None if weights is None else str(weights)
    return _loaded.get((fingerprint, str(backbone), given))
