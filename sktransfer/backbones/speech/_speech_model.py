"""A Whisper model with its decoder: windows of sound to tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from sktransfer import _runtime
from sktransfer.backbones import huggingface
from sktransfer.backbones.speech._speech_folder import SpeechFolder
from sktransfer.backbones.speech._whisper_vocabulary import WhisperVocabulary
from sktransfer.exceptions import BackboneError

#: Most tokens of a window, Whisper's own value.
MOST_TOKENS = 224


class SpeechModel(ABC):
    """A Whisper model on a device, run by one library.

    It is shared by all estimators of a process and therefore never changed.

    Parameters
    ----------
    folder : SpeechFolder
        Its files.
    config : object
        With the attributes ``num_mel_bins`` and ``max_source_positions``.
    is_multilingual : bool
        Whether it writes down languages other than English.

    Attributes
    ----------
    name, source, fingerprint, modality : str
        As those of `Backbone`.
    library, engine, precision : str
        Name and version of the library that runs it; of what computes, and the floating-point type.
    recipe : AudioRecipe
        Rate and length of its windows, which are filled with silence: Whisper leaves out words of
        shorter ones.
    languages : tuple of str
        Codes of its languages.
    """

    modality: ClassVar[str] = "audio"

    library: str
    engine: str
    precision: str

    def __init__(self, folder: SpeechFolder, config: Any, is_multilingual: bool) -> None:
        self.name, self.source = folder.name, folder.source
        self.fingerprint = folder.fingerprint()
        self.vocabulary = WhisperVocabulary(folder.path)
        self.is_multilingual = is_multilingual
        self.languages = tuple(self.vocabulary.languages) if is_multilingual else ("en",)
        recipe, how = huggingface.audio_recipe(folder.path, config, "whisper")
        self.recipe = recipe.filled(pad_clips=True)
        self._reader = huggingface.reader_of(how)

    @abstractmethod
    def encode(self, features: torch.Tensor) -> Any:
        """Return the encoder's output (n, positions, width) for features (n, bands, frames).

        It is a Tensor or an array, and its rows are arguments of the other methods.
        """

    @abstractmethod
    def no_speech(self, encoded: Any) -> list[float]:
        """Return the probability of the token for no speech in each window."""

    @abstractmethod
    def detect(self, encoded: Any) -> list[str]:
        """Return the code of the most probable language of each window."""

    @abstractmethod
    def generate(
        self, encoded: Any, prompts: list[list[int]], *, beam_size: int, no_repeats: int
    ) -> list[list[int]]:
        """Return the tokens of what is said in each window, and of the times of its segments.

        Parameters
        ----------
        encoded : object
            Rows from `encode`.
        prompts : list of list of int
            Tokens that start each transcript, of one length.
        beam_size : int
            Number of hypotheses that the search follows.
        no_repeats : int
            Number of tokens in a row that may come once only in a transcript; 0 for no limit.
        """

    def features(self, windows: Sequence[np.ndarray]) -> torch.Tensor:
        """Return the log-mel spectrograms (n, bands, frames) of samples, each at most 30 s."""
        with _runtime.inference(torch.device("cpu"), "float32"):
            return self._reader(self.recipe.inputs(windows))["input_features"]

    def check_language(self, language: str | None) -> None:
        """Refuse a language that the model does not write down.

        Raises
        ------
        BackboneError
            Naming the languages that it does.
        """
        if language is None or language in self.languages:
            return
        advice = (
            f"Its languages are: {', '.join(self.languages)}."
            if self.is_multilingual
            else "It knows English only: set language=None or 'en', or take a multilingual model."
        )
        raise BackboneError(f"{self.name!r} does not know language={language!r}. {advice}")

    def prompts(self, languages: Sequence[str]) -> list[list[int]]:
        """Return the tokens that start a transcript in each of these languages."""
        known = self.vocabulary
        if not self.is_multilingual:
            return [[known.start] for _ in languages]
        return [[known.start, known.languages[code], known.transcribe] for code in languages]
