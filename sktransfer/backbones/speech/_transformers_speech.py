"""Whisper run by transformers and torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sktransfer import _runtime
from sktransfer.backbones import huggingface
from sktransfer.backbones._ctranslate2 import read_whisper
from sktransfer.backbones._weights import StateDict
from sktransfer.backbones.huggingface import read_json
from sktransfer.backbones.speech._speech_folder import SpeechFolder
from sktransfer.backbones.speech._speech_model import MOST_TOKENS, SpeechModel
from sktransfer.exceptions import BackboneError

# Where the two formats state the tokens that are never generated, or not as the first.
_SUPPRESSED = {
    "config.json": ("suppress_ids", "suppress_ids_begin"),
    "generation_config.json": ("suppress_tokens", "begin_suppress_tokens"),
}
# From this size on, a vocabulary has the languages that multilingual models were trained on.
_MULTILINGUAL = 51_865


class TransformersSpeech(SpeechModel):
    """A Whisper model, of weights in the format of transformers or CTranslate2."""

    def __init__(self, folder: SpeechFolder, device: torch.device, precision: str) -> None:
        raw, state = _content(folder)
        if raw.get("model_type") != "whisper":
            raise BackboneError(
                f"{folder.name!r} is a model of the type {raw.get('model_type')!r}; only Whisper "
                "models can transcribe."
            )
        self.precision = _runtime.resolve_precision(precision, device)
        self.library = f"transformers {_runtime.version_of('transformers')}"
        self.engine = _runtime.engine(device)
        self._device = device
        self._model = huggingface.whisper_of(raw, state, name=folder.name).to(device)
        config = self._model.config
        is_multilingual = config.vocab_size >= _MULTILINGUAL
        super().__init__(folder, config, is_multilingual)
        never, not_first = _suppressed(folder.path)
        known = self.vocabulary
        self._decoder = huggingface.WhisperDecoding(
            self._model,
            start=known.start,
            end=known.end,
            no_times=known.no_times,
            longest=min(MOST_TOKENS, config.max_target_positions),
            never=never,
            not_first=not_first,
        )

    def encode(self, features: torch.Tensor) -> torch.Tensor:
        """Return the encoder's output for features (n, bands, frames)."""
        with _runtime.inference(self._device, self.precision):
            found = self._model.get_encoder()(features.to(self._device))
        return found.last_hidden_state

    def no_speech(self, encoded: torch.Tensor) -> list[float]:
        """Return the probability of the token for no speech in each window."""
        return self._first(encoded).softmax(1)[:, self.vocabulary.no_speech].tolist()

    def detect(self, encoded: torch.Tensor) -> list[str]:
        """Return the code of the most probable language of each window."""
        tokens = list(self.vocabulary.languages.values())
        best = self._first(encoded)[:, tokens].argmax(1).tolist()
        return [self.languages[number] for number in best]

    def generate(
        self, encoded: torch.Tensor, prompts: list[list[int]], *, beam_size: int, no_repeats: int
    ) -> list[list[int]]:
        """Return the tokens of each window; see `SpeechModel.generate`."""
        starts = torch.tensor(prompts, device=self._device)
        with _runtime.inference(self._device, self.precision):
            return self._decoder(encoded, starts, beam_size=beam_size, no_repeats=no_repeats)

    def _first(self, encoded: torch.Tensor) -> torch.Tensor:
        """Return the scores of the token behind the first one of a transcript."""
        start = torch.full((len(encoded), 1), self.vocabulary.start, device=self._device)
        with _runtime.inference(self._device, self.precision):
            found = self._model(
                encoder_outputs=(encoded,), decoder_input_ids=start, use_cache=False
            )
        return found.logits[:, 0].float()


def _content(folder: SpeechFolder) -> tuple[dict[str, Any], StateDict]:
    if folder.is_converted:
        return read_whisper(folder.path / "model.bin")
    return read_json(folder.path / "config.json"), huggingface.weights_of(folder.path)


def _suppressed(folder: Path) -> tuple[list[int], list[int]]:
    for file, names in _SUPPRESSED.items():
        stated = read_json(folder / file, default={})
        if all(isinstance(stated.get(name), list) for name in names):
            never, not_first = (stated[name] for name in names)
            return never, not_first
    return [], []
