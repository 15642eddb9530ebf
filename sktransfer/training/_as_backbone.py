"""The network of a fitted estimator as a backbone for embedders and other fine-tuners."""

from __future__ import annotations

from dataclasses import replace

import torch
import xxhash

from sktransfer.backbones import Backbone
from sktransfer.modalities import Recipe
from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training.strategies import merged


def digest_of(module: FineTuned, base: Backbone) -> str:
    """Return a digest of the original backbone and of the trained parameters."""
    digest = xxhash.xxh3_128(base.fingerprint.encode())
    for name, tensor in module.trained().items():
        if name.startswith("network."):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def as_backbone(module: FineTuned, base: Backbone, recipe: Recipe, name: str) -> Backbone:
    """Return a backbone of a copy of the network, with the recipe of the estimator."""
    with torch.inference_mode(False):
        network = merged(module.network).inner
    # Without a blueprint: its source builds the network before it was trained.
    return replace(
        base,
        name=f"{name} on {base.name}",
        source="estimator",
        network=network,
        recipe=recipe,
        blueprint=None,
    )
