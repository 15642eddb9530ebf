"""Where the files of a speech model are, and of which format they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sktransfer._paths import expanded
from sktransfer.backbones import bundled, huggingface
from sktransfer.backbones._fingerprint import digest_of_files
from sktransfer.exceptions import BackboneError

# Endings of files that decide transcripts.
_ENDINGS = {".bin", ".json", ".safetensors", ".txt"}


@dataclass(frozen=True)
class SpeechFolder:
    """The folder of a speech model.

    Attributes
    ----------
    name : str
        Name by which users request the model.
    path : Path
        The folder.
    source : {"bundled", "huggingface", "ctranslate2"}
        Where the model comes from.
    """

    name: str
    path: Path
    source: str

    @property
    def is_converted(self) -> bool:
        """Whether the weights are in the format of CTranslate2."""
        return (self.path / "model.bin").is_file()

    def fingerprint(self) -> str:
        """Return a digest of all files that decide transcripts."""
        return digest_of_files(self.path, _ENDINGS)


def speech_folder(name: str, *, converted: bool) -> SpeechFolder:
    """Return the folder of a model of this name.

    Parameters
    ----------
    name : str
        A bundled name, a local folder or a Hugging Face id.
    converted : bool
        Whether the weights must be in the format of CTranslate2.

    Raises
    ------
    BackboneError
        If there is no such model, or it is of another kind or format.
    WeightsError
        If the weights of a bundled model are missing or changed.
    """
    if bundled.owns(name):
        path = bundled.folder_of(name, modality="audio")
        return SpeechFolder(name, path, bundled.NAME)
    local = expanded(name)
    if (local / "model.bin").is_file():
        return SpeechFolder(name, local, "ctranslate2")
    if not local.is_dir() and not huggingface.owns(name):
        raise BackboneError(
            f"There is no speech model {name!r}: pass 'whisper-tiny.en', the folder of a Whisper "
            "model of CTranslate2 or transformers, or a Hugging Face id, 'organisation/name'."
        )
    if converted and not local.is_dir():
        raise BackboneError(
            f"With engine='ctranslate2' a model is bundled or a local folder, which {name!r} is "
            f"not: fetch one in its format (`hf download {name}`) and pass its folder, or set "
            "engine='transformers'."
        )
    path = huggingface.folder_of(str(local) if local.is_dir() else name)
    if converted:
        raise BackboneError(
            f"{str(path)!r} is not in the format of CTranslate2 (model.bin): set "
            "engine='transformers', or convert it with ct2-transformers-converter."
        )
    return SpeechFolder(name, path, huggingface.NAME)
