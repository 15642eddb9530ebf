"""Heads: trained layers on top of a network, one file each, and one line in the table below."""

from __future__ import annotations

from typing import Any

from torch import nn

from sktransfer.training.heads._fusion_head import FusionHead as FusionHead
from sktransfer.training.heads._linear import LinearHead as LinearHead
from sktransfer.training.heads._linear import linear as linear
from sktransfer.training.heads._map_decoder import MapDecoder as MapDecoder
from sktransfer.training.heads._none import NoHead as NoHead
from sktransfer.training.heads._patches import PatchHead as PatchHead
from sktransfer.training.heads._projection import ProjectionHead as ProjectionHead
from sktransfer.training.heads._tagging import TaggingHead as TaggingHead
from sktransfer.training.heads._vocabulary import VocabularyHead as VocabularyHead

#: The head of each level of targets.
HEADS: dict[str, type[Any]] = dict.fromkeys(("row", "token", "place"), LinearHead)


def head_of(target: Any, n_features: int, dropout: float = 0.0) -> nn.Module:
    """Return a new head for a target, or one that returns its inputs where there is no target."""
    if target is None:
        return NoHead(n_features)
    return HEADS[target.level](n_features, target.n_outputs, dropout)
