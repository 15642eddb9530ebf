"""Hugging Face models: ``"organisation/name"`` or a local folder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from torch import nn

from sktransfer._randomness import seeded
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._weights import StateDict, read_state_dict
from sktransfer.backbones.huggingface import _hub
from sktransfer.backbones.huggingface._families import FAMILIES, Family, family_of
from sktransfer.backbones.huggingface._folder import check_folder, licence_of, read_json, weights_of
from sktransfer.backbones.huggingface._image_processor import default_recipe, image_recipe
from sktransfer.backbones.huggingface._sentence_transformers import (
    SentenceRecipe,
    dense_layers,
    load_dense,
    sentence_recipe,
)
from sktransfer.backbones.huggingface._staged_transformer import (
    HuggingFaceNetwork,
    number_of_layers,
)
from sktransfer.backbones.huggingface._transformers import config_of, model_of, tokenizer_of
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.image import ImageRecipe
from sktransfer.modalities.text import TextRecipe, TextTokenizer

NAME = "huggingface"

# More than any model has; limits what the config of a hostile file can ask for.
_MOST_LAYERS = 1_000


def owns(name: str) -> bool:
    """Return whether `name` is a local folder or has the form "organisation/name"."""
    return _hub.is_id(name) or (name != "" and Path(name).is_dir())


def rows() -> list[dict[str, Any]]:
    """Return the rows of `list_backbones`: usable models of the local cache."""
    found = []
    for name, folder in _hub.cached():
        # One damaged model must not hide the others.
        with suppress(BackboneError):
            found.append(_row(name, folder, read_json(folder / "config.json")))
    return found


def load(
    name: str, *, weights: str | Path | None, modality: str, random_state: int = 0
) -> Backbone:
    """Build the backbone of a local folder or of a hub id.

    Parameters
    ----------
    name : str
        An id, or a folder as ``save_pretrained`` or sentence-transformers writes it.
    weights : str, Path or None
        "pretrained" for those in the folder, the path of a file, or None for random weights.
    modality : {"image", "text"}
        Modality of the cells. A model for both is used for images.
    random_state : int
        Seed of random weights.

    Raises
    ------
    BackboneError
        If the folder holds no model, one of an unknown type, or a setting that is not supported.
    WeightsError
        If its weights are missing, damaged or do not fit.
    OfflineError
        If it is not on this machine and cannot be downloaded.
    """
    folder = Path(name) if Path(name).is_dir() else _hub.snapshot(name)
    check_folder(folder)
    sentence = sentence_recipe(folder)
    raw = read_json(sentence.folder / "config.json")
    family = family_of(raw, name=name)
    if "vision_config" in raw and modality == "text":
        raise BackboneError(
            f"Only the image half of {name!r} can be used: take it in an ImageEmbedder."
        )
    blueprint = {
        "builder": NAME,
        "config": raw,
        "dense": [read_json(place / "config.json") for place in sentence.dense],
        "pooling": sentence.pooling,
        "normalize": sentence.normalize,
        "truncate": sentence.truncate,
    }
    state = None
    if weights is not None:
        pretrained = weights == "pretrained"
        state = weights_of(sentence.folder) if pretrained else read_state_dict(Path(weights))
    network = _build(blueprint, state, random_state=random_state, name=name)
    if weights is not None:
        load_dense(network.dense, sentence)
    recipe: ImageRecipe | TextRecipe
    tokenizer = None
    if family.modality == "image":
        recipe = image_recipe(sentence.folder, network.model.config, fixed_size=family.fixed_size)
    else:
        recipe, tokenizer = _texts(sentence, network.model, family, name)
    return Backbone(
        name,
        source=NAME,
        network=network,
        recipe=recipe,
        licence=licence_of(folder),
        library=f"transformers {metadata.version('transformers')}",
        processor=tokenizer,
        blueprint=blueprint,
    )


def rebuild(blueprint: Mapping[str, Any], recipe: ImageRecipe | TextRecipe) -> HuggingFaceNetwork:
    """Build the network of a blueprint with random weights."""
    return _build(blueprint, None, random_state=0, name="of this file")


def _build(
    blueprint: Mapping[str, Any], state: StateDict | None, *, random_state: int, name: str
) -> HuggingFaceNetwork:
    family = family_of(blueprint["config"], name=name)
    config = config_of(blueprint["config"])
    if number_of_layers(config) > _MOST_LAYERS:
        raise BackboneError(f"The config of {name} asks for {number_of_layers(config):,} layers.")
    with seeded(random_state):
        model = model_of(config, family, state, name=name)
        dense = dense_layers(blueprint["dense"])
    steps: dict[str, Any] = {
        step: blueprint.get(step) for step in ("pooling", "normalize", "truncate")
    }
    return HuggingFaceNetwork(model, family, dense=dense, **steps)


def stages_of(module: nn.Module) -> tuple[HuggingFaceNetwork, ImageRecipe] | None:
    """Return a transformers model for images as stages, and ImageNet's recipe at its size.

    None for any other module. The module becomes part of the network; its layers are wrapped.
    """
    config = getattr(module, "config", None)
    family = FAMILIES.get(str(getattr(config, "model_type", None)))
    if family is None or family.modality != "image" or not hasattr(module, "base_model"):
        return None
    inner: Any = getattr(module, "vision_model", module.base_model)
    recipe = default_recipe(inner.config, fixed_size=family.fixed_size)
    return HuggingFaceNetwork(inner, family), recipe


def _row(name: str, folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    family = family_of(config, name=name)
    if family.modality == "image":
        size = config.get("image_size")
    else:
        size = sentence_recipe(folder).max_length or config.get("max_position_embeddings")
    return {
        "name": name,
        "modality": family.modality,
        "feature_size": config.get("hidden_size"),
        "input_size": size if isinstance(size, int) else None,
        "licence": licence_of(folder),
        "on_this_machine": True,
    }


def _texts(
    sentence: SentenceRecipe, model: Any, family: Family, name: str
) -> tuple[TextRecipe, TextTokenizer]:
    found, config = tokenizer_of(sentence.folder), model.config
    tokens = max(len(found), *(number + 1 for number in found.added_tokens_decoder), 0)
    rows = model.get_input_embeddings().num_embeddings
    if tokens > rows:
        raise BackboneError(
            f"The tokenizer of {name!r} has {tokens:,} tokens, and the model has embeddings for "
            f"{rows:,}. Save the model with the tokenizer that it was trained with; after new "
            "tokens, call model.resize_token_embeddings(len(tokenizer)) and train it."
        )
    pad = found.pad_token_id if found.pad_token_id is not None else config.pad_token_id
    tokenizer = TextTokenizer(
        found.backend_tokenizer,
        pad_id=pad or 0,
        prefix=sentence.prefix,
        lower=sentence.lower,
        prompts=sentence.prompts,
    )
    # RoBERTa and its relatives number positions from behind that of the padding token.
    longest = config.max_position_embeddings - (config.pad_token_id + 1 if family.shifted else 0)
    recipe = TextRecipe(
        max_length=min(sentence.max_length or found.model_max_length, longest),
        longest=longest,
        pooling=sentence.pooling,
        normalize=sentence.normalize,
        tokenizer=tokenizer.digest,
    )
    return recipe, tokenizer
