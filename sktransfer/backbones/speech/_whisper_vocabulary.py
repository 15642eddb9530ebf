"""The special tokens of Whisper, and texts of its other ones."""

from __future__ import annotations

import re
from pathlib import Path

from tokenizers import Tokenizer

from sktransfer.backbones._weights import described
from sktransfer.exceptions import BackboneError

_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
# Seconds from one time token to the next.
_STEP = 0.02
# Older vocabularies have another name for it.
_NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")
_END = "<|endoftext|>"


class WhisperVocabulary:
    """The tokens of a Whisper model.

    Parameters
    ----------
    folder : Path
        Holds a ``tokenizer.json``.

    Attributes
    ----------
    start, transcribe, no_times, end, no_speech : int
        Special tokens.
    languages : dict of str to int
        Tokens of languages by code.

    Raises
    ------
    BackboneError
        If the file is missing or damaged, or of another model.
    """

    def __init__(self, folder: Path) -> None:
        file = str(folder / "tokenizer.json")
        try:
            self._tokenizer = Tokenizer.from_file(file)
            self.start = self._id("<|startoftranscript|>")
            self.transcribe = self._id("<|transcribe|>")
            self.no_times = self._id("<|notimestamps|>")
            self.end = self._id(_END)
            self.no_speech = next(filter(None, map(self._tokenizer.token_to_id, _NO_SPEECH)))
        except Exception as error:  # of tokenizers: plain Exception
            raise BackboneError(
                f"{file!r} cannot be used as the tokenizer of a Whisper model, which is needed: "
                f"{described(error)}."
            ) from error
        # Other special tokens have this form too, but stand elsewhere.
        found = self._tokenizer.get_added_tokens_decoder().items()
        codes = {number: _LANGUAGE.fullmatch(str(token.content)) for number, token in found}
        self.languages = {code[1]: number for number, code in sorted(codes.items()) if code}

    def seconds(self, token: int) -> float | None:
        """Return the time from the start of a window that a token stands for, if it is one."""
        return (token - self.no_times - 1) * _STEP if token > self.no_times else None

    def text(self, tokens: list[int]) -> str:
        """Return the text of tokens, without times and special ones."""
        return self._tokenizer.decode([token for token in tokens if token < self.end]).strip()

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise ValueError(f"it has no token {token}, so it is not that of a Whisper model")
        return found
