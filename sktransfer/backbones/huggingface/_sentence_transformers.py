"""The steps of a sentence-transformers folder from token vectors to one vector per text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from sktransfer.backbones._weights import load_strict
from sktransfer.backbones.huggingface._folder import read_json, refuse_settings, weights_of
from sktransfer.exceptions import BackboneError

_POOLINGS = ("mean", "max", "cls")
_ACTIVATIONS = ("GELU", "Identity", "ReLU", "SiLU", "Sigmoid", "Tanh")


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
    prompts : dict
        Prompts by name, where none of them is the default.
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
        _add_step(recipe, folder / step.get("path", ""), str(step["type"]))
    config = read_json(folder / "config_sentence_transformers.json", default={})
    prompts, default = config.get("prompts") or {}, config.get("default_prompt_name")
    recipe.prefix = prompts.get(default, "")
    if default is None:
        recipe.prompts = {name: prompt for name, prompt in prompts.items() if prompt}
    recipe.truncate = size = config.get("truncate_dim")
    if size is not None and (type(size) is not int or size < 1):
        raise BackboneError(f"{str(folder)!r} sets truncate_dim to {size!r}, not to a width.")
    return recipe


def dense_layers(configs: Sequence[Any]) -> nn.Sequential | None:
    """Build the linear layers with random weights; None where there are none."""
    return nn.Sequential(*map(_dense, configs)) if configs else None


def load_dense(layers: nn.Sequential | None, recipe: SentenceRecipe) -> None:
    """Load the weights of the linear layers from their folders."""
    for layer, folder in zip(layers or (), recipe.dense, strict=True):
        load_strict(layer.get_submodule("0"), weights_of(folder), source=str(folder))


def _add_step(recipe: SentenceRecipe, folder: Path, kind: str) -> None:
    match "" if recipe.normalize else kind.rpartition(".")[2]:
        case "Transformer":
            _read_encoder(recipe, folder)
        case "Pooling":
            recipe.pooling = _pooling(folder)
        case "Dense":
            recipe.dense += (folder,)
        case "Normalize":
            path = folder / "config.json"
            refuse_settings(read_json(path, default={}), _VECTOR_TO_VECTOR, path)
            recipe.normalize = True
        case _:
            place = " after its Normalize" if recipe.normalize else ""
            raise BackboneError(
                f"{str(folder)!r} is a step of type {kind!r}{place}, which is not supported."
            )


def _read_encoder(recipe: SentenceRecipe, folder: Path) -> None:
    recipe.folder = folder
    for path in sorted(folder.glob("sentence_*_config.json")):
        config = read_json(path)
        config["modality_config"] = (config.get("modality_config") or {}).get("text")
        refuse_settings(config, _TRANSFORMER_SETTINGS, path)
        recipe.max_length = config.get("max_seq_length")
        recipe.lower = bool(config.get("do_lower_case"))


def _pooling(folder: Path) -> str:
    config = read_json(folder / "config.json")
    modes = config.get("pooling_mode") or [
        # The names of older versions, such as pooling_mode_mean_tokens.
        re.sub(r"^pooling_mode_|_tokens?$", "", name)
        for name, on in config.items()
        if on is True and name.startswith("pooling_mode_")
    ]
    modes = [modes] if isinstance(modes, str) else modes
    no_prompt = config.get("include_prompt") is False
    if len(modes) != 1 or modes[0] not in _POOLINGS or no_prompt:
        raise BackboneError(
            f"{str(folder)!r} pools with {', '.join(modes) or 'nothing'}"
            f"{' and leaves out its prompt' if no_prompt else ''}; "
            "only one of mean, max and cls over all tokens is supported."
        )
    return modes[0]


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
