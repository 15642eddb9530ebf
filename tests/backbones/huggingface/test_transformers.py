"""Checkpoints of Hugging Face folders: all weights or an error, and no code is executed."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from sktransfer.backbones import Backbone, get_backbone
from sktransfer.exceptions import BackboneError, WeightsError
from tests.backbones._huggingface_folders import build, inputs, save, write_json


@pytest.fixture
def bert(tmp_path):
    save("bert", tmp_path)
    return tmp_path


@pytest.fixture
def convnext(tmp_path):
    save("convnext", tmp_path)
    return tmp_path


def text(folder: Path, **how: Any) -> Backbone:
    return get_backbone(folder, modality="text", **how)


def rewrite(folder: Path, change: Any) -> dict[str, torch.Tensor]:
    state = change(load_file(folder / "model.safetensors"))
    save_file(state, folder / "model.safetensors")
    return state


def without(part: str) -> Any:
    return lambda state: {name: tensor for name, tensor in state.items() if part not in name}


def test_missing_weights_are_named(bert):
    rewrite(bert, without("layer.1.output.dense"))
    with pytest.raises(WeightsError, match=r"missing: encoder\.layer\.1\.output\.dense\.bias"):
        text(bert)


def test_weights_of_an_unrelated_model_are_refused(bert):
    rewrite(bert, lambda state: {f"other.{i}": tensor for i, tensor in enumerate(state.values())})
    with pytest.raises(WeightsError, match=r"missing: .* and \d+ more"):
        text(bert)


def test_weights_of_another_shape_are_named(bert):
    rewrite(bert, lambda s: s | {"embeddings.LayerNorm.weight": torch.ones(31)})
    with pytest.raises(WeightsError, match=r"of another shape: embeddings\.LayerNorm\.weight"):
        text(bert)


def test_weights_of_a_deeper_model_are_refused(bert):
    config = json.loads((bert / "config.json").read_text())
    write_json(bert / "config.json", **config | {"num_hidden_layers": 2})
    with pytest.raises(WeightsError, match=r"layers that it does not have: encoder\.layer\.2"):
        text(bert)


def test_an_unused_pooler_may_be_missing(bert):
    whole = text(bert)
    rewrite(bert, without("pooler"))
    assert text(bert).fingerprint == whole.fingerprint


def test_training_counters_may_be_missing(tmp_path):
    save("resnet", tmp_path)
    rewrite(tmp_path, without("num_batches_tracked"))
    assert get_backbone(tmp_path, modality="image").feature_size == 32


@pytest.mark.parametrize("kind", ["BertForSequenceClassification", "BertForMaskedLM"])
def test_a_checkpoint_with_a_head_loads_silently(kind, tmp_path, caplog, recwarn):
    save("bert", tmp_path)
    model = getattr(hf, kind)(build("bert").config).eval()
    model.save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING):
        backbone = text(tmp_path)
    plain = model.bert(**inputs("bert")).last_hidden_state
    assert torch.allclose(
        backbone.extract(inputs("bert"), layer="layer3", pooling="cls"), plain[:, 0]
    )
    assert caplog.records == []
    assert list(recwarn) == []


def test_names_of_old_checkpoints_are_converted(bert):
    whole = text(bert)

    def old(state):
        renamed = {
            n.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): t
            for n, t in state.items()
        }
        return {f"bert.{n}": t for n, t in renamed.items()}

    rewrite(bert, old)
    assert text(bert).fingerprint == whole.fingerprint


@pytest.mark.parametrize("prefix", ["backbone.", "_orig_mod.", "model.encoder.", "module.bert."])
def test_a_common_prefix_is_removed(prefix, bert):
    whole = text(bert)
    rewrite(bert, lambda state: {f"{prefix}{name}": tensor for name, tensor in state.items()})
    assert text(bert).fingerprint == whole.fingerprint


def test_a_checkpoint_with_two_copies_of_the_model_is_refused(bert):
    def twice(state):
        return {f"{part}.{n}": t.clone() for part in ("query", "passage") for n, t in state.items()}

    rewrite(bert, twice)
    with pytest.raises(WeightsError, match=r"2 times, under the prefixes 'passage\.', 'query\.'"):
        text(bert)


def test_half_precision_weights_become_float32(bert):
    rewrite(bert, lambda state: {name: tensor.bfloat16() for name, tensor in state.items()})
    assert {p.dtype for p in text(bert).network.parameters()} == {torch.float32}


@pytest.mark.parametrize("form", ["shards", "torch", "torch shards"])
def test_other_checkpoint_formats_give_equal_weights(form, bert):
    whole = text(bert)
    state = load_file(bert / "model.safetensors")
    (bert / "model.safetensors").unlink()
    halves = [dict(list(state.items())[:9]), dict(list(state.items())[9:])]
    if form == "torch":
        torch.save(state, bert / "pytorch_model.bin")
    elif form == "shards":
        places = {n: f"model-{i}.safetensors" for i, half in enumerate(halves) for n in half}
        for i, half in enumerate(halves):
            save_file(half, bert / f"model-{i}.safetensors")
        write_json(bert / "model.safetensors.index.json", weight_map=places)
    else:
        places = {n: f"../{bert.name}/part-{i}.bin" for i, half in enumerate(halves) for n in half}
        for i, half in enumerate(halves):
            torch.save(half, bert / f"part-{i}.bin")
        write_json(bert / "pytorch_model.bin.index.json", weight_map=places)
    assert text(bert).fingerprint == whole.fingerprint


def test_a_folder_without_weights_raises(bert):
    (bert / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        text(bert)
    assert text(bert, weights=None).feature_size == 32


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_weights_may_come_from_a_file(ending, convnext, tmp_path_factory):
    model = hf.ConvNextForImageClassification(build("convnext").config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1
    file = tmp_path_factory.mktemp("own") / f"mine.{ending}"
    (save_file if ending == "safetensors" else torch.save)(model.state_dict(), file)
    loaded = get_backbone(convnext, modality="image", weights=file)
    wanted = model.convnext(inputs("convnext")).pooler_output
    assert torch.allclose(loaded.extract(inputs("convnext")), wanted, atol=1e-5)


def test_a_file_of_another_architecture_is_refused(convnext, tmp_path_factory):
    file = tmp_path_factory.mktemp("own") / "other.pth"
    torch.save({"weight": torch.ones(2)}, file)
    with pytest.raises(WeightsError, match="missing: "):
        get_backbone(convnext, modality="image", weights=file)
    with pytest.raises(WeightsError, match="no weights file 'IMAGENET1K_V1'"):
        get_backbone(convnext, modality="image", weights="IMAGENET1K_V1")


def test_random_weights_follow_the_seed(bert):
    one, same, other = (text(bert, weights=None, random_state=seed) for seed in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize("weights", ["pretrained", None])
def test_no_global_state_changes(weights, bert):
    logger = logging.getLogger("transformers")
    before = torch.get_rng_state(), torch.get_default_dtype(), logger.level, torch.get_num_threads()
    text(bert, weights=weights)
    after = torch.get_rng_state(), torch.get_default_dtype(), logger.level, torch.get_num_threads()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


@pytest.mark.parametrize("kind", ["own_kind", "bert"])
def test_code_in_a_folder_is_never_run(kind, bert):
    trace = bert / "it_ran"
    (bert / "own.py").write_text(
        f"open({str(trace)!r}, 'w')\nclass OwnModel: pass\nOwnConfig = OwnModel\n"
    )
    names = {
        "AutoConfig": "own.OwnConfig",
        "AutoModel": "own.OwnModel",
        "AutoTokenizer": ["own.OwnModel", None],
    }
    for file in ("config.json", "tokenizer_config.json"):
        content = json.loads((bert / file).read_text())
        write_json(bert / file, **content | {"auto_map": names})
    config = json.loads((bert / "config.json").read_text())
    write_json(bert / "config.json", **config | {"model_type": kind})
    if kind == "bert":
        assert text(bert).feature_size == 32
    else:
        with pytest.raises(BackboneError, match="never run"):
            text(bert)
    assert not trace.exists()


def test_kernels_are_never_requested_from_a_hub(bert):
    config = json.loads((bert / "config.json").read_text())
    hub = {"attn_implementation": "kernels-community/flash-attn", "return_dict": False}
    plain = text(bert)
    write_json(bert / "config.json", **config | hub | {"_attn_implementation": "own/kernel"})
    backbone = text(bert)
    assert torch.equal(backbone.extract(inputs("bert")), plain.extract(inputs("bert")))


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("it_ran"),))


def test_pickled_code_in_a_checkpoint_is_never_run(bert, monkeypatch):
    monkeypatch.chdir(bert)
    (bert / "model.safetensors").unlink()
    torch.save({"weight": Evil()}, bert / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="cannot be read as tensors"):
        text(bert)
    assert not (bert / "it_ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"model_type": "mamba"}', "type 'mamba'.* Known types: albert, .*, bert, "),
        ("{}", "type None"),
        ("{", "cannot be read as JSON"),
        (None, "there is no config.json"),
    ],
)
def test_other_models_are_refused_by_name(content, message, bert):
    (bert / "config.json").unlink()
    if content is not None:
        (bert / "config.json").write_text(content)
    with pytest.raises(BackboneError, match=message):
        text(bert)


def test_a_folder_without_a_tokenizer_raises(bert):
    for file in bert.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(BackboneError, match="tokenizer in "):
        text(bert)


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("config.json", {"hidden_size": "x"}),
        ("config.json", {"hidden_size": 3}),
        ("config.json", {"hidden_act": "x"}),
        ("config.json", {"architectures": 3}),
        ("config.json", {"rope_scaling": ["x"]}),
        ("config.json", {"model_type": ["bert"]}),
        ("config.json", {"vocab_size": -1}),
        ("tokenizer_config.json", {"model_max_length": "x"}),
    ],
)
def test_a_config_that_no_model_can_have_is_an_error_with_its_folder(file, setting, bert):
    content = json.loads((bert / file).read_text())
    write_json(bert / file, **content | setting)
    with pytest.raises((BackboneError, WeightsError), match=re.escape(bert.name)):
        text(bert)
