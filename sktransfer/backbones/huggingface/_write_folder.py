"""Folders that transformers and sentence-transformers open, of trained networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from sktransfer.backbones._export import Export, with_outputs
from sktransfer.backbones._weights import StateDict
from sktransfer.backbones.huggingface._image_processor import write_processor
from sktransfer.backbones.huggingface._staged_transformer import unwrapped
from sktransfer.backbones.huggingface._transformers import (
    config_of,
    image_classifier_of,
    save_model,
    save_tokenizer,
)
from sktransfer.exceptions import BackboneError

_PROBLEMS = {
    "classes": "single_label_classification",
    "labels": "multi_label_classification",
    "values": "regression",
}

# Name of the layer in a step of sentence-transformers.
_PARTS = {"Dense": "linear", "LayerNorm": "norm"}


def write_folder(export: Export, folder: Path) -> None:
    """Write a model with its tokenizer or image processor into an empty folder.

    The linear layer of the outputs is in the model if transformers' own classifier of images of
    this type gives the same outputs, else in ``head.safetensors``.

    Raises
    ------
    BackboneError
        If the network is a table of token vectors.
    """
    if "table" in export.blueprint:
        raise BackboneError(
            f"{export.backbone.name!r} is a table of token vectors, not a model of transformers, "
            "and cannot be exported."
        )
    state, model = export.renamed()
    model, recipe = unwrapped(model), export.recipe
    model.config = _config(export)
    whole = _classifier(model.config, state, export)
    is_whisper = recipe.modality == "audio" and export.blueprint["sound"]["reader"] == "whisper"
    save_model(whole or model, folder, part="encoder." if is_whisper else "")
    if export.outputs is not None and whole is None:
        save_file(export.outputs.state_dict(), folder / "head.safetensors")
    if recipe.modality == "image":
        write_processor(recipe, folder)
        return
    if recipe.modality == "audio":
        _write_json(folder / "preprocessor_config.json", export.blueprint["sound"]["extractor"])
        return
    save_tokenizer(export.backbone.processor, recipe.max_length, folder)
    if export.network.kind == "tokens":
        _write_steps(export, folder)


def _config(export: Export) -> Any:
    config = config_of(export.blueprint["config"], export.recipe.modality)
    if export.outputs is not None:
        labels = export.labels or range(export.outputs.out_features)
        config.id2label = dict(enumerate(map(str, labels)))
        config.label2id = {label: number for number, label in config.id2label.items()}
        config.problem_type = _PROBLEMS[export.task]
    return config


def _classifier(config: Any, state: StateDict, export: Export) -> Any:
    """Return transformers' own classifier with these weights; None if it cannot express it."""
    whole = image_classifier_of(config) if export.recipe.modality == "image" else None
    if whole is None:
        return None
    named = {f"{whole.base_model_prefix}.{key}": tensor for key, tensor in state.items()}
    return with_outputs(whole, named, export)


def _write_steps(export: Export, folder: Path) -> None:
    """Write the files of sentence-transformers: from the token vectors to one vector per text."""
    network, described = export.network, export.backbone.processor.to_dict()
    modes, width = network.pooling.split("+"), export.backbone.shape(-1)[-1]
    pooling = {
        "word_embedding_dimension": width,
        "pooling_mode": modes[0] if len(modes) == 1 else modes,
    }
    steps = [("Pooling", pooling)]
    steps += [(step["kind"], step) for step in export.blueprint["steps"]]
    steps += [("Normalize", {})] if network.normalize else []
    modules = [_module(0, "", "Transformer")]
    for number, (kind, config) in enumerate(steps, start=1):
        modules.append(_module(number, f"{number}_{kind}", kind))
        config = {key: value for key, value in config.items() if key != "kind"}
        _write_json(folder / f"{number}_{kind}" / "config.json", config)
        if kind in _PARTS:
            layer = network.steps[number - 2][0].state_dict()
            state = {f"{_PARTS[kind]}.{key}": tensor for key, tensor in layer.items()}
            save_file(state, folder / f"{number}_{kind}" / "model.safetensors")
    _write_json(folder / "modules.json", modules)
    _write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": export.recipe.max_length, "do_lower_case": described["lower"]},
    )
    prefix = described["prefix"]
    prompts = {
        "prompts": {"default": prefix} if prefix else export.backbone.processor.prompts,
        "default_prompt_name": "default" if prefix else None,
        "truncate_dim": network.truncate,
    }
    _write_json(folder / "config_sentence_transformers.json", prompts)


def _module(number: int, path: str, kind: str) -> dict[str, Any]:
    # Under this name all versions find the class.
    kind = f"sentence_transformers.models.{kind}"
    return {"idx": number, "name": str(number), "path": path, "type": kind}


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
