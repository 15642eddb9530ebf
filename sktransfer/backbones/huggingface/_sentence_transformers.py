"""The steps of a sentence-transformers folder from token vectors to one vector per text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from sktransfer.backbones._weights import load_strict
from sktransfer.backbones.huggingface._folder import (
    check_settings,
    is_mapping,
    is_size,
    read_json,
    refuse_settings,
    weights_of,
)
from sktransfer.exceptions import BackboneError

# In the order in which older versions join them.
_POOLINGS = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
_ACTIVATIONS = ("GELU", "Identity", "ReLU", "SiLU", "Sigmoid", "Tanh")


# Settings, and the one value of each that is implemented.
_VECTOR_TO_VECTOR = {
    "module_input_name": "sentence_embedding",
    "module_output_name": "sentence_embedding",
}
# How a model for images and texts is called; its halves are known as families.
_HALVES = {
    "modality_config": {"method": "get_text_features", "method_output_name": "pooler_output"},
    "module_output_name": "sentence_embedding",
}
# Arguments of transformers in such a file, under their old and new names; those that only say how
# a model is run, or what is set here anyway, change nothing.
_ARGUMENTS = tuple(
    f"{of}_{end}"
    for of in ("model", "tokenizer", "processor", "config")
    for end in ("args", "kwargs")
)
_HARMLESS = {
    "add_pooling_layer",
    "attn_implementation",
    "device_map",
    "dtype",
    "low_cpu_mem_usage",
    "padding_side",
    "torch_dtype",
    "trust_remote_code",
    "use_fast",
    "use_safetensors",
}
_TRANSFORMER_SETTINGS = {
    **{name: {} for name in _ARGUMENTS},
    "transformer_task": "feature-extraction",
    "modality_config": {"method": "forward", "method_output_name": "last_hidden_state"},
    "module_output_name": "token_embeddings",
    "processing_kwargs": {},
    "query_length": None,
    "document_length": None,
    "query_expansion": None,
}


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


# Settings of all of these files, and whether a value is one of them.
_KINDS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys((*_ARGUMENTS, "modality_config"), is_mapping),
    "prompts": lambda value: is_mapping(value) and _are_texts(value.values()),
    "default_prompt_name": lambda value: isinstance(value, str),
    "truncate_dim": is_size,
    "max_seq_length": is_size,
    "do_lower_case": lambda value: isinstance(value, bool),
    "pooling_mode": lambda value: isinstance(value, str | list) and _are_texts(value),
}


class Step(NamedTuple):
    """A module that follows the pooling: "Dense", "LayerNorm" or "Normalize", and its folder."""

    kind: str
    folder: Path

    def describe(self) -> dict[str, Any]:
        """Return the settings of the step, as plain JSON."""
        return {**read_json(self.folder / "config.json", default={}), "kind": self.kind}


@dataclass
class SentenceRecipe:
    """Steps after the encoder; the defaults are those of an encoder alone.

    Attributes
    ----------
    folder : Path
        Folder of the encoder.
    static : bool
        Whether the encoder is a table of token vectors.
    pooling : str or None
        How the tokens become one vector, as for `pool`; None for the default of the encoder.
    steps : tuple of Step
        The modules that follow, but for a scaling at the end.
    normalize : bool
        Whether the vector is scaled to unit length at the end.
    max_length : int or None
        Maximum number of tokens per text.
    lower : bool
        Whether texts are lower-cased first.
    prefix : str
        Prompt before every text.
    prompts : dict
        Prompts by name, where none of them is the default.
    truncate : int or None
        Number of leading features that are kept, after all other steps.
    """

    folder: Path
    static: bool = False
    pooling: str | None = None
    steps: tuple[Step, ...] = ()
    normalize: bool = False
    max_length: int | None = None
    lower: bool = False
    prefix: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict)
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
        if not is_mapping(step) or not all(isinstance(step.get(k), str) for k in ("path", "type")):
            raise BackboneError(f"{str(folder / 'modules.json')!r} names no step: {step!r}.")
        _add_step(recipe, folder / step["path"], step["type"])
    if recipe.steps and recipe.steps[-1].kind == "Normalize":
        recipe.normalize, recipe.steps = True, recipe.steps[:-1]
    path = folder / "config_sentence_transformers.json"
    config = read_json(path, default={})
    check_settings(config, _KINDS, path)
    name, prompts = config.get("default_prompt_name"), config.get("prompts") or {}
    if name is not None and name not in prompts:
        raise BackboneError(
            f"{str(folder)!r} sets default_prompt_name to {name!r}, which is none of its prompts "
            f"({', '.join(prompts) or 'it has none'})."
        )
    recipe.prefix = prompts.get(name, "")
    if name is None:
        recipe.prompts = {named: prompt for named, prompt in prompts.items() if prompt}
    recipe.truncate = config.get("truncate_dim")
    return recipe


class _UnitLength(nn.Module):
    """Scaling to unit length before other steps."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Scale (n, d) vectors."""
        return nn.functional.normalize(features, dim=1)


def step_layers(configs: Sequence[Mapping[str, Any]]) -> nn.Sequential | None:
    """Build the steps that follow the pooling with random weights; None where there are none."""
    return nn.Sequential(*map(_layer, configs)) if configs else None


def load_steps(layers: nn.Sequential | None, recipe: SentenceRecipe) -> None:
    """Load the weights of the steps from their folders."""
    for layer, (kind, folder) in zip(layers or (), recipe.steps, strict=False):
        if kind != "Normalize":
            load_strict(layer.get_submodule("0"), weights_of(folder), source=str(folder))


def _add_step(recipe: SentenceRecipe, folder: Path, kind: str) -> None:
    match kind.rpartition(".")[2]:
        case "Transformer":
            _read_encoder(recipe, folder)
        case "CLIPModel":
            recipe.folder = folder
        case "StaticEmbedding":
            recipe.folder, recipe.static, recipe.pooling = folder, True, "mean"
        case "Pooling":
            recipe.pooling = _pooling(folder)
        case "Dense" | "LayerNorm" | "Normalize" as step:
            path = folder / "config.json"
            if step == "Normalize":
                refuse_settings(read_json(path, default={}), _VECTOR_TO_VECTOR, path)
            recipe.steps += (Step(step, folder),)
        case "Dropout":
            pass  # active in its own training only
        case _:
            raise BackboneError(
                f"{str(folder)!r} is a step of type {kind!r}, which is not supported. Supported: "
                "Transformer, CLIPModel, StaticEmbedding, Pooling, Dense, LayerNorm, Dropout, "
                "Normalize."
            )


def _read_encoder(recipe: SentenceRecipe, folder: Path) -> None:
    recipe.folder = folder
    for path in sorted(folder.glob("sentence_*_config.json")):
        config = read_json(path)
        check_settings(config, _KINDS, path)
        config["modality_config"] = (config.get("modality_config") or {}).get("text")
        stated = {key: value for key, value in config.items() if value != _HALVES.get(key)}
        for name in stated.keys() & {*_ARGUMENTS}:
            stated[name] = {k: v for k, v in stated[name].items() if k not in _HARMLESS}
        refuse_settings(stated, _TRANSFORMER_SETTINGS, path)
        recipe.max_length = config.get("max_seq_length")
        recipe.lower = bool(config.get("do_lower_case"))


def _pooling(folder: Path) -> str:
    path = folder / "config.json"
    config = read_json(path)
    check_settings(config, _KINDS, path)
    # The names of older versions, such as pooling_mode_mean_tokens and pooling_mode_lasttoken.
    flags = [name for name in config if name.startswith("pooling_mode_") and config[name] is True]
    old = [re.sub(r"^pooling_mode_|(?<!len)_tokens?$", "", name) for name in flags]
    stated = config.get("pooling_mode") or sorted(old, key=(*_POOLINGS, *old).index)
    modes = [stated] if isinstance(stated, str) else stated
    no_prompt = config.get("include_prompt") is False
    if not modes or not {*modes} <= {*_POOLINGS} or no_prompt:
        raise BackboneError(
            f"{str(folder)!r} pools with {', '.join(modes) or 'nothing'}"
            f"{' and leaves out its prompt' if no_prompt else ''}; "
            f"only {', '.join(_POOLINGS)} over all tokens are supported."
        )
    return "+".join(modes)


def _layer(config: Mapping[str, Any]) -> nn.Module:
    try:
        match config.get("kind"):
            case "LayerNorm":
                return nn.Sequential(nn.LayerNorm(config["dimension"]))
            case "Normalize":
                return _UnitLength()
        return _dense(config)
    except (KeyError, TypeError, RuntimeError) as error:
        raise BackboneError(
            f"The step {dict(config)!r} has missing or unsuitable settings: {error}."
        ) from error


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
