"""Families of Hugging Face models, and how each is divided into stages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sktransfer.backbones._network import Layout
from sktransfer.exceptions import BackboneError


@dataclass(frozen=True)
class Family:
    """Structure of the models of one ``model_type``.

    A model is a list of layers and some modules beside it, which belong to the stage "embeddings"
    unless they are named here.

    Attributes
    ----------
    modality : {"image", "text"}
        Of its input.
    pooled : {"tokens", "cls", "pooler"}
        Source of the features: the tokens of a text, the class token, or the model's own pooling.
    layout : str
        Layout of the outputs of layers.
    prefix_tokens : int
        Number of tokens before those of the image, without registers.
    fixed_size : bool
        Whether images must have the size of the config.
    word : str
        Name of a layer in the names of stages.
    first, last, top : tuple of str
        Modules that belong to the first layer, to the last one, and to none.
    shifted : bool
        Whether positions are numbered from behind the number of the padding token.
    tuples : bool
        Whether a layer returns a tuple.
    resumes : bool
        Whether a forward pass can start behind a layer.
    """

    modality: str
    pooled: str = "tokens"
    layout: Layout = "NLC"
    prefix_tokens: int = 0
    fixed_size: bool = False
    word: str = "layer"
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    top: tuple[str, ...] = ("pooler",)
    shifted: bool = False
    tuples: bool = False
    resumes: bool = True


_TEXT = Family("text")
_SHIFTED = replace(_TEXT, shifted=True)
_VIT = Family("image", pooled="cls", prefix_tokens=1, fixed_size=True, last=("layernorm",))
_DINO = replace(_VIT, fixed_size=False)
_CLIP = replace(_VIT, pooled="pooler", last=(), top=("post_layernorm",))
_SIGLIP = replace(_CLIP, prefix_tokens=0, last=("post_layernorm",), top=("head",))
_CONV = Family("image", pooled="pooler", layout="NCHW", word="stage", top=("pooler", "layernorm"))
# A smaller image shrinks its windows for good, so only one size is allowed. Its layers pass sizes
# to each other, so none can be skipped.
_SWIN = Family(
    "image", pooled="pooler", fixed_size=True, word="stage", last=("layernorm",), resumes=False
)

FAMILIES: dict[str, Family] = {
    "bert": _TEXT,
    "camembert": _SHIFTED,
    "deberta": replace(_TEXT, tuples=True),
    "deberta-v2": replace(_TEXT, first=("conv",), tuples=True),
    "distilbert": _TEXT,
    "electra": _TEXT,
    "modernbert": replace(_TEXT, last=("final_norm",)),
    "mpnet": replace(_SHIFTED, tuples=True),
    "roberta": _SHIFTED,
    "xlm-roberta": _SHIFTED,
    "clip": _CLIP,
    "clip_vision_model": _CLIP,
    "convnext": _CONV,
    "convnextv2": _CONV,
    "deit": replace(_VIT, prefix_tokens=2),
    "dinov2": _DINO,
    "dinov2_with_registers": _DINO,
    "dinov3_vit": replace(_DINO, last=("norm",)),
    "resnet": _CONV,
    "siglip": _SIGLIP,
    "siglip_vision_model": _SIGLIP,
    "swin": _SWIN,
    "vit": _VIT,
}


def family_of(config: Mapping[str, Any], *, name: str) -> Family:
    """Return the family of a model from its ``config.json``.

    Raises
    ------
    BackboneError
        If the type of the model is unknown, it needs code of its own, or its positions depend on
        the longest row of a batch.
    """
    kind = config.get("model_type")
    rotations = json.dumps([config.get("rope_parameters"), config.get("rope_scaling")])
    if '"dynamic"' in rotations or '"longrope"' in rotations:
        reason = (
            "has rotary positions that change with the longest row of a batch, so a row's features "
            f"would depend on its neighbours: {rotations}"
        )
    elif kind in FAMILIES:
        return FAMILIES[str(kind)]
    elif "auto_map" in config:
        reason = "brings its own Python code, and code that comes with weights is never run"
    elif kind is None and "architecture" in config:
        reason = (
            "is a model of timm. Name its architecture and pass the file of its weights: "
            f"backbone='timm:{config['architecture']}', weights='.../model.safetensors'"
        )
    else:
        reason = f"is a model of type {kind!r}, which cannot be used here"
    raise BackboneError(f"{name!r} {reason}. Known types: {', '.join(sorted(FAMILIES))}.")
