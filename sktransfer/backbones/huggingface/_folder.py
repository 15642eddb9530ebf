"""Files of a Hugging Face folder, read as data: nothing in them is executed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from huggingface_hub import metadata_load

from sktransfer.backbones._weights import StateDict, read_state_dict, some
from sktransfer.exceptions import BackboneError, WeightsError

WEIGHTS = ("model.safetensors", "pytorch_model.bin")

# Weights of other libraries: TensorFlow, Flax, ONNX, llama.cpp.
_OTHER_FORMATS = frozenset({".h5", ".msgpack", ".onnx", ".gguf"})

_ORIGINAL = "pass the folder of the original model, with its config.json and model.safetensors"

# Files and folders by which a folder that is not a model is known, and what it is.
_OTHER_FOLDERS = {
    "checkpoint-*": "is the output folder of a Trainer: pass one of the checkpoints in it, or call "
    "trainer.save_model() first",
    "*.gguf": f"holds a quantised model of llama.cpp (GGUF): {_ORIGINAL}",
    "*.onnx": f"holds an ONNX model: {_ORIGINAL}",
    "open_clip_config.json": "is a model of open_clip: pass its copy in the format of transformers "
    "or timm",
    "model_index.json": f"holds a pipeline of diffusers: {_ORIGINAL}",
    "saved_model.pb": f"holds a TensorFlow model: {_ORIGINAL}",
}


def read_json(path: Path, *, default: Any = None) -> Any:
    """Return the content of a JSON file, or `default` where there is none.

    Raises
    ------
    BackboneError
        If the file is damaged, or missing and there is no default; or if its content is not of
        the type of the default, or a mapping where there is none.
    """
    if default is not None and not path.is_file():
        return default
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"{str(path)!r} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict if default is None else type(default)):
        kind = "array" if isinstance(default, list) else "object"
        raise BackboneError(f"{str(path)!r} must hold a JSON {kind}, not {content!r:.80}.")
    return content


def is_of_timm(config: Mapping[str, Any]) -> bool:
    """Return whether the content of a ``config.json`` describes a model of timm."""
    return "architecture" in config and "model_type" not in config


def refuse_settings(stated: Mapping[str, Any], supported: Mapping[str, Any], path: Path) -> None:
    """Refuse settings that change features, unless they have the one value that is implemented.

    Parameters
    ----------
    stated, supported : mapping
        Values by name; None stands for a default.
    path : Path
        The file, for the message.
    """
    for name, value in stated.items():
        if name in supported and value not in (None, supported[name]):
            raise BackboneError(
                f"{str(path)!r} sets {name} to {value!r}, which is not supported; only "
                f"{supported[name]!r} is."
            )


def check_settings(
    stated: Mapping[str, Any], kinds: Mapping[str, Callable[[Any], bool]], path: Path
) -> None:
    """Refuse settings whose values are of a wrong kind; None stands for a default.

    Parameters
    ----------
    stated : mapping
        Values by name.
    kinds : mapping of str to callable
        Whether a value is one of the setting of that name.
    path : Path
        The file, for the message.
    """
    for name, fits in kinds.items():
        if (value := stated.get(name)) is not None and not fits(value):
            raise BackboneError(
                f"{str(path)!r} sets {name} to {value!r}, which is no value of this setting."
            )


def is_size(value: object) -> bool:
    """Return whether a value is a positive integer."""
    return type(value) is int and value > 0


def is_number(value: object) -> bool:
    """Return whether a value is an integer or a float."""
    return type(value) in (int, float)


def is_mapping(value: object) -> bool:
    """Return whether a value holds settings by name."""
    return isinstance(value, Mapping)


def has_weights(folder: Path) -> bool:
    """Return whether the folder holds a checkpoint, in one file or in shards."""
    ends = ("", ".index.json")
    return any((folder / f"{name}{end}").is_file() for name in WEIGHTS for end in ends)


def weights_of(folder: Path) -> StateDict:
    """Read the checkpoint of a folder, safetensors first.

    Raises
    ------
    WeightsError
        If there is none, or it is damaged.
    """
    for name in WEIGHTS:
        if (folder / name).is_file():
            return read_state_dict(folder / name)
        if (folder / f"{name}.index.json").is_file():
            return _shards(folder, read_json(folder / f"{name}.index.json"))
    others = sorted(path.name for path in folder.iterdir() if path.suffix in _OTHER_FORMATS)
    raise WeightsError(
        f"{str(folder)!r} holds no weights: neither {' nor '.join(WEIGHTS)} is there"
        f"{f', and {some(others)} cannot be read. Save the model with PyTorch' if others else ''}."
    )


def refuse_adapter(folder: Path) -> None:
    """Raise `BackboneError` if a folder holds an adapter, beside a model or without one."""
    if (folder / "adapter_config.json").is_file():
        raise BackboneError(
            f"{str(folder)!r} is an adapter (LoRA), not a whole model. Merge the two with peft and "
            "pass the merged folder: "
            "PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(...)."
        )


def check_folder(folder: Path) -> None:
    """Raise an error that says what a folder is, if it is of a known kind but not a model.

    Raises
    ------
    BackboneError
        For a LoRA adapter, the output of a Trainer, and models of other libraries.
    """
    refuse_adapter(folder)
    if (folder / "config.json").is_file() or (folder / "modules.json").is_file():
        return
    for pattern, kind in _OTHER_FOLDERS.items():
        found = max(folder.glob(pattern), key=lambda path: (len(path.name), path), default=None)
        if found is not None:
            raise BackboneError(f"{str(folder)!r} {kind} (found: {str(found)!r}).")
    raise BackboneError(
        f"{str(folder)!r} is not the folder of a model: there is no config.json. Pass a folder "
        "that save_pretrained or sentence-transformers has written."
    )


def _shards(folder: Path, index: Any) -> StateDict:
    state: StateDict = {}
    # Without their folders: an index must not lead out of its own.
    for shard in sorted({Path(name).name for name in index["weight_map"].values()}):
        state |= read_state_dict(folder / shard)
    return state


def licence_of(folder: Path) -> str:
    """Return the licence that the README's front matter states, else "unknown"."""
    with suppress(Exception):  # no README, no such entry, or damaged ones
        stated = (metadata_load(folder / "README.md") or {})["license"]
        return str(stated[0] if isinstance(stated, list) else stated)
    return "unknown"
