"""Files of a Hugging Face folder, read as data: nothing in them is executed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sktransfer.backbones._weights import StateDict, read_state_dict, some
from sktransfer.exceptions import BackboneError, WeightsError

WEIGHTS = ("model.safetensors", "pytorch_model.bin")

# Weights of other libraries: TensorFlow, Flax, ONNX, llama.cpp.
_OTHER_FORMATS = frozenset({".h5", ".msgpack", ".onnx", ".gguf"})

_OTHER_FOLDERS = {
    "*.gguf": "a quantised model of llama.cpp (GGUF)",
    "*.onnx": "an ONNX model",
    "model_index.json": "a pipeline of diffusers",
    "saved_model.pb": "a TensorFlow model",
}

_LICENCE = re.compile(r"^license:[ \t]*(?:\n\s*-\s*)?[\"']?(\w[\w.+-]*)", re.MULTILINE)


def read_json(path: Path, *, default: Any = None) -> Any:
    """Return the content of a JSON file, or `default` where there is none.

    Raises
    ------
    BackboneError
        If the file is damaged, or missing and there is no default.
    """
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"{str(path)!r} cannot be read as JSON: {error}") from error


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


def check_folder(folder: Path) -> None:
    """Raise an error that says what a folder is, if it is of a known kind but not a model.

    Raises
    ------
    BackboneError
        For a LoRA adapter, the output of a Trainer, and models of other libraries.
    """
    name = str(folder)
    if (folder / "adapter_config.json").is_file():
        base = read_json(folder / "adapter_config.json").get("base_model_name_or_path")
        raise BackboneError(
            f"{name!r} is an adapter (LoRA) of {base!r}, not a whole model. Merge the two with "
            "peft and pass the merged folder: "
            f"PeftModel.from_pretrained(model, {name!r}).merge_and_unload().save_pretrained(...)."
        )
    if (folder / "config.json").is_file() or (folder / "modules.json").is_file():
        return
    checkpoints = sorted(folder.glob("checkpoint-*"), key=lambda path: (len(path.name), path.name))
    if checkpoints:
        raise BackboneError(
            f"{name!r} is the output folder of a Trainer: it holds checkpoints, but no model of "
            f"its own. Pass one of them, such as {str(checkpoints[-1])!r}, or call "
            "trainer.save_model() first."
        )
    for pattern, kind in _OTHER_FOLDERS.items():
        if any(folder.glob(pattern)):
            raise BackboneError(
                f"{name!r} holds {kind}, which cannot be used as a backbone: pass the folder of "
                "the original model, with its config.json and model.safetensors."
            )
    raise BackboneError(
        f"{name!r} is not the folder of a model: there is no config.json. Pass a folder that "
        "save_pretrained or sentence-transformers has written."
    )


def _shards(folder: Path, index: Any) -> StateDict:
    state: StateDict = {}
    # Without their folders: an index must not lead out of its own.
    for shard in sorted({Path(name).name for name in index["weight_map"].values()}):
        state |= read_state_dict(folder / shard)
    return state


def licence_of(folder: Path) -> str:
    """Return the licence that the README's front matter states, else "unknown"."""
    readme = folder / "README.md"
    if not readme.is_file():
        return "unknown"
    parts = readme.read_text(encoding="utf-8", errors="replace").split("---", maxsplit=2)
    found = _LICENCE.search(parts[1]) if len(parts) == 3 and not parts[0].strip() else None
    return found[1] if found else "unknown"
