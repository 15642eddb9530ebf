"""Telling one network from another, by what it computes and not by its name."""

from __future__ import annotations

from torch import nn

from sktransfer.backbones._describe import Describer, digest, nonce
from sktransfer.modalities import Recipe


def fingerprint(network: nn.Module, recipe: Recipe) -> str:
    """Digest architecture, weights and recipe, so that rows of different nets never meet.

    What cannot be described makes a fingerprint unique: a row that is computed twice costs time,
    a row of another network's is wrong.
    """
    try:
        return digest(Describer()(network), repr(recipe))
    except RecursionError:
        return digest(nonce(network), repr(recipe))
