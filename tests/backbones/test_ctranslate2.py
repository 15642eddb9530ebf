"""Whisper's weights in a file of CTranslate2: all of them, or an error."""

import struct

import numpy as np
import pytest
import torch
import transformers as hf

from sktransfer.backbones import bundled
from sktransfer.backbones._ctranslate2 import read_whisper
from sktransfer.exceptions import WeightsError
from tests.backbones import _huggingface_folders as folders


def numbers(form, *values):
    return struct.pack(form, *values)


def text(content):
    return numbers("<H", len(content) + 1) + content.encode() + b"\0"


def entries(model):
    """Return the entries of a Whisper model under CTranslate2's names, with fused projections."""
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    found = {}
    for half in ("encoder", "decoder"):
        found[f"{half}/num_heads"] = np.array(4, dtype=np.int16)
        for name in [name for name in state if name.startswith(f"{half}.")]:
            place, kind = name.removeprefix(f"{half}.").rsplit(".", 1)
            found |= renamed(half, place, kind, state)
    return found


def renamed(half, place, kind, state):
    """Return the entry to which a parameter belongs; of fused ones for the first only."""
    path = place.split(".")
    prefix = f"{half}/layer_{path[1]}" if path[0] == "layers" else half
    part = path[2] if path[0] == "layers" else path[0]
    norm = {"weight": "gamma", "bias": "beta"}[kind]
    plain = {"fc1": "ffn/linear_0", "fc2": "ffn/linear_1", "embed_tokens": "embeddings"}
    if part == "embed_positions":
        return {f"{half}/position_encodings/encodings": state[f"{half}.{place}.weight"]}
    if part.endswith("layer_norm"):
        names = {
            "self_attn_layer_norm": "self_attention/layer_norm",
            "encoder_attn_layer_norm": "attention/layer_norm",
            "final_layer_norm": "ffn/layer_norm",
        }
        return {f"{prefix}/{names.get(part, part)}/{norm}": state[f"{half}.{place}.{kind}"]}
    if not part.endswith("_attn"):
        name = plain.get(part, part)
        return {f"{prefix}/{name}/{kind}": state[f"{half}.{place}.{kind}"]}
    attention, projection = place.rsplit(".", 1)
    name = {"self_attn": "self_attention", "encoder_attn": "attention"}[part]
    fused = [["q_proj", "k_proj", "v_proj"], ["out_proj"]]
    if part == "encoder_attn":
        fused = [["q_proj"], ["k_proj", "v_proj"], ["out_proj"]]
    number = next(i for i, group in enumerate(fused) if projection in group)
    zeros = np.zeros(32, dtype=np.float32)  # keys have no bias
    parts = [state.get(f"{half}.{attention}.{which}.{kind}", zeros) for which in fused[number]]
    return {f"{prefix}/{name}/linear_{number}/{kind}": np.concatenate(parts)}


def write(path, found, *, version=6, spec="WhisperSpec"):
    kinds = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}
    content = numbers("<I", version) + text(spec) + numbers("<II", 3, len(found))
    for name, value in found.items():
        content += text(name) + numbers("<B", value.ndim) + numbers(f"<{value.ndim}I", *value.shape)
        content += numbers("<B", kinds[value.dtype.name]) + numbers("<I", value.nbytes)
        content += value.tobytes()
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def whisper():
    return folders.build("whisper")


def test_every_weight_of_encoder_and_decoder_is_read(whisper, tmp_path):
    config, state = read_whisper(write(tmp_path / "model.bin", entries(whisper)))
    assert {name: getattr(whisper.config, name) for name in config} | {"pad_token_id": 0} == config
    assert state.keys() == whisper.state_dict().keys()
    assert all(torch.equal(state[name], t) for name, t in whisper.state_dict().items())


def test_the_published_file_loads_strictly_into_transformers(tmp_path):
    bundle = bundled._BUNDLES["whisper-tiny.en"]
    if bundle.folder is None:
        pytest.skip(f"needs pip install {bundle.package}")
    config, state = read_whisper(bundle.folder / bundle.files[0])
    with torch.device("meta"):
        model = hf.WhisperModel(hf.WhisperConfig(**config))
    model.load_state_dict(state, strict=True, assign=True)
    assert (config["d_model"], config["encoder_layers"], config["vocab_size"]) == (384, 4, 51864)


def test_half_precision_is_widened(whisper, tmp_path):
    halves = {
        n: v.astype(np.float16) if v.dtype == "f4" else v for n, v in entries(whisper).items()
    }
    _, state = read_whisper(write(tmp_path / "model.bin", halves))
    for name, tensor in whisper.state_dict().items():
        assert torch.equal(state[name], tensor.half().float())


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_truncated_files_are_named(share, whisper, tmp_path):
    path = write(tmp_path / "model.bin", entries(whisper))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"model\.bin' is no Whisper model.*ends too early"):
        read_whisper(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04" + bytes(99), b"\xff" * 99, b"{}", bytes(99)])
def test_foreign_files_are_named(content, tmp_path):
    (tmp_path / "other.bin").write_bytes(content)
    with pytest.raises(WeightsError, match=r"other\.bin' is no Whisper model"):
        read_whisper(tmp_path / "other.bin")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder/conv1/weight": np.zeros((8, 3), dtype="f4")}, "unpack"),
        ({"encoder/num_heads": np.zeros(2, dtype="i2")}, "no Whisper model"),
        ({"encoder/layer_0/self_attention/linear_7/bias": np.zeros(3, dtype="f4")}, "range"),
        ({"weight": np.zeros(3, dtype="f4")}, "no Whisper model"),
        ({"encoder/unknown/weight": np.zeros(3, dtype="f4")}, "unknown"),
        ({"encoder/conv1/bias": np.zeros(32, dtype="i1")}, "quantised to int8"),
    ],
)
def test_other_contents_are_named(change, message, whisper, tmp_path):
    with pytest.raises(WeightsError, match=message):
        read_whisper(write(tmp_path / "model.bin", entries(whisper) | change))


@pytest.mark.parametrize("how", [{"version": 7}, {"spec": "TransformerSpec"}])
def test_other_versions_and_models_are_named(how, whisper, tmp_path):
    with pytest.raises(WeightsError, match="expected 6 of 'WhisperSpec'"):
        read_whisper(write(tmp_path / "model.bin", entries(whisper), **how))
