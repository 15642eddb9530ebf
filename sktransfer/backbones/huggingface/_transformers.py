"""Configs, models with a given checkpoint, fast tokenizers and image processors of transformers.

This is the only file that imports transformers, and only when a model is loaded.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from sktransfer.backbones._weights import StateDict, described, refuse, without_prefix
from sktransfer.backbones.huggingface._families import Family
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.text import TextTokenizer

# Entries of a config.json that say how a model is run, not what it computes: some would fetch code
# from a hub, the others cost time.
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


# Weights of the encoder in a checkpoint of Whisper, which has a decoder too.
_ENCODER = re.compile(r"(?:model\.)?encoder\.(.*)")

# End of the names of classes with a projection behind their pooling.
_PROJECTED = "ModelWithProjection"


# Attributes of the config of a model for two modalities.
_HALVES = {"audio": "audio_config", "image": "vision_config", "text": "text_config"}


def config_of(raw: Mapping[str, Any], modality: str) -> Any:
    """Build a config without access to a hub; of a model for two modalities, that of one half."""
    config = whole_config_of(raw)
    half = getattr(config, _HALVES[modality], config)
    if half is not config and hasattr(config, "projection_dim"):
        half.projection_dim = config.projection_dim
        half.architectures = [_PROJECTED]
    return half


def whole_config_of(raw: Mapping[str, Any]) -> Any:
    """Build a config without access to a hub."""
    from transformers import CONFIG_MAPPING

    return CONFIG_MAPPING[raw["model_type"]].from_dict(_without_runtime(raw))


def _without_runtime(raw: Any) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    return {name: _without_runtime(v) for name, v in raw.items() if name not in _RUNTIME}


def model_of(config: Any, family: Family, state: StateDict | None, *, name: str) -> Any:
    """Build a model with the weights of a checkpoint, or with random ones if `state` is None.

    Raises
    ------
    WeightsError
        If weights are missing, misshapen, or of layers that the model does not have.
    """
    kind = _class_of(config, family)
    options: dict[str, Any] = {"dtype": torch.float32}
    if family.pooled != "pooler" and "add_pooling_layer" in inspect.signature(kind).parameters:
        options["add_pooling_layer"] = False
    if state is None:
        return kind._from_config(config, **options)
    if family.reader == "whisper":
        state = {found[1]: state[key] for key in state if (found := _ENCODER.match(key))} or state
    model, found = _loaded(kind, config, state, options)
    if found["missing_keys"]:
        # transformers itself removes the prefix of its own models with a head, and no other.
        state = without_prefix(state, model.state_dict(), source=repr(name))
        model, found = _loaded(kind, config, state, options)
    model.__class__ = kind
    _check(model, state, found, name=name)
    return model


def _class_of(config: Any, family: Family) -> Any:
    """Return the class of a model: an encoder alone, with a projection if it has one."""
    import transformers

    if family.reader == "whisper":
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        return WhisperEncoder
    projected = str(next(iter(config.architectures or ()), "")).endswith(_PROJECTED)
    endings = (_PROJECTED,) if projected and family.projection else ("EncoderModel", "Model")
    stem = type(config).__name__.removesuffix("Config")
    return next(found for end in endings if (found := getattr(transformers, stem + end, None)))


def _loaded(kind: Any, config: Any, state: StateDict, options: Mapping[str, Any]) -> Any:
    with _without_progress():
        return _quiet(kind).from_pretrained(
            None,
            config=config,
            state_dict=state,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )


@contextmanager
def _without_progress() -> Iterator[None]:
    from transformers.utils.logging import set_tqdm_hook

    before = set_tqdm_hook(lambda bar, args, more: bar(*args, **{**more, "disable": True}))
    try:
        yield
    finally:
        set_tqdm_hook(before)


def image_classifier_of(config: Any) -> Any:
    """Return transformers' own classifier of images with a config; None if there is none."""
    from transformers import AutoModelForImageClassification

    try:
        return AutoModelForImageClassification.from_config(config)
    except ValueError:  # there is none of this type
        return None


def save_model(model: Any, folder: Path, *, part: str = "") -> None:
    """Write a model and its config, or the encoder of a model of Whisper under its names there."""
    state = {f"{part}{name}": tensor for name, tensor in model.state_dict().items()}
    with _without_progress():
        model.save_pretrained(folder, state_dict=state)


def save_tokenizer(tokenizer: TextTokenizer, max_length: int, folder: Path) -> None:
    """Write the files of a tokenizer that cuts texts at `max_length` tokens."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    fast, pad = Tokenizer.from_str(tokenizer.to_dict()["json"]), tokenizer.pad_id
    # A special token is never a part of a text, so it may only be one that is special already.
    special = [number for number, token in fast.get_added_tokens_decoder().items() if token.special]
    pad = pad if pad in special or not special else special[0]
    PreTrainedTokenizerFast(
        tokenizer_object=fast,
        pad_token=fast.id_to_token(pad),
        model_max_length=max_length,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)


def _quiet(kind: Any) -> Any:
    """Return a subclass that accepts any unexpected name in a checkpoint.

    Most checkpoints have a head that features do not need, about which transformers would log a
    table. The log level is the user's and stays as it is.
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
    """List weights of layers beyond the last: a deeper model's would load without an error."""
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
        If it is missing, damaged or not a fast one, or cuts texts at their start.
    """
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        if not found.is_fast:
            raise TypeError(f"a {type(found).__name__} is a slow tokenizer")
        # Without a file of a vocabulary transformers makes a tokenizer with special tokens only.
        added = {*found.all_special_tokens, *map(str, found.added_tokens_decoder.values())}
        if not found.get_vocab().keys() - added:
            raise FileNotFoundError("it has no vocabulary")
        if found.truncation_side != "right":
            raise ValueError(f"truncation_side={found.truncation_side!r} is not supported")
        if getattr(found, "split_special_tokens", False):
            raise ValueError("split_special_tokens=True is not supported")
    except Exception as error:  # damaged files, missing ones, a slow tokenizer
        raise BackboneError(
            f"The tokenizer in {str(folder)!r} cannot be used: {described(error)}. A fast "
            "tokenizer (tokenizer.json) that cuts long texts at their end is needed."
        ) from error
    return found


def image_processor_of(stated: Mapping[str, Any]) -> Any:
    """Return the image processor of a ``preprocessor_config.json``, with the defaults of its class.

    Raises
    ------
    BackboneError
        If its settings are not those of an image processor of transformers.
    """
    import transformers

    # Without a type, that of DINOv3, which scales as for ImageNet.
    kind = stated.get("image_processor_type") or stated.get("feature_extractor_type")
    kind = str(kind or "DINOv3ViTImageProcessor")
    stem = re.sub(r"(ImageProcessor|FeatureExtractor)(Fast|Pil)?$", "", kind)
    # The class for the Pillow backend where there is one.
    names = (f"{stem}ImageProcessorPil", f"{stem}ImageProcessor")
    found = next((name for name in names if hasattr(transformers, name)), None)
    if found is None:
        raise BackboneError(
            f"The image processor {kind!r} is not part of transformers {transformers.__version__}, "
            "and code of a folder is never run. Take a model whose code is part of transformers."
        )
    try:
        # In files of older versions, null stands for the default.
        settings = {name: value for name, value in stated.items() if value is not None}
        return getattr(transformers, found)(**settings)
    except Exception as error:  # whatever the class raises for unsuitable settings
        raise BackboneError(
            f"The image processor {kind!r} cannot be used: {described(error)}."
        ) from error


def feature_extractor_of(kind: str, settings: Mapping[str, Any], path: Path) -> Any:
    """Return transformers' feature extractor of sounds with these settings.

    Raises
    ------
    BackboneError
        If they name another class, or are not settings of it.
    """
    import transformers

    stated = settings.get("feature_extractor_type") or kind
    if stated != kind:
        raise BackboneError(
            f"{str(path)!r} sets feature_extractor_type to {stated!r}, which is not supported; a "
            f"model of this type has a {kind}."
        )
    try:
        # In files of older versions, null stands for the default.
        return getattr(transformers, kind)(**{n: v for n, v in settings.items() if v is not None})
    except Exception as error:  # whatever the class raises for unsuitable settings
        raise BackboneError(
            f"The {kind} of {str(path)!r} cannot be used: {described(error)}."
        ) from error


def mel_filters(settings: Any) -> torch.Tensor:
    """Return the weights of frequencies in mel bands (n_fft // 2 + 1, bands)."""
    from transformers.audio_utils import mel_filter_bank

    filters = mel_filter_bank(
        num_frequency_bins=settings.n_fft // 2 + 1,
        num_mel_filters=settings.bands,
        min_frequency=settings.lowest,
        max_frequency=settings.highest,
        sampling_rate=settings.sampling_rate,
        norm="slaney" if settings.area else None,
        mel_scale=settings.scale,
        triangularize_in_mel_space=settings.scale == "kaldi",
    )
    return torch.from_numpy(filters).float()


def whisper_of(raw: Mapping[str, Any], state: StateDict, *, name: str) -> Any:
    """Build Whisper with its decoder, with the weights of a checkpoint.

    Raises
    ------
    WeightsError
        If weights are missing, misshapen, or of layers that the model does not have.
    """
    from transformers import WhisperForConditionalGeneration as Kind

    return checked_model(Kind, config_of(raw, "audio"), state, name=name)


def checked_model(kind: Any, config: Any, state: StateDict, *, name: str) -> Any:
    """Build a model of a class with its head, with all weights of a checkpoint.

    Raises
    ------
    WeightsError
        If weights are missing, misshapen, or of layers that the model does not have.
    """
    model, found = _loaded(kind, config, state, {"dtype": torch.float32})
    model.__class__ = kind
    _check(model, state, found, name=name)
    return model.eval().requires_grad_(False)


class WhisperDecoding:
    """The search for the most probable transcripts, without sampling.

    Parameters
    ----------
    model : WhisperForConditionalGeneration
        From `whisper_of`.
    start, end, no_times : int
        Tokens of the start and the end of a transcript, and of one without times.
    longest : int
        Most tokens of a transcript.
    never, not_first : list of int
        Tokens that a transcript does not have, and that it does not start with.
    """

    # Latest start of the first segment in steps of 20 ms; Whisper's own value, 1 second.
    _latest_start = 50

    def __init__(
        self,
        model: Any,
        *,
        start: int,
        end: int,
        no_times: int,
        longest: int,
        never: list[int],
        not_first: list[int],
    ) -> None:
        from transformers import GenerationConfig
        from transformers.generation.logits_process import SuppressTokensLogitsProcessor

        self._model, self._not_first = model, not_first
        self._always = [SuppressTokensLogitsProcessor(never)] if never else []
        # The search fills up options that are not named from the model's own config.
        self._config = model.generation_config = GenerationConfig(
            max_length=longest,
            decoder_start_token_id=start,
            eos_token_id=end,
            pad_token_id=end,
            no_timestamps_token_id=no_times,
            max_initial_timestamp_index=self._latest_start,
        )

    def __call__(
        self, encoded: torch.Tensor, prompts: torch.Tensor, *, beam_size: int, no_repeats: int
    ) -> list[list[int]]:
        """Return the tokens of transcripts (n, ...) behind their prompts (n, tokens)."""
        from transformers import GenerationMixin
        from transformers.generation import logits_process
        from transformers.modeling_outputs import BaseModelOutput

        begin, device = prompts.shape[1], prompts.device
        processors = [
            *self._always,
            logits_process.SuppressTokensAtBeginLogitsProcessor(self._not_first, begin, device),
            logits_process.WhisperTimeStampLogitsProcessor(self._config, begin),
        ]
        # Whisper's own `generate` searches several times, with sampling.
        found = GenerationMixin.generate(
            self._model,
            encoder_outputs=BaseModelOutput(encoded),
            attention_mask=encoded.new_ones(encoded.shape[:2], dtype=torch.int64),
            decoder_input_ids=prompts,
            num_beams=beam_size,
            no_repeat_ngram_size=no_repeats,
            logits_processor=logits_process.LogitsProcessorList(processors),
        )
        end = self._config.eos_token_id
        return [[token for token in row if token != end] for row in found[:, begin:].tolist()]
