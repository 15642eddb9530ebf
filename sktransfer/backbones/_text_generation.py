"""Models that write texts: one per folder, device and precision in a process."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from pathlib import Path
from typing import Any, ClassVar

import torch

from sktransfer import _runtime
from sktransfer._forks import released_at_fork
from sktransfer._paths import expanded
from sktransfer.backbones import huggingface
from sktransfer.backbones._fingerprint import digest_of_files
from sktransfer.backbones._registry import stamp
from sktransfer.backbones._weights import obtaining
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.text import TextRecipe

# Endings of files that decide texts.
_ENDINGS = {".bin", ".jinja", ".json", ".model", ".safetensors", ".spm", ".txt"}
# Without a limit in the files of a model.
_NO_LIMIT = 1 << 20

_loaded: dict[Hashable, GenerationModel] = {}
_lock = released_at_fork(threading.RLock())


class GenerationModel:
    """A model that writes texts, on a device.

    It is shared by all estimators of a process and therefore never changed.

    Parameters
    ----------
    name : str
        By which users request it.
    folder : Path
        Its files.
    device : torch.device
        Where it computes.
    precision : {"float32", "bfloat16", "auto"}
        Floating-point type of the computation.

    Attributes
    ----------
    name, source, fingerprint, modality, library : str
        As those of `Backbone`.
    engine, precision : str
        What computes, and the floating-point type.
    processor : WritingTokenizer
        Its tokenizer.
    """

    modality: ClassVar[str] = "text"
    source: ClassVar[str] = huggingface.NAME

    def __init__(self, name: str, folder: Path, device: torch.device, precision: str) -> None:
        self.name = name
        self.fingerprint = digest_of_files(folder, _ENDINGS)
        self.precision = _runtime.resolve_precision(precision, device)
        self.library = f"transformers {_runtime.version_of('transformers')}"
        self.engine = _runtime.engine(device)
        self._device = device
        self._writer = huggingface.Writer(folder, name=name, device=device)
        self.processor = self._writer.tokenizer

    def recipe_for(self, new_tokens: int) -> TextRecipe:
        """Return how texts are cut if this number of tokens may be written.

        Raises
        ------
        BackboneError
            If the model has no positions for them.
        """
        longest = self._writer.positions or _NO_LIMIT
        # The one that starts a text has a position too.
        room = longest - new_tokens if self._writer.continues else longest
        if room < 1 or new_tokens >= longest:
            raise BackboneError(
                f"max_new_tokens={new_tokens} is too large: {self.name!r} has positions for "
                f"{longest} tokens{', with those of the text' if self._writer.continues else ''}."
            )
        usual = min(room, self.processor.longest or room)
        return TextRecipe(max_length=usual, longest=room)

    def uses_chat(self, chat: bool | str) -> bool:
        """Return whether texts are put into the chat template, by the parameter `chat`.

        Raises
        ------
        BackboneError
            If one is asked for, and there is none.
        """
        if chat is True and not self.processor.has_chat:
            raise BackboneError(f"{self.name!r} has no chat template. Set chat=False, or 'auto'.")
        return self.processor.has_chat and self._writer.continues if chat == "auto" else bool(chat)

    def check_languages(self, source: str | None, target: str | None) -> None:
        """Refuse languages that it does not have; see `Writer.check_languages`."""
        self._writer.check_languages(source, target)

    def write(self, inputs: Any, **options: Any) -> list[str]:
        """Return one text per row; see `Writer.write`."""
        with _runtime.inference(self._device, self.precision):
            return self._writer.write(inputs, **options)


def get_generation_model(
    name: str | Path, *, device: torch.device, precision: str
) -> GenerationModel:
    """Return the model of this name; it is loaded once per process.

    Parameters
    ----------
    name : str or Path
        A local folder or a Hugging Face id.
    device : torch.device
        Where it computes.
    precision : {"float32", "bfloat16", "auto"}
        Floating-point type of the computation.

    Raises
    ------
    BackboneError
        If there is no such model, or it does not write texts.
    WeightsError
        If its weights are missing, damaged or do not fit.
    """
    key = (str(name), str(device), precision, stamp(expanded(name)))
    with _lock:
        if key not in _loaded:
            local = expanded(name)
            if not local.is_dir() and not huggingface.owns(str(name)):
                raise BackboneError(
                    f"There is no model {str(name)!r}: pass the folder of a model that writes "
                    "texts, or a Hugging Face id, 'organisation/name'."
                )
            folder = huggingface.folder_of(str(local) if local.is_dir() else str(name))
            reading = obtaining(f"the model in {str(folder)!r}", fix="", local=folder)
            with reading, _runtime.undisturbed():
                _loaded[key] = GenerationModel(str(name), folder, device, precision)
        return _loaded[key]
