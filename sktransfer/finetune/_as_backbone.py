"""The network of a fitted estimator as a backbone for embedders and other fine-tuners."""

from __future__ import annotations

import copy

import torch
import xxhash

from sktransfer.adapt import FineTuned
from sktransfer.backbones import Backbone, ImageRecipe, TextRecipe


def digest_of(module: FineTuned, base: Backbone) -> str:
    """Return a digest of the backbone that was trained from, and of what training changed."""
    digest = xxhash.xxh3_128(base.fingerprint.encode())
    for name, tensor in module.trained().items():
        if name.startswith("network."):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def as_backbone(
    module: FineTuned, base: Backbone, recipe: ImageRecipe | TextRecipe, name: str
) -> Backbone:
    """Return a backbone of a copy of the network, prepared for as the estimator prepares."""
    with torch.inference_mode(False):
        network = copy.deepcopy(module.network).to("cpu")
    return Backbone(
        f"{name} on {base.name}",
        source="estimator",
        of_user=base.of_user,
        network=network,
        recipe=recipe,
        licence=base.licence,
        library=base.library,
        tokenizer=base.tokenizer,
    )
