"""Folders that are not a model raise an error that says what they are."""

import json

import pytest

from sktransfer.backbones import get_backbone
from sktransfer.exceptions import BackboneError, WeightsError
from tests.backbones._huggingface_folders import build, save


def refused(folder, message, kind=BackboneError):
    with pytest.raises(kind, match=message):
        get_backbone(folder, modality="text")


def test_an_adapter_is_refused_with_instructions_to_merge_it(tmp_path):
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(build("bert"), peft.LoraConfig(target_modules=["query"]))
    model.save_pretrained(tmp_path / "adapter")
    refused(tmp_path / "adapter", r"is an adapter \(LoRA\).*merge_and_unload\(\)")
    save("bert", tmp_path / "both")
    model.save_pretrained(tmp_path / "both")
    refused(tmp_path / "both", "is an adapter")
    step = {"idx": 0, "name": "0", "path": "0_Transformer"}
    modules = [step | {"type": "sentence_transformers.models.Transformer"}]
    model.save_pretrained(tmp_path / "sentence" / "0_Transformer")
    (tmp_path / "sentence" / "modules.json").write_text(json.dumps(modules))
    refused(tmp_path / "sentence", r"0_Transformer' is an adapter")
    merged = model.merge_and_unload()
    save("bert", tmp_path / "merged")
    merged.save_pretrained(tmp_path / "merged")
    assert get_backbone(tmp_path / "merged", modality="text").feature_size == 32


def test_an_output_folder_of_a_trainer_is_refused_with_its_last_checkpoint(tmp_path):
    for step in (500, 1000):
        save("bert", tmp_path / f"checkpoint-{step}")
    refused(tmp_path, r"output folder of a Trainer.*save_model.*checkpoint-1000'")
    assert get_backbone(tmp_path / "checkpoint-1000", modality="text").feature_size == 32


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("model-q4.gguf", "GGUF"),
        ("model.onnx", "ONNX"),
        ("model_index.json", "diffusers"),
        ("open_clip_config.json", "open_clip"),
        ("saved_model.pb", "TensorFlow"),
        ("notes.txt", "there is no config.json"),
    ],
)
def test_models_of_other_libraries_are_named(file, message, tmp_path):
    (tmp_path / file).write_text("{}")
    refused(tmp_path, message)


@pytest.mark.parametrize("file", ["tf_model.h5", "flax_model.msgpack", "model.onnx", "model.gguf"])
def test_weights_of_other_libraries_beside_a_config_are_named(file, tmp_path):
    save("bert", tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / file)
    refused(tmp_path, rf"and {file} cannot be read", WeightsError)
