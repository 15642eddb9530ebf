"""Whisper run by CTranslate2. Only this file imports it."""

from __future__ import annotations

from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from sktransfer import _runtime
from sktransfer.backbones._weights import described
from sktransfer.backbones.speech._speech_folder import SpeechFolder
from sktransfer.backbones.speech._speech_model import MOST_TOKENS, SpeechModel
from sktransfer.exceptions import BackboneError, WeightsError

PACKAGE = "ctranslate2"
# Positions of 20 ms in a window of 30 s, which all Whisper models have.
_POSITIONS = 1_500
# Latest start of the first segment in steps of time; Whisper's own value, 1 second.
_LATEST_START = 50


def check_installed() -> None:
    """Raise `ImportError` if CTranslate2 is missing, without importing it."""
    if find_spec(PACKAGE) is None:
        raise ImportError(
            "engine='ctranslate2' needs the package ctranslate2: pip install 'sktransfer[speech]'"
        )


class Ctranslate2Speech(SpeechModel):
    """A Whisper model in the format of CTranslate2."""

    def __init__(self, folder: SpeechFolder, device: torch.device, precision: str) -> None:
        import ctranslate2

        if device.type not in ("cpu", "cuda"):
            raise BackboneError(
                f"engine='ctranslate2' computes on a CPU or on CUDA, and not on {device.type!r}. "
                "Set device='cpu', or engine='transformers'."
            )
        if precision == "auto":
            possible = ctranslate2.get_supported_compute_types(device.type)
            precision = "bfloat16" if "bfloat16" in possible else "float32"
        self.precision = precision
        self.library = f"{PACKAGE} {_runtime.version_of(PACKAGE)}"
        self.engine = f"{self.library} {device.type}"
        try:
            self._model = ctranslate2.models.Whisper(
                str(folder.path),
                device.type,
                device_index=device.index or 0,
                compute_type=precision,
                intra_threads=_runtime.threads(),
            )
        except ValueError as error:  # of a precision that the device does not have
            raise BackboneError(
                f"precision={precision!r} cannot be used: {described(error)}. Set "
                "precision='float32'."
            ) from error
        except Exception as error:  # RuntimeError for damaged files, and others
            raise WeightsError(
                f"{str(folder.path)!r} is no Whisper model of CTranslate2, or is damaged: "
                f"{described(error)}."
            ) from error
        bands = self._model.n_mels
        config = SimpleNamespace(num_mel_bins=bands, max_source_positions=_POSITIONS)
        super().__init__(folder, config, self._model.is_multilingual)

    def encode(self, features: torch.Tensor) -> np.ndarray:
        """Return the encoder's output for features (n, bands, frames)."""
        return np.array(self._model.encode(_storage(features.numpy()), to_cpu=True))

    def no_speech(self, encoded: np.ndarray) -> list[float]:
        """Return the probability of the token for no speech in each window."""
        starts = [[self.vocabulary.start]] * len(encoded)
        options = {"beam_size": 1, "max_length": 2, "return_no_speech_prob": True}
        found = self._model.generate(_storage(encoded), starts, **options)
        return [result.no_speech_prob for result in found]

    def detect(self, encoded: np.ndarray) -> list[str]:
        """Return the code of the most probable language of each window."""
        found = self._model.detect_language(_storage(encoded))
        return [languages[0][0].strip("<|>") for languages in found]

    def generate(
        self, encoded: np.ndarray, prompts: list[list[int]], *, beam_size: int, no_repeats: int
    ) -> list[list[int]]:
        """Return the tokens of each window; see `SpeechModel.generate`."""
        found = self._model.generate(
            _storage(encoded),
            prompts,
            beam_size=beam_size,
            no_repeat_ngram_size=no_repeats,
            max_length=MOST_TOKENS,
            max_initial_timestamp_index=_LATEST_START,
        )
        return [result.sequences_ids[0] for result in found]


def _storage(array: np.ndarray) -> Any:
    from ctranslate2 import StorageView

    return StorageView.from_array(np.ascontiguousarray(array))
