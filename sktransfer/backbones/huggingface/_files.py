"""Files of a Hugging Face folder: read as data, nothing in them is executed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sktransfer.backbones._weights import StateDict, read_state_dict
from sktransfer.exceptions import BackboneError, WeightsError

WEIGHTS = ("model.safetensors", "pytorch_model.bin")

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
    """Tell whether the folder holds a checkpoint in one file or in shards."""
    ends = ("", ".index.json")
    return any((folder / f"{name}{end}").is_file() for name in WEIGHTS for end in ends)


def weights_of(folder: Path) -> StateDict:
    """Read the checkpoint of a folder; safetensors are preferred.

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
    raise WeightsError(
        f"{str(folder)!r} holds no weights: neither {' nor '.join(WEIGHTS)} is there."
    )


def _shards(folder: Path, index: Any) -> StateDict:
    state: StateDict = {}
    # Names only: an index must not lead out of its folder.
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
