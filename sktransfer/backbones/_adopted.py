"""Backbones that came in a file of the user's, in place of weights on this machine."""

from __future__ import annotations

from pathlib import Path

from sktransfer.backbones._backbone import Backbone

_Key = tuple[str, str, str | None]

_adopted: dict[_Key, Backbone] = {}


def adopt(backbone: Backbone, *, named: str, weights: str | None) -> None:
    """Keep a backbone for the estimators that were fitted with it.

    Nobody else gets it: whoever asks for a backbone by its name alone gets that of this
    machine, so a file cannot put its weights in the place of others.

    Parameters
    ----------
    backbone : Backbone
        As `unpack` returns it.
    named, weights : str
        The parameters of those estimators.
    """
    _adopted[backbone.fingerprint, named, weights] = backbone


def adopted(fingerprint: str, backbone: object, weights: object) -> Backbone | None:
    """Return what was adopted for an estimator with these parameters and fingerprint."""
    if not isinstance(backbone, str | Path):
        return None
    given = None if weights is None else str(weights)
    return _adopted.get((fingerprint, str(backbone), given))
