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
from sktransfer.backbones._weights import StateDict, obtaining, read_state_dict
from sktransfer.backbones.huggingface import _hub
from sktransfer.backbones.huggingface._families import FAMILIES, Family, family_of
from sktransfer.backbones.huggingface._folder import (
    is_of_timm,
    licence_of,
    refuse_adapter,
)
from sktransfer.backbones.huggingface._folder import read_json as read_json
from sktransfer.backbones.huggingface._folder import weights_of as weights_of
from sktransfer.backbones.huggingface._generation import Writer as Writer
from sktransfer.backbones.huggingface._hub import folder_of as folder_of
from sktransfer.backbones.huggingface._image_processor import default_recipe, image_recipe
from sktransfer.backbones.huggingface._sentence_transformers import (
    SentenceRecipe,
    load_steps,
    sentence_recipe,
    step_layers,
)
from sktransfer.backbones.huggingface._sounds import audio_recipe as audio_recipe
from sktransfer.backbones.huggingface._sounds import reader_of as reader_of
from sktransfer.backbones.huggingface._sounds import stated_recipe
from sktransfer.backbones.huggingface._staged_transformer import (
    HuggingFaceNetwork,
    SentenceNetwork,
    number_of_layers,
)
from sktransfer.backbones.huggingface._static_embedding import (
    NO_LIMIT,
    StaticNetwork,
    fill_table,
    static_tokenizer,
    table_of,
)
from sktransfer.backbones.huggingface._transformers import WhisperDecoding as WhisperDecoding
from sktransfer.backbones.huggingface._transformers import config_of, model_of, tokenizer_of
from sktransfer.backbones.huggingface._transformers import mel_filters as mel_filters
from sktransfer.backbones.huggingface._transformers import whisper_of as whisper_of
from sktransfer.backbones.huggingface._wav2vec2 import norm_rows
from sktransfer.backbones.huggingface._whisper import WhisperNetwork
from sktransfer.backbones.huggingface._write_folder import write_folder as write_folder
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.audio import AudioRecipe
from sktransfer.modalities.image import ImageRecipe
from sktransfer.modalities.text import TextRecipe, TextTokenizer

NAME = "huggingface"

# Names of the encoders in models of two modalities, or with a projection.
_PARTS = {"audio": "audio_model", "image": "vision_model", "text": "text_model"}

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
    modality : {"image", "text", "audio"}
        Modality of the cells. A model for both is used for images.
    random_state : int
        Seed of random weights.

    Raises
    ------
    BackboneError
        If the folder holds no model, one of an unknown type, or a setting that is not supported.
    WeightsError
        If its weights are missing, damaged or do not fit, or it cannot be built by its config.
    OfflineError
        If it is not on this machine and cannot be downloaded.
    """
    folder = _hub.folder_of(name)
    if is_of_timm(read_json(folder / "config.json", default={})):
        return _timm(folder, name, weights=weights, random_state=random_state)
    sentence = sentence_recipe(folder)
    refuse_adapter(sentence.folder)
    build = _static if sentence.static else _transformer
    with obtaining(f"the model in {str(sentence.folder)!r}", fix="", local=folder):
        parts = build(sentence, weights, modality, random_state, name)
    network, blueprint, recipe, tokenizer = parts
    if weights is not None:
        load_steps(network.steps, sentence)
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


def _timm(folder: Path, name: str, **how: Any) -> Backbone:
    # Imported late: few folders are of timm.
    from sktransfer.backbones import timm

    return timm.load_folder(folder, name, **how)


_Recipe = AudioRecipe | ImageRecipe | TextRecipe
_Parts = tuple[SentenceNetwork, dict[str, Any], _Recipe, TextTokenizer | None]


def _transformer(
    sentence: SentenceRecipe,
    weights: str | Path | None,
    modality: str,
    random_state: int,
    name: str,
) -> _Parts:
    raw = read_json(sentence.folder / "config.json")
    family = family_of(raw, name=name, modality=modality)
    sees_all = raw.get("is_causal") is False or raw.get("use_bidirectional_attention")
    blueprint = {"config": raw, **_blueprint(sentence, "mean" if sees_all else family.pooling)}
    blueprint["normalize"] |= family.normalize
    state = _state_of(sentence.folder, weights)
    if family.modality == "audio":
        config = config_of(raw, "audio")
        sounds, blueprint["sound"] = audio_recipe(sentence.folder, config, family.reader)
        network = _build(blueprint, state, "audio", random_state=random_state, name=name)
        return network, blueprint, sounds, None
    network = _build(blueprint, state, family.modality, random_state=random_state, name=name)
    if family.modality == "image":
        config = network.model.config
        recipe = image_recipe(sentence.folder, config, fixed_size=family.fixed_size)
        return network, blueprint, recipe, None
    return network, blueprint, *_texts(sentence, network, family, name)


def _static(
    sentence: SentenceRecipe,
    weights: str | Path | None,
    modality: str,
    random_state: int,
    name: str,
) -> _Parts:
    state = _state_of(sentence.folder, weights)
    table = table_of(state or weights_of(sentence.folder), name=name)
    blueprint = {"table": list(table.shape), **_blueprint(sentence, "mean")}
    with seeded(random_state):
        network = _build_static(blueprint)
    if state is not None:
        fill_table(network, table)
    tokenizer, max_length = static_tokenizer(
        sentence.folder, pad_id=len(table), prefix=sentence.prefix
    )
    _refuse_new_tokens(tokenizer.n_tokens, len(table), name)
    recipe = TextRecipe(
        max_length=max_length,
        longest=NO_LIMIT,
        pooling=network.pooling,
        normalize=sentence.normalize,
        tokenizer=tokenizer.digest,
    )
    return network, blueprint, recipe, tokenizer


def _state_of(folder: Path, weights: str | Path | None) -> StateDict | None:
    if weights is None:
        return None
    return weights_of(folder) if weights == "pretrained" else read_state_dict(Path(weights))


def _blueprint(sentence: SentenceRecipe, pooling: str) -> dict[str, Any]:
    return {
        "builder": NAME,
        "steps": [step.describe() for step in sentence.steps],
        "pooling": sentence.pooling or pooling,
        "normalize": sentence.normalize,
        "truncate": sentence.truncate,
    }


def assemble(
    name: str,
    raw: Mapping[str, Any],
    state: StateDict | None,
    *,
    random_state: int = 0,
    **about: Any,
) -> Backbone:
    """Build a backbone for sounds from a config and a checkpoint that lie in no folder.

    Parameters
    ----------
    name : str
        By which users request it.
    raw : mapping
        The config.
    state : dict of str to Tensor or None
        The checkpoint; None for random weights.
    random_state : int
        Seed of random weights.
    **about
        Attributes of the backbone.
    """
    family = family_of(raw, name=name)
    config = config_of(raw, family.modality)
    recipe, sound = stated_recipe({}, config, family.reader, path=Path(name))
    blueprint = {
        "builder": NAME,
        "config": dict(raw),
        "sound": sound,
        "steps": [],
        "pooling": family.pooling,
        "normalize": family.normalize,
        "truncate": None,
    }
    network = _build(blueprint, state, family.modality, random_state=random_state, name=name)
    return Backbone(
        name,
        network=network,
        recipe=recipe,
        library=f"transformers {metadata.version('transformers')}",
        blueprint=blueprint,
        **about,
    )


def original(blueprint: Mapping[str, Any], recipe: _Recipe) -> Any:
    """Build transformers' model of a blueprint, or a table of vectors, with random weights."""
    with seeded(0):
        if "table" in blueprint:
            return _build_static(blueprint)
        return _model(blueprint, None, recipe.modality, name="of this file")


def staged(model: Any, blueprint: Mapping[str, Any], recipe: _Recipe) -> SentenceNetwork:
    """Make the network of the modules of a model that `original` has built."""
    if "table" in blueprint:
        return model
    family = family_of(blueprint["config"], name="of this file", modality=recipe.modality)
    with seeded(0):
        how = _how(blueprint)
    return _network(model, family, **how)


def _build_static(blueprint: Mapping[str, Any]) -> StaticNetwork:
    return StaticNetwork(*blueprint["table"], **_how(blueprint))


def _how(blueprint: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: blueprint[name] for name in ("pooling", "normalize", "truncate")}
    if "sound" in blueprint:
        settings["reader"] = reader_of(blueprint["sound"])
    return {**settings, "steps": step_layers(blueprint["steps"])}


def _build(
    blueprint: Mapping[str, Any],
    state: StateDict | None,
    modality: str,
    *,
    random_state: int,
    name: str,
) -> HuggingFaceNetwork:
    family = family_of(blueprint["config"], name=name, modality=modality)
    with seeded(random_state):
        model = _model(blueprint, state, modality, name=name)
        how = _how(blueprint)
    return _network(model, family, **how)


def _model(
    blueprint: Mapping[str, Any], state: StateDict | None, modality: str, *, name: str
) -> Any:
    family = family_of(blueprint["config"], name=name, modality=modality)
    config = config_of(blueprint["config"], modality)
    if number_of_layers(config) > _MOST_LAYERS:
        raise BackboneError(f"The config of {name} asks for {number_of_layers(config):,} layers.")
    return model_of(config, family, state, name=name)


def _network(model: Any, family: Family, **how: Any) -> HuggingFaceNetwork:
    """Return a model as stages; a projection becomes the step behind its pooling."""
    projection = getattr(model, family.projection, None) if family.projection else None
    if projection is not None:
        how["steps"] = nn.Sequential(projection)
    part = getattr(model, _PARTS[family.modality], model)
    if family.reader == "whisper":
        return WhisperNetwork(part, family, **how)
    if family.reader == "waveform":
        norm_rows(part)
    return HuggingFaceNetwork(part, family, **how)


def stages_of(module: nn.Module) -> tuple[HuggingFaceNetwork, ImageRecipe] | None:
    """Return a transformers model for images as stages, and ImageNet's recipe at its size.

    None for any other module. The module becomes part of the network; its layers are wrapped.
    """
    config = getattr(module, "config", None)
    family = FAMILIES.get(str(getattr(config, "model_type", None)))
    if family is None or family.modality != "image" or not hasattr(module, "base_model"):
        return None
    is_whole: bool = hasattr(module, "vision_model")
    network = _network(module if is_whole else module.base_model, family)
    return network, default_recipe(network.model.config, fixed_size=family.fixed_size)


def _row(name: str, folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    family = family_of(config, name=name)
    if family.modality == "image":
        size = config.get("image_size")
    elif family.modality == "audio":
        size = None  # any
    else:
        size = sentence_recipe(folder).max_length or config.get("max_position_embeddings")
    return {
        "name": name,
        "modality": family.modality,
        "feature_size": config.get("hidden_size", config.get("d_model")),
        "input_size": size if isinstance(size, int) else None,
        "licence": licence_of(folder),
        "on_this_machine": True,
    }


def _texts(
    sentence: SentenceRecipe, network: HuggingFaceNetwork, family: Family, name: str
) -> tuple[TextRecipe, TextTokenizer]:
    found, config = tokenizer_of(sentence.folder), network.model.config
    tokens = max(len(found), *(number + 1 for number in found.added_tokens_decoder), 0)
    _refuse_new_tokens(tokens, network.model.get_input_embeddings().num_embeddings, name)
    # RoBERTa and its relatives number positions from behind that of the padding token.
    longest = getattr(config, "max_position_embeddings", NO_LIMIT)
    longest -= config.pad_token_id + 1 if family.shifted else 0
    pad = found.pad_token_id if found.pad_token_id is not None else config.pad_token_id
    tokenizer = TextTokenizer(
        found.backend_tokenizer,
        pad_id=pad or 0,
        prefix=sentence.prefix,
        lower=sentence.lower,
        prompts=sentence.prompts,
        fill=longest if family.filled else 0,
        fill_left=family.filled and found.padding_side == "left",
    )
    recipe = TextRecipe(
        max_length=min(sentence.max_length or found.model_max_length, longest),
        longest=longest,
        pooling=network.pooling,
        normalize=sentence.normalize,
        tokenizer=tokenizer.digest,
    )
    return recipe, tokenizer


def _refuse_new_tokens(tokens: int, rows: int, name: str) -> None:
    """Refuse a tokenizer with more tokens than the model has embeddings for."""
    if tokens > rows:
        raise BackboneError(
            f"The tokenizer of {name!r} has {tokens:,} tokens, and the model has embeddings for "
            f"{rows:,}. Save the model with the tokenizer that it was trained with; after new "
            "tokens, call model.resize_token_embeddings(len(tokenizer)) and train it."
        )
