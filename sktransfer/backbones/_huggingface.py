"""Hugging Face models: ``"organisation/name"`` or a local folder.

This is the only file that imports transformers, and only when a model is loaded.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from torch import nn

from sktransfer._randomness import seeded
from sktransfer.backbones import _huggingface_hub, _table
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._huggingface_families import FAMILIES, Family, family_of
from sktransfer.backbones._huggingface_files import licence_of, read_json, weights_of
from sktransfer.backbones._huggingface_image import default_recipe, image_recipe
from sktransfer.backbones._huggingface_network import HuggingFaceNetwork
from sktransfer.backbones._huggingface_text import (
    SentenceRecipe,
    dense_configs,
    dense_layers,
    load_dense,
    sentence_recipe,
)
from sktransfer.backbones._recipe import ImageRecipe, TextRecipe
from sktransfer.backbones._tokenizer import TextTokenizer
from sktransfer.backbones._weights import StateDict, read_state_dict, refuse
from sktransfer.exceptions import BackboneError

NAME = "huggingface"

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

# More than any model has: a bound on what a hostile config can ask for.
_MOST_LAYERS = 1_000

_VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
)


def owns(name: str) -> bool:
    """Tell whether `name` is a local folder or has the form "organisation/name"."""
    return _huggingface_hub.is_id(name) or (name != "" and Path(name).is_dir())


def rows() -> list[dict[str, Any]]:
    """Return the rows of `list_backbones`: the models in the local cache that can be used."""
    found = []
    for name, folder in _huggingface_hub.cached():
        # One damaged model must not hide the others.
        with suppress(BackboneError):
            found.append(_row(name, folder, read_json(folder / "config.json")))
    return found


def load(
    name: str, *, weights: str | Path | None, modality: str, random_state: int = 0
) -> Backbone:
    """Build the backbone of a local folder or of a hub id."""
    folder = Path(name) if Path(name).is_dir() else _huggingface_hub.snapshot(name)
    return load_folder(
        folder,
        name=name,
        source=NAME,
        licence=licence_of(folder),
        weights=weights,
        random_state=random_state,
        modality=modality,
    )


def load_folder(
    folder: Path,
    *,
    name: str,
    source: str,
    licence: str,
    weights: str | Path | None,
    random_state: int,
    modality: str | None = None,
) -> Backbone:
    """Build the backbone of a folder.

    Parameters
    ----------
    folder : Path
        As ``save_pretrained`` or sentence-transformers write it.
    name, source, licence : str
        For the backbone.
    weights : str, Path or None
        "pretrained" for those in the folder, a file, or None for random ones.
    random_state : int
        Seed of random weights.
    modality : {"image", "text"}, optional
        What is wanted of a model that takes both.

    Raises
    ------
    BackboneError
        If the model is of a kind that is not supported.
    WeightsError
        If its weights are missing, damaged or do not fit.
    """
    sentence = sentence_recipe(folder)
    raw = read_json(sentence.folder / "config.json")
    family = family_of(raw, name=name)
    if "vision_config" in raw and modality == "text":
        raise BackboneError(
            f"Only the image half of {name!r} can be used: take it in an ImageEmbedder."
        )
    state = _state(sentence.folder, weights)
    with seeded(random_state):
        model = _model(_config(raw), family, state, name=name)
        dense = dense_layers(denses := dense_configs(sentence))
    if dense is not None and weights is not None:
        load_dense(dense, sentence)
    recipe, tokenizer = _recipe(sentence, model.config, family)
    network = HuggingFaceNetwork(
        model, family, pooling=sentence.pooling, normalize=sentence.normalize, dense=dense
    )
    return Backbone(
        name,
        source=source,
        network=network,
        recipe=recipe,
        licence=licence,
        library=_library(),
        tokenizer=tokenizer,
        feature_size=getattr(model.config, "hidden_size", None) if dense is None else None,
        blueprint={
            "builder": NAME,
            "config": raw,
            "dense": denses,
            "pooling": sentence.pooling,
            "normalize": sentence.normalize,
        },
    )


def rebuild(blueprint: Mapping[str, Any], recipe: ImageRecipe | TextRecipe) -> HuggingFaceNetwork:
    """Build the network of a blueprint, its weights still random."""
    family = family_of(blueprint["config"], name="of this file")
    config = _config(blueprint["config"])
    layers = sum(config.depths) if hasattr(config, "depths") else config.num_hidden_layers
    if layers > _MOST_LAYERS:
        raise BackboneError(f"A config asks for {layers:,} layers.")
    with seeded(0):
        model = _model(config, family, None, name="of this file")
        dense = dense_layers(blueprint["dense"])
    pooling, normalize = str(blueprint["pooling"]), bool(blueprint["normalize"])
    return HuggingFaceNetwork(model, family, pooling=pooling, normalize=normalize, dense=dense)


def stages_of(module: nn.Module) -> tuple[HuggingFaceNetwork, ImageRecipe] | None:
    """Take a transformers model for images apart, with ImageNet's recipe at its size.

    None for every other module. The module itself becomes part of the network and gets hooks.
    """
    config = getattr(module, "config", None)
    family = FAMILIES.get(str(getattr(config, "model_type", None)))
    if family is None or family.modality != "image" or not hasattr(module, "base_model"):
        return None
    inner: Any = getattr(module, "vision_model", module.base_model)
    recipe = default_recipe(inner.config, fixed_size=family.fixed_size)
    return HuggingFaceNetwork(inner, family), recipe


def _library() -> str:
    import transformers

    return f"transformers {transformers.__version__}"


def _row(name: str, folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    family = family_of(config, name=name)
    if family.modality == "image":
        size = config.get("image_size")
    else:
        size = sentence_recipe(folder).max_length or config.get("max_position_embeddings")
    return _table.row(
        name=name,
        source=NAME,
        modality=family.modality,
        parameters=None,
        feature_size=config.get("hidden_size"),
        input_size=size if isinstance(size, int) else None,
        licence=licence_of(folder),
        on_this_machine=True,
    )


def _state(folder: Path, weights: str | Path | None) -> StateDict | None:
    if weights is None:
        return None
    return weights_of(folder) if weights == "pretrained" else read_state_dict(Path(weights))


def _config(raw: Mapping[str, Any]) -> Any:
    """Build the config without asking any hub; of a model for two modalities, that for images."""
    from transformers import CONFIG_MAPPING

    config = CONFIG_MAPPING[raw["model_type"]].from_dict(_without_runtime(raw))
    return getattr(config, "vision_config", config)


def _without_runtime(raw: Any) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    return {name: _without_runtime(v) for name, v in raw.items() if name not in _RUNTIME}


def _model(config: Any, family: Family, state: StateDict | None, *, name: str) -> Any:
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


def _recipe(
    sentence: SentenceRecipe, config: Any, family: Family
) -> tuple[ImageRecipe | TextRecipe, TextTokenizer | None]:
    if family.modality == "image":
        return image_recipe(sentence.folder, config, fixed_size=family.fixed_size), None
    tokenizer, most = _tokenizer(sentence, config)
    # RoBERTa's kin count positions from behind that of the padding token.
    taken = config.pad_token_id + 1 if family.shifted else 0
    longest = config.max_position_embeddings - taken
    recipe = TextRecipe(
        max_length=min(sentence.max_length or most, longest),
        longest=longest,
        pooling=sentence.pooling,
        normalize=sentence.normalize,
        tokenizer=tokenizer.digest,
    )
    return recipe, tokenizer


def _tokenizer(sentence: SentenceRecipe, config: Any) -> tuple[TextTokenizer, int]:
    """Return the tokenizer, and how many tokens it says that a text may have."""
    from transformers import AutoTokenizer

    folder = sentence.folder
    try:
        # Without these files transformers makes a tokenizer that knows no words, and says nothing.
        if not any((folder / name).is_file() for name in _VOCABULARIES):
            raise FileNotFoundError(f"none of {', '.join(_VOCABULARIES)} is there")
        found = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        backend = found.backend_tokenizer
    except Exception as error:  # damaged files, missing ones, a slow tokenizer
        raise BackboneError(
            f"The tokenizer in {str(folder)!r} cannot be used: {error}. A fast one, "
            "tokenizer.json, is needed."
        ) from error
    pad = found.pad_token_id if found.pad_token_id is not None else config.pad_token_id
    tokenizer = TextTokenizer(
        backend, pad_id=pad or 0, prefix=sentence.prefix, lower=sentence.lower
    )
    return tokenizer, found.model_max_length
