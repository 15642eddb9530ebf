"""The steps of a sentence-transformers folder from token vectors to one vector per text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from sktransfer.backbones._weights import load_strict
from sktransfer.backbones.huggingface._folder import read_json, weights_of
from sktransfer.exceptions import BackboneError

_POOLINGS = {"mean": "mean", "max": "max", "cls": "cls"}
_OLD_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
}
_ACTIVATIONS = ("GELU", "Identity", "ReLU", "SiLU", "Sigmoid", "Tanh")


@dataclass
class SentenceRecipe:
    """Steps after the encoder; the defaults are those of an encoder alone.

    Attributes
    ----------
    folder : Path
        Folder of the encoder.
    pooling : {"mean", "max", "cls"}
        How the tokens become one vector.
    dense : list of Path
        Folders of the linear layers that follow.
    normalize : bool
        Whether the vector is scaled to unit length at the end.
    max_length : int or None
        Maximum number of tokens per text.
    lower : bool
        Whether texts are lower-cased first.
    prefix : str
        Prompt before every text.
    truncate : int or None
        Number of leading features that are kept, after all other steps.
    """

    folder: Path
    pooling: str = "mean"
    dense: tuple[Path, ...] = ()
    normalize: bool = False
    max_length: int | None = None
    lower: bool = False
    prefix: str = ""
    truncate: int | None = None


def sentence_recipe(folder: Path) -> SentenceRecipe:
    """Read ``modules.json`` and the files that it names.

    Raises
    ------
    BackboneError
        If a step, its place or one of its settings is not supported.
    """
    recipe = SentenceRecipe(folder)
    for step in read_json(folder / "modules.json", default=[]):
        kind = str(step["type"]).rpartition(".")[2]
        if recipe.normalize or kind not in _STEPS:
            raise BackboneError(
                f"{str(folder)!r} has a step of type {step['type']!r}"
                f"{' after its Normalize' if recipe.normalize else ''}, which is not supported."
            )
        _STEPS[kind](recipe, folder / step.get("path", ""))
    config = read_json(folder / "config_sentence_transformers.json", default={})
    recipe.prefix = (config.get("prompts") or {}).get(config.get("default_prompt_name"), "")
    recipe.truncate = size = config.get("truncate_dim")
    if size is not None and (type(size) is not int or size < 1):
        raise BackboneError(f"{str(folder)!r} sets truncate_dim to {size!r}, not to a width.")
    return recipe


def dense_configs(recipe: SentenceRecipe) -> list[Any]:
    """Read the configs of the linear layers."""
    return [read_json(folder / "config.json") for folder in recipe.dense]


def dense_layers(configs: Sequence[Any]) -> nn.Sequential | None:
    """Build the linear layers with random weights; None where there are none."""
    return nn.Sequential(*map(_dense, configs)) if configs else None


def load_dense(layers: nn.Sequential, recipe: SentenceRecipe) -> None:
    """Load the weights of the linear layers from their folders."""
    for layer, folder in zip(layers, recipe.dense, strict=True):
        state = {n.removeprefix("linear."): tensor for n, tensor in weights_of(folder).items()}
        load_strict(layer.get_submodule("0"), state, source=str(folder))


def _transformer(recipe: SentenceRecipe, folder: Path) -> None:
    recipe.folder = folder
    for path in sorted(folder.glob("sentence_*_config.json")):
        config = read_json(path)
        modalities = config.get("modality_config") or {}
        text_only = {**config, "modality_config": modalities.get("text")}
        _check_settings(text_only, _TRANSFORMER_SETTINGS, path)
        recipe.max_length = config.get("max_seq_length")
        recipe.lower = bool(config.get("do_lower_case"))


def _pooling(recipe: SentenceRecipe, folder: Path) -> None:
    config = read_json(folder / "config.json")
    modes = config.get("pooling_mode") or [
        name for name, on in config.items() if on is True and name.startswith("pooling_mode_")
    ]
    modes = [
        _OLD_POOLINGS.get(mode, mode) for mode in ([modes] if isinstance(modes, str) else modes)
    ]
    if len(modes) != 1 or modes[0] not in _POOLINGS or config.get("include_prompt") is False:
        raise BackboneError(
            f"{str(folder)!r} pools with {', '.join(modes) or 'nothing'}"
            f"{' and leaves out its prompt' if config.get('include_prompt') is False else ''}; "
            "only one of mean, max and cls over all tokens is supported."
        )
    recipe.pooling = modes[0]


def _add_dense(recipe: SentenceRecipe, folder: Path) -> None:
    recipe.dense += (folder,)


def _normalize(recipe: SentenceRecipe, folder: Path) -> None:
    path = folder / "config.json"
    _check_settings(read_json(path, default={}), _VECTOR_TO_VECTOR, path)
    recipe.normalize = True


def _check_settings(config: Mapping[str, Any], known: Mapping[str, Any], path: Path) -> None:
    """Refuse a setting that changes features and is not implemented here."""
    for name, value in config.items():
        if name in known and value not in (None, known[name]):
            raise BackboneError(
                f"{str(path)!r} sets {name} to {value!r}, which is not supported; only "
                f"{known[name]!r} is."
            )


# Settings, and the one value of each that is implemented.
_VECTOR_TO_VECTOR = {
    "module_input_name": "sentence_embedding",
    "module_output_name": "sentence_embedding",
}
_TRANSFORMER_SETTINGS = {
    "transformer_task": "feature-extraction",
    "modality_config": {"method": "forward", "method_output_name": "last_hidden_state"},
    "module_output_name": "token_embeddings",
    "processing_kwargs": {},
    "query_length": None,
    "document_length": None,
    "query_expansion": None,
}

_STEPS: dict[str, Any] = {
    "Transformer": _transformer,
    "Pooling": _pooling,
    "Dense": _add_dense,
    "Normalize": _normalize,
}


def _dense(config: Mapping[str, Any]) -> nn.Sequential:
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    module, _, kind = activation.rpartition(".")
    places = {config.get(name) or place for name, place in _VECTOR_TO_VECTOR.items()}
    known = module.startswith("torch.nn.") and kind in _ACTIVATIONS
    if not known or config.get("use_residual") or places != {"sentence_embedding"}:
        raise BackboneError(
            f"The Dense step {dict(config)!r} is not supported: only a linear layer over the "
            f"pooled vector, followed by one of {', '.join(_ACTIVATIONS)}, is."
        )
    linear = nn.Linear(config["in_features"], config["out_features"], config.get("bias", True))
    return nn.Sequential(linear, getattr(nn, kind)())
