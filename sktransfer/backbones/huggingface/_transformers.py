"""What is used of transformers: configs, models with a given checkpoint, fast tokenizers.

This is the only file that imports it, and only when a model is loaded.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sktransfer.backbones._weights import StateDict, refuse
from sktransfer.backbones.huggingface._families import Family
from sktransfer.exceptions import BackboneError

# Entries of a config.json that say how to run, not what the model is: some of them would fetch
# code from a hub, the others would only cost time.
_RUNTIME = {
    "_attn_implementation",
    "attn_implementation",
    "auto_map",
    "experts_implementation",
    "fusion_config",
    "kernel_config",
    "output_attentions",
    "output_hidden_states",
    "return_dict",
}

_VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
)


def library() -> str:
    """Return the name and version of transformers."""
    import transformers

    return f"transformers {transformers.__version__}"


def config_of(raw: Mapping[str, Any]) -> Any:
    """Build the config without asking any hub; of a model for two modalities, that for images."""
    from transformers import CONFIG_MAPPING

    config = CONFIG_MAPPING[raw["model_type"]].from_dict(_without_runtime(raw))
    return getattr(config, "vision_config", config)


def _without_runtime(raw: Any) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    return {name: _without_runtime(v) for name, v in raw.items() if name not in _RUNTIME}


def model_of(config: Any, family: Family, state: StateDict | None, *, name: str) -> Any:
    """Build a model with the weights of a checkpoint, or random ones where there is none.

    Raises
    ------
    WeightsError
        If weights are missing, misshapen, or of layers that the model does not have.
    """
    import torch
    from transformers import MODEL_MAPPING, AutoModel

    kind = MODEL_MAPPING[type(config)]
    options: dict[str, Any] = {"dtype": torch.float32}
    if family.pooled != "pooler" and "add_pooling_layer" in inspect.signature(kind).parameters:
        options["add_pooling_layer"] = False
    if state is None:
        return AutoModel.from_config(config, **options)
    with _no_bar():
        model, found = _quiet(kind).from_pretrained(
            None,
            config=config,
            state_dict=state,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    model.__class__ = kind
    _check(model, state, found, name=name)
    return model


@contextmanager
def _no_bar() -> Iterator[None]:
    """Load without transformers' progress bar in this thread; other threads keep theirs."""
    from transformers.utils.logging import set_tqdm_hook

    this = threading.get_ident()

    def hook(bar: Any, args: Any, options: dict[str, Any]) -> Any:
        if threading.get_ident() == this:
            options = {**options, "disable": True}
        return bar(*args, **options)

    before = set_tqdm_hook(hook)
    try:
        yield
    finally:
        set_tqdm_hook(before)


def _quiet(kind: Any) -> Any:
    """Return the class with another answer to what may be left over in a checkpoint: anything.

    Every checkpoint has a head that features do not need, and transformers would log a table
    about it. The log level is the user's, so the question is answered before it is asked.
    """
    return type(
        kind.__name__,
        (kind,),
        {"__module__": kind.__module__, "_keys_to_ignore_on_load_unexpected": {"."}},
    )


def _check(model: Any, state: StateDict, found: Mapping[str, Any], *, name: str) -> None:
    missing = [key for key in found["missing_keys"] if not key.endswith("num_batches_tracked")]
    faults = {
        "missing": sorted(missing),
        "of another shape": sorted(key for key, *_ in found["mismatched_keys"]),
        "of layers that it does not have": _surplus(model, state),
    }
    refuse(faults, source=repr(name))


def _surplus(model: Any, state: StateDict) -> list[str]:
    """Name the weights of layers beyond the last: those of a deeper model would load in silence."""
    own = model.state_dict()
    lists = {m[1] for key in own if (m := re.match(r"(.*?)\.\d+\.", key))}
    prefix = rf"(?:{re.escape(model.base_model_prefix)}\.)?"
    layer = re.compile(rf"{prefix}(({'|'.join(map(re.escape, lists)) or '$'})\.\d+\.)")
    known = {m[1] for key in own if (m := layer.match(key))}
    return sorted(key for key in state if (m := layer.match(key)) and m[1] not in known)


def tokenizer_of(folder: Path) -> Any:
    """Load the tokenizer of a folder.

    Raises
    ------
    BackboneError
        If it is missing, damaged or not a fast one.
    """
    from transformers import AutoTokenizer

    try:
        # Without these files transformers makes a tokenizer that knows no words, and says nothing.
        if not any((folder / name).is_file() for name in _VOCABULARIES):
            raise FileNotFoundError(f"none of {', '.join(_VOCABULARIES)} is there")
        found = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        if not found.is_fast:
            raise TypeError(f"a {type(found).__name__} is a slow one")
    except Exception as error:  # damaged files, missing ones, a slow tokenizer
        raise BackboneError(
            f"The tokenizer in {str(folder)!r} cannot be used: {error}. A fast one, "
            "tokenizer.json, is needed."
        ) from error
    return found
