"""Whisper models with their decoder, run by CTranslate2 or transformers."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sktransfer import _runtime
from sktransfer._forks import released_at_fork
from sktransfer._paths import expanded
from sktransfer.backbones._registry import stamp
from sktransfer.backbones._weights import obtaining
from sktransfer.backbones.speech._ctranslate2_speech import Ctranslate2Speech, check_installed
from sktransfer.backbones.speech._speech_folder import speech_folder
from sktransfer.backbones.speech._speech_model import SpeechModel as SpeechModel
from sktransfer.backbones.speech._transcription import Segment as Segment
from sktransfer.backbones.speech._transcription import transcribe as transcribe
from sktransfer.backbones.speech._transformers_speech import TransformersSpeech

if TYPE_CHECKING:
    import torch

CTRANSLATE2 = "ctranslate2"

_loaded: dict[Hashable, SpeechModel] = {}
_lock = released_at_fork(threading.RLock())


def get_speech_model(
    name: str | Path, *, engine: str, device: torch.device, precision: str
) -> SpeechModel:
    """Return the speech model of this name; it is loaded once per process.

    Parameters
    ----------
    name : str or Path
        A bundled name, a local folder or a Hugging Face id.
    engine : {"ctranslate2", "transformers"}
        The library that runs it.
    device : torch.device
        Where.
    precision : {"float32", "bfloat16", "auto"}
        Floating-point type of the computation.

    Raises
    ------
    ImportError
        If the library is not installed.
    BackboneError
        If there is no such model, or it is of another kind or format.
    WeightsError
        If its weights are missing, damaged or do not fit.
    """
    threads = _runtime.threads()
    if engine == CTRANSLATE2:
        check_installed()
    # The threads of CTranslate2 do not exist in a forked child.
    process = (os.getpid(), threads) if engine == CTRANSLATE2 else ()
    key = (str(name), engine, str(device), precision, stamp(expanded(name)), process)
    with _lock:
        if key not in _loaded:
            folder = speech_folder(str(name), converted=engine == CTRANSLATE2)
            kind: Any = Ctranslate2Speech if engine == CTRANSLATE2 else TransformersSpeech
            reading = obtaining(f"the speech model {str(name)!r}", fix="", local=folder.path)
            with reading, _runtime.undisturbed():
                _loaded[key] = kind(folder, device, precision)
        return _loaded[key]
