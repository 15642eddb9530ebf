"""Heads: the trained layers on top of a network, one file each, and one line in the table below."""

from __future__ import annotations

from torch import nn

from sktransfer.training.heads._linear import LinearHead

#: The head of each level of targets. Its `start` takes features (n, d) and a bias (k,).
HEADS: dict[str, type[LinearHead]] = {
    "row": LinearHead,
    "token": LinearHead,
    "place": LinearHead,
}

Head = nn.Module

__all__ = ["HEADS", "Head", "LinearHead"]
