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
    modality : {"image", "text", "audio"}
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
    pooling : {"mean", "lasttoken"}
        Texts only: pooling of the tokens where the folder names none. "lasttoken" is for
        models whose tokens attend to earlier ones only.
    projection : str
        Module that maps the model's own pooling into the space that images and texts share.
    normalize : bool
        Whether the model's own function for features scales them to unit length.
    filled : bool
        Texts only: whether texts are filled up to the number of positions with padding tokens,
        which the model attends to.
    layers : str
        Place of the list of layers, where its length does not tell it.
    reader : str
        Sounds only: what the model reads of a waveform, a name in `_sounds.py`.
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
    pooling: str = "mean"
    projection: str = ""
    normalize: bool = False
    filled: bool = False
    layers: str = ""
    reader: str = ""


_TEXT = Family("text")
_SHIFTED = replace(_TEXT, shifted=True)
# One layer may be run several times.
_ALBERT = replace(_TEXT, top=("pooler", "pooler_activation"), resumes=False)
# Its layers work on texts that are padded to a multiple of the window.
_LONGFORMER = replace(_SHIFTED, resumes=False)
# The first layer computes the relative positions for all.
_T5 = replace(_TEXT, last=("final_layer_norm",), resumes=False)
_LLAMA = replace(_TEXT, last=("norm",), pooling="lasttoken")
_GPT = replace(_LLAMA, last=("ln_f",))
_PHI = replace(_LLAMA, last=("final_layernorm",))
_NEOX = replace(_LLAMA, last=("final_layer_norm", "project_out"))
_CLIP_TEXT = replace(
    _TEXT, pooled="pooler", last=("final_layer_norm",), top=("head",), projection="text_projection"
)
_VIT = Family("image", pooled="cls", prefix_tokens=1, fixed_size=True, last=("layernorm",))
_DINO = replace(_VIT, fixed_size=False)
_CLIP = replace(
    _VIT, pooled="pooler", last=(), top=("post_layernorm",), projection="visual_projection"
)
_SIGLIP = replace(_CLIP, prefix_tokens=0, last=("post_layernorm",), top=("head",), projection="")
_CONV = Family("image", pooled="pooler", layout="NCHW", word="stage", top=("pooler", "layernorm"))
# A smaller image shrinks its windows for good, so only one size is allowed. Its layers pass sizes
# to each other, so none can be skipped.
_SWIN = Family(
    "image", pooled="pooler", fixed_size=True, word="stage", last=("layernorm",), resumes=False
)

_WAV2VEC2 = Family("audio", top=("adapter",), layers="encoder.layers", reader="waveform")
_CLAP = Family(
    "audio",
    pooled="pooler",
    layout="NCHW",
    word="stage",
    last=("norm",),
    top=("avgpool",),
    resumes=False,
    projection="audio_projection",
    reader="clap",
)

FAMILIES: dict[str, Family] = {
    # Encoders.
    "albert": _ALBERT,
    "bert": _TEXT,
    "camembert": _SHIFTED,
    "deberta": replace(_TEXT, tuples=True),
    "deberta-v2": replace(_TEXT, first=("conv",), tuples=True),
    "distilbert": _TEXT,
    "electra": _TEXT,
    "ernie": _TEXT,
    "eurobert": replace(_LLAMA, pooling="mean"),
    "jina_embeddings_v3": _TEXT,
    "longformer": _LONGFORMER,
    "modernbert": replace(_TEXT, last=("final_norm",)),
    "mpnet": replace(_SHIFTED, tuples=True),
    "mt5": _T5,
    "nomic_bert": _TEXT,
    "roberta": _SHIFTED,
    "t5": _T5,
    "umt5": replace(_T5, resumes=True),
    "xlm-roberta": _SHIFTED,
    "xlm-roberta-xl": replace(_SHIFTED, last=("LayerNorm",)),
    # Decoders, used as encoders.
    "bloom": _GPT,
    "falcon": _GPT,
    "gemma": _LLAMA,
    "gemma2": _LLAMA,
    "gemma3_text": _LLAMA,
    "gpt2": _GPT,
    "gpt_neo": _GPT,
    "gpt_neox": _NEOX,
    "granite": _LLAMA,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "modernbert-decoder": replace(_LLAMA, last=("final_norm",)),
    "olmo2": _LLAMA,
    "opt": _NEOX,
    "phi": _PHI,
    "phi3": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "smollm3": _LLAMA,
    # Halves for texts of models for both modalities.
    "clip_text_model": _CLIP_TEXT,
    "siglip_text_model": replace(_CLIP_TEXT, projection="", filled=True),
    # Images.
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
    # Sounds.
    "audio-spectrogram-transformer": replace(
        _VIT, modality="audio", pooled="pooler", prefix_tokens=2, reader="ast"
    ),
    "clap": replace(_CLAP, normalize=True),
    "clap_audio_model": _CLAP,
    "hubert": _WAV2VEC2,
    "wav2vec2": _WAV2VEC2,
    # The first layer computes the relative positions for all.
    "wavlm": replace(_WAV2VEC2, tuples=True, resumes=False),
    "whisper": Family("audio", last=("layer_norm",), layers="layers", reader="whisper"),
}

# Entries of a config.json that a model's own code reads and that of transformers does not, with the
# values that transformers' code amounts to.
_ABSOLUTE = {"position_embedding_type": "absolute"}
_ROTARY = {
    "position_embedding_type": "rotary",
    "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False,
    "prenorm": False,
    "causal": False,
}
_FIXED: dict[str, dict[str, Any]] = {
    "jina_embeddings_v3": {**_ROTARY, "rotary_emb_base": 20_000},
    "nomic_bert": {
        **_ROTARY,
        "rotary_emb_base": 1_000,
        "activation_function": "swiglu",
        "qkv_proj_bias": False,
        "mlp_fc1_bias": False,
        "mlp_fc2_bias": False,
    },
}

_DEPENDS = "a row's features would depend on its neighbours"
_ANOTHER = "Take a model of another type"

# Families that cannot be used, and why.
_UNSUITABLE = {
    "big_bird": "chooses its attention by the longest row of a batch",
    "bigbird_pegasus": "chooses its attention by the longest row of a batch",
    "convbert": "mixes padding into the tokens beside it",
    "fnet": "mixes all tokens of a row with its padding",
    "nystromformer": "approximates its attention over the padding of a batch too",
    "yoso": "approximates its attention over the padding of a batch too",
}


def family_of(config: Mapping[str, Any], *, name: str, modality: str | None = None) -> Family:
    """Return the family of a model from its ``config.json``.

    Parameters
    ----------
    config : mapping
        Content of the file.
    name : str
        Of the model, for messages.
    modality : {"image", "text", "audio"}, optional
        Which half of a model for both; by default that for images.

    Raises
    ------
    BackboneError
        If the type of the model is unknown, it needs code of its own, or its features depend on
        the longest row of a batch.
    """
    kind = str(config.get("model_type"))
    half = f"{kind}_text_model"
    if reason := obstacle(config, kind):
        raise BackboneError(f"{name!r} {reason}.")
    if modality == "text" and "text_config" in config and half in FAMILIES:
        return FAMILIES[half]
    if kind in FAMILIES:
        # The norm beside the layers comes before them, or behind them.
        is_behind = FAMILIES[kind].reader == "waveform" and config.get("do_stable_layer_norm")
        return replace(FAMILIES[kind], last=("layer_norm",)) if is_behind else FAMILIES[kind]
    raise BackboneError(f"{name!r} {unknown(config)}. Known types: {', '.join(sorted(FAMILIES))}.")


def obstacle(config: Mapping[str, Any], kind: str) -> str | None:
    """Return why a model cannot be used although its type may be known."""
    rotations = json.dumps([config.get("rope_parameters"), config.get("rope_scaling")])
    fixed = _FIXED.get(kind, _ABSOLUTE) if kind in FAMILIES else {}
    changed = [name for name, value in fixed.items() if config.get(name) not in (None, value)]
    if '"dynamic"' in rotations or '"longrope"' in rotations:
        return (
            "has rotary positions that change with the longest row of a batch, so "
            f"{_DEPENDS}: {rotations}"
        )
    if kind in _UNSUITABLE:
        return f"is of the type {kind!r}, which {_UNSUITABLE[kind]}, so {_DEPENDS}. {_ANOTHER}"
    if changed:
        name = changed[0]
        return (
            f"sets {name} to {config[name]!r}, and transformers' own {kind!r} has {fixed[name]!r}. "
            "Take a model whose code is part of transformers"
        )
    if config.get("add_adapter"):
        return "has an adapter that shortens its output (add_adapter), which is not supported"
    if config.get("quantization_config"):
        return (
            "has quantised weights (quantization_config). Take the original model, or save it "
            "after model.dequantize()"
        )
    return None


def unknown(config: Mapping[str, Any]) -> str:
    """Return why a model of a type that is not known cannot be used."""
    if "auto_map" in config:
        return "brings its own Python code, and code that comes with weights is never run"
    return f"is a model of type {config.get('model_type')!r}, which cannot be used here"
