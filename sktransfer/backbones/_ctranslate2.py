"""Whisper's weights in a file of CTranslate2, read as data, under transformers' names."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from sktransfer.backbones._weights import StateDict
from sktransfer.exceptions import WeightsError

_SPEC = "WhisperSpec"
_VERSION = 6
# Numbers of the types of values.
_TYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}

# Parts of a layer, and of an attention, whose projections lie in one matrix.
_NORMS = {"self_attention": "self_attn", "attention": "encoder_attn"}
_FUSED = {
    "self_attention": (("q_proj", "k_proj", "v_proj"), ("out_proj",)),
    "attention": (("q_proj",), ("k_proj", "v_proj"), ("out_proj",)),
}
_PLAIN = {
    "conv1": "conv1",
    "conv2": "conv2",
    "layer_norm": "layer_norm",
    "position_encodings": "embed_positions",
    "embeddings": "embed_tokens",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}
# Ends of the names of weights; other entries are settings.
_WEIGHTS = ("weight", "bias", "gamma", "beta", "encodings")
_KINDS = {"gamma": "weight", "beta": "bias", "encodings": "weight"}


def read_whisper(path: Path) -> tuple[dict[str, Any], StateDict]:
    """Read a Whisper model of CTranslate2.

    Parameters
    ----------
    path : Path
        The file ``model.bin``, of float16 or float32.

    Returns
    -------
    config : dict
        What transformers' config of the model must say, from the shapes of its weights.
    state : dict of str to Tensor
        Weights in float32, as ``WhisperModel`` names them.

    Raises
    ------
    WeightsError
        If the file is damaged, or of another model or version.
    """
    try:
        with path.open("rb") as file:
            values = dict(_values(file))
        state: StateDict = {}
        for name, value in values.items():
            if name.endswith(_WEIGHTS):
                state |= _renamed(name, _tensor(value))
        return _config(values), state
    except (EOFError, LookupError, TypeError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} is no Whisper model of CTranslate2: {error}.") from error


def _tensor(value: np.ndarray) -> torch.Tensor:
    if value.dtype.kind != "f":
        raise ValueError(f"its weights are quantised to {value.dtype}")
    return torch.from_numpy(value.astype(np.float32))


def _values(file: BinaryIO) -> Iterator[tuple[str, np.ndarray]]:
    version = _number(file, "<I")
    spec = _text(file)
    if version != _VERSION or spec != _SPEC:
        raise ValueError(f"version {version} of {spec!r}, expected {_VERSION} of {_SPEC!r}")
    _number(file, "<I")  # revision of the spec
    for _ in range(_number(file, "<I")):
        name, rank = _text(file), _number(file, "<B")
        shape = [_number(file, "<I") for _ in range(rank)]
        kind = np.dtype(_TYPES[_number(file, "<B")])
        content = _bytes(file, _number(file, "<I"))
        yield name, np.frombuffer(content, kind).reshape(shape)


def _number(file: BinaryIO, form: str) -> int:
    return struct.unpack(form, _bytes(file, struct.calcsize(form)))[0]


def _text(file: BinaryIO) -> str:
    return _bytes(file, _number(file, "<H")).rstrip(b"\0").decode("ascii")


def _bytes(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise EOFError("the file ends too early")
    return content


def _renamed(name: str, value: torch.Tensor) -> StateDict:
    """Return the weights of one entry under transformers' names."""
    half, *path, kind = name.split("/")
    kind = _KINDS.get(kind, kind)
    place = half
    if path[0].startswith("layer_") and path[0] != "layer_norm":
        place += f".layers.{int(path.pop(0).removeprefix('layer_'))}"
    if path[0] in _FUSED:
        part = f"{place}.{_NORMS[path[0]]}"
        if path[1] == "layer_norm":
            return {f"{part}_layer_norm.{kind}": value}
        names = _FUSED[path[0]][int(path[1].removeprefix("linear_"))]
        parts = dict(zip(names, value.chunk(len(names)), strict=True))
        # Keys have no bias in Whisper, and zeros here.
        return {
            f"{part}.{which}.{kind}": some.clone()
            for which, some in parts.items()
            if (which, kind) != ("k_proj", "bias")
        }
    return {f"{place}.{_PLAIN['/'.join(path)]}.{kind}": value}


def _config(values: dict[str, np.ndarray]) -> dict[str, Any]:
    width, bands, _ = values["encoder/conv1/weight"].shape
    config: dict[str, Any] = {
        "model_type": "whisper",
        "d_model": width,
        "num_mel_bins": bands,
        "vocab_size": len(values["decoder/embeddings/weight"]),
        "max_source_positions": len(values["encoder/position_encodings/encodings"]),
        "max_target_positions": len(values["decoder/position_encodings/encodings"]),
        "pad_token_id": 0,
    }
    for half in ("encoder", "decoder"):
        layers = {name.split("/")[1] for name in values if name.startswith(f"{half}/layer_")}
        config[f"{half}_layers"] = len(layers - {"layer_norm"})
        config[f"{half}_attention_heads"] = int(values[f"{half}/num_heads"])
        config[f"{half}_ffn_dim"] = len(values[f"{half}/layer_0/ffn/linear_0/bias"])
    return config
