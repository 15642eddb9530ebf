"""Models of transformers that write texts."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
import xxhash

from sktransfer._randomness import Randomness
from sktransfer.backbones._weights import described
from sktransfer.backbones.huggingface._families import obstacle, unknown
from sktransfer.backbones.huggingface._folder import read_json, weights_of
from sktransfer.backbones.huggingface._transformers import checked_model, whole_config_of
from sktransfer.backbones.huggingface._writing_tokenizer import WritingTokenizer
from sktransfer.exceptions import BackboneError

# Settings of sampling, which a search for the most probable tokens does not have.
_OF_SAMPLING = (
    "epsilon_cutoff",
    "eta_cutoff",
    "min_p",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
)
# What a folder may state and does not decide the most probable text: lengths, which are parameters
# here, how caches are laid out, and what is returned beside the text.
_NOT_SETTINGS = (
    *("max_length", "max_new_tokens", "max_time", "cache_implementation", "cache_config"),
    *("num_return_sequences", "return_dict_in_generate", "output_attentions", "output_scores"),
    *("output_hidden_states", "output_logits", "compile_config", "use_cache"),
)
# Others run code from a hub.
_MODES = ("beam_sample", "beam_search", "greedy_search", "sample")


class Writer:
    """A model that writes texts, by `generate` of transformers.

    Parameters
    ----------
    folder : Path
        As ``save_pretrained`` writes it.
    name : str
        By which users request the model.
    device : torch.device
        Where it computes.

    Attributes
    ----------
    tokenizer : WritingTokenizer
        Its tokenizer.
    continues : bool
        Whether it continues a text, and does not write a new one.
    positions : int or None
        Number of tokens that it has positions for.
    """

    def __init__(self, folder: Path, *, name: str, device: torch.device) -> None:
        raw = read_json(folder / "config.json")
        kind, self.continues = _class_of(raw, name)
        config = whole_config_of(raw)
        self._model = checked_model(kind, config, weights_of(folder), name=name).to(device)
        self.tokenizer = WritingTokenizer(folder, pads_left=self.continues)
        self.positions = getattr(config, "max_position_embeddings", None)
        self._settings = _settings_of(folder, {**config.to_dict(), **raw}, self.tokenizer.pad_id)
        self._is_m2m = config.model_type == "m2m_100"
        self._name = name
        # `generate` fills up settings from these.
        self._model.generation_config = type(self._settings)()

    def check_languages(self, source: str | None, target: str | None) -> None:
        """Refuse languages that the tokenizer does not know, and a model that has none to write.

        Parameters
        ----------
        source, target : str or None
            Codes, as those of `WritingTokenizer.languages`; None for those of the folder.
        """
        for parameter, code in (("source_language", source), ("target_language", target)):
            if code is not None:
                self.tokenizer.check_language(parameter, code, self._name)
        is_stated = target is not None or self._settings.forced_bos_token_id is not None
        if self._is_m2m and self.tokenizer.languages and not is_stated:
            raise BackboneError(
                f"{self._name!r} translates into many languages, and its generation_config.json "
                "does not say into which. Pass target_language, a code such as "
                f"{', '.join(map(repr, [*self.tokenizer.languages][:3]))}."
            )

    def write(
        self,
        inputs: dict[str, torch.Tensor],
        *,
        random_state: int | None,
        target_language: str | None = None,
        **options: Any,
    ) -> list[str]:
        """Return one text per row.

        Parameters
        ----------
        inputs : dict of str to Tensor
            From `WritingTokenizer.collate`.
        random_state : int or None
            Seed of the random numbers of each row; None for the most probable tokens.
        target_language : str or None
            Code of the language of the texts; None for that of the folder.
        **options
            Settings of `generate`; None for those of the folder.
        """
        settings = copy.deepcopy(self._settings)
        if target_language is not None:
            settings.forced_bos_token_id = self.tokenizer.languages[target_language]
        settings.update(**{name: value for name, value in options.items() if value is not None})
        settings.do_sample = random_state is not None
        if random_state is None:
            settings.update(**dict.fromkeys(_OF_SAMPLING))
        if settings.get_generation_mode().value not in _MODES:
            raise BackboneError(
                "The generation_config.json of the model asks for a search other than greedy, "
                f"beam search and sampling ({settings.get_generation_mode().value}), which is not "
                "supported. Remove its entry."
            )
        parts = [inputs] if random_state is None else _rows(inputs)
        found = [row for part in parts for row in self._ids(part, settings, random_state)]
        return [self.tokenizer.text(ids) for ids in found]

    def _ids(
        self, inputs: dict[str, torch.Tensor], settings: Any, random_state: int | None
    ) -> list[list[int]]:
        """Return the tokens that are written for each row."""
        tensors = {name: tensor.to(self._model.device) for name, tensor in inputs.items()}
        try:
            with nullcontext() if random_state is None else self._random(inputs, random_state):
                found = self._model.generate(**tensors, generation_config=settings)
        except (TypeError, ValueError) as error:  # of settings that do not fit each other
            raise BackboneError(
                f"The model cannot write with the settings of its folder: {described(error)}."
            ) from error
        start = inputs["input_ids"].shape[1] if self.continues else 0
        return found[:, start:].tolist()

    def _random(
        self, inputs: dict[str, torch.Tensor], random_state: int
    ) -> AbstractContextManager[None]:
        """Return random numbers that depend on the tokens of a row and nothing else."""
        tokens = inputs["input_ids"].cpu().numpy().tobytes()
        seed = xxhash.xxh3_64_intdigest(tokens, seed=random_state) >> 1
        return Randomness(seed, self._model.device).own()


def _rows(inputs: Mapping[str, torch.Tensor]) -> Iterator[dict[str, torch.Tensor]]:
    """Yield each row of a batch without its padding."""
    for ids, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True):
        alone = ids[mask.bool()][None]
        yield {"input_ids": alone, "attention_mask": torch.ones_like(alone)}


def _class_of(raw: Mapping[str, Any], name: str) -> tuple[Any, bool]:
    """Return the class of a model that writes, and whether it continues a text."""
    from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING
    from transformers import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING as REWRITING

    kind, stated = str(raw.get("model_type")), raw.get("architectures") or ()
    if reason := obstacle(raw, kind):
        raise BackboneError(f"{name!r} {reason}.")
    if kind not in CONFIG_MAPPING:
        raise BackboneError(f"{name!r} {unknown(raw)}.")
    config = CONFIG_MAPPING[kind]
    found = [
        (mapping[config], mapping is MODEL_FOR_CAUSAL_LM_MAPPING)
        for mapping in (REWRITING, MODEL_FOR_CAUSAL_LM_MAPPING)
        if config in mapping
    ]
    chosen = [pair for pair in found if not stated or pair[0].__name__ in stated]
    if not chosen:
        raise BackboneError(
            f"{name!r} is a {', '.join(stated) or kind}, which does not write texts. Pass the "
            f"folder of {' or '.join(pair[0].__name__ for pair in found) or 'another model'}."
        )
    return chosen[0]


def _settings_of(folder: Path, config: dict[str, Any], pad_id: int) -> Any:
    """Return the settings of `generate` that a folder states, in older ones in its config."""
    from transformers import GenerationConfig

    stated = read_json(folder / "generation_config.json", default={})
    try:
        found = GenerationConfig.from_dict(stated)
        if not stated:
            found = GenerationConfig.from_model_config(config)
        found.update(**dict.fromkeys(_NOT_SETTINGS))
        found.pad_token_id = pad_id if found.pad_token_id is None else found.pad_token_id
    except Exception as error:  # of values that are none
        raise BackboneError(
            f"The generation_config.json in {str(folder)!r} cannot be used: {described(error)}."
        ) from error
    return found
