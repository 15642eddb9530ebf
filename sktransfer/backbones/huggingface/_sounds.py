"""Recipes of sounds from ``preprocessor_config.json``, and what networks read of waveforms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sktransfer.backbones._spectrogram import LogMel, MelSettings
from sktransfer.backbones.huggingface._folder import (
    check_settings,
    is_number,
    is_size,
    read_json,
    refuse_settings,
)
from sktransfer.backbones.huggingface._transformers import feature_extractor_of, mel_filters
from sktransfer.exceptions import BackboneError
from sktransfer.modalities import SAMPLES, WAVEFORM
from sktransfer.modalities.audio import AudioRecipe

# Seconds of a chunk for networks that take any length: attention grows with its square.
_CHUNK = 30

# Names of transformers for how CLAP's clips are filled up.
_FILLS = {"repeatpad": "repeat", "pad": "silence"}

# Settings, and whether a value is one of them.
_KINDS = {
    "sampling_rate": is_size,
    "feature_size": is_size,
    "num_mel_bins": is_size,
    "hop_length": is_size,
    "n_fft": is_size,
    "chunk_length": is_size,
    "max_length": is_size,
    "max_length_s": is_size,
    "fft_window_size": is_size,
    "mean": is_number,
    "std": lambda value: is_number(value) and value > 0,
    "frequency_min": is_number,
    "frequency_max": is_number,
    "do_normalize": lambda value: isinstance(value, bool),
    "padding": lambda value: value in _FILLS,
}

# Settings that change features, and the one value of each that is implemented.
_SETTINGS = {"dither": 0.0, "padding_value": 0.0, "padding_side": "right"}


def audio_recipe(folder: Path, config: Any, reader: str) -> tuple[AudioRecipe, dict[str, Any]]:
    """Return the recipe stated in a folder, and what reads waveforms for the network.

    Parameters
    ----------
    folder : Path
        Of the model.
    config : transformers config
        Of the network.
    reader : {"whisper", "waveform", "ast", "clap"}
        What the network reads.

    Returns
    -------
    recipe : AudioRecipe
        How cells become waveforms.
    sound : dict
        Plain JSON: the name of the reader, its settings, for `reader_of`, and the content of
        transformers' ``preprocessor_config.json``.
    """
    path = folder / "preprocessor_config.json"
    together = read_json(folder / "processor_config.json", default={})
    stated = read_json(path, default={}) or together.get("feature_extractor") or {}
    return stated_recipe(stated, config, reader, path=path)


def stated_recipe(
    stated: Mapping[str, Any], config: Any, reader: str, *, path: Path
) -> tuple[AudioRecipe, dict[str, Any]]:
    """Return the recipe that settings state, and the rest as `audio_recipe` does."""
    check_settings(stated, _KINDS, path)
    needed = _needed(config, reader)
    extractor = feature_extractor_of(_EXTRACTORS[reader], {**needed, **stated}, path)
    supported = {**_SETTINGS, **needed}
    refuse_settings({name: getattr(extractor, name, None) for name in supported}, supported, path)
    recipe, settings = _RECIPES[reader](extractor, config)
    recipe.check(None)
    content = json.loads(extractor.to_json_string())
    return recipe, {"reader": reader, "settings": settings, "extractor": content}


def reader_of(sound: Mapping[str, Any]) -> nn.Module:
    """Return the module that turns waveforms into the arguments of a model."""
    if sound["reader"] not in _READERS:
        raise BackboneError(f"reader={sound['reader']!r} is none of {', '.join(_READERS)}.")
    return _READERS[sound["reader"]](**sound["settings"])


class MelReader(nn.Module):
    """Base class of what reads the log-mel spectrogram of waveforms."""

    def __init__(self, mel: Mapping[str, Any]) -> None:
        super().__init__()
        settings = MelSettings.from_dict(mel)
        self.mel = LogMel(settings, mel_filters(settings))


class WhisperReader(MelReader):
    """Log-mel spectrogram of 8 decades below its maximum, as Whisper's feature extractor."""

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return ``input_features`` (n, bands, frames), zero behind each row, and ``frames``."""
        samples = inputs[SAMPLES]
        spectrogram = self.mel(inputs[WAVEFORM], samples)[:, :-1]
        frames = samples // self.mel.settings.hop
        inside = inside_rows(frames, spectrogram.shape[1])[..., None]
        highest = spectrogram.where(inside, spectrogram.new_tensor(-torch.inf))
        spectrogram = spectrogram.maximum(highest.amax((1, 2), keepdim=True) - 8.0)
        features = (spectrogram + 4.0) / 4.0 * inside
        return {"input_features": features.transpose(1, 2), "frames": frames}


class WaveformReader(nn.Module):
    """Waveforms as they are, with a mask of their samples."""

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return ``input_values`` and ``attention_mask`` (n, samples)."""
        waveform = inputs[WAVEFORM]
        mask = inside_rows(inputs[SAMPLES], waveform.shape[1])
        return {"input_values": waveform, "attention_mask": mask.long()}


class AstReader(MelReader):
    """Normalized filter bank energies; frames behind a clip are zeros before the normalization."""

    def __init__(self, mel: Mapping[str, Any], frames: int, mean: float, std: float) -> None:
        super().__init__(mel)
        self.n_frames, self.mean, self.std = frames, mean, std

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return ``input_values`` (n, frames, bands)."""
        samples = inputs[SAMPLES]
        energies = self.mel(inputs[WAVEFORM], samples)[:, : self.n_frames]
        inside = inside_rows(self.mel.frames(samples), energies.shape[1])[..., None]
        energies = energies.where(inside, energies.new_zeros(()))
        energies = nn.functional.pad(energies, (0, 0, 0, self.n_frames - energies.shape[1]))
        return {"input_values": (energies - self.mean) / (2 * self.std)}

    def extra_repr(self) -> str:
        """Show the normalization."""
        return f"frames={self.n_frames}, mean={self.mean}, std={self.std}"


class ClapReader(MelReader):
    """Spectrogram in decibels, of models that fuse views of long clips in place of all four.

    transformers marks one clip per batch as long where none is, so a clip alone is always marked;
    here every clip is.
    """

    def __init__(self, mel: Mapping[str, Any], views: int) -> None:
        super().__init__(mel)
        self.views = views

    def forward(self, waveform: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``input_features`` (n, views, frames, bands) and ``is_longer`` (n, 1)."""
        rows, length = waveform.shape
        spectrogram = self.mel(waveform, waveform.new_full((rows,), length, dtype=torch.int64))
        return {
            "input_features": spectrogram[:, None].expand(-1, self.views, -1, -1),
            "is_longer": waveform.new_ones(rows, 1, dtype=torch.bool),
        }

    def extra_repr(self) -> str:
        """Show the number of views."""
        return f"views={self.views}"


_READERS: dict[str, Any] = {
    "whisper": WhisperReader,
    "waveform": WaveformReader,
    "ast": AstReader,
    "clap": ClapReader,
}

_EXTRACTORS = {
    "whisper": "WhisperFeatureExtractor",
    "waveform": "Wav2Vec2FeatureExtractor",
    "ast": "ASTFeatureExtractor",
    "clap": "ClapFeatureExtractor",
}


def inside_rows(counts: torch.Tensor, length: int) -> torch.Tensor:
    """Return (n, length), True at the first `counts` places of each row."""
    return torch.arange(length, device=counts.device) < counts[:, None]


def are_filled(inside: torch.Tensor) -> bool:
    """Return whether nothing is behind any row; False where that is not known, in an export."""
    return not torch.compiler.is_exporting() and bool(inside.all())


def _needed(config: Any, reader: str) -> dict[str, Any]:
    """Return the settings of a feature extractor that a model of this config needs."""
    if reader == "waveform":
        return {"feature_size": 1}
    if reader == "ast":
        return {"num_mel_bins": config.num_mel_bins, "max_length": config.max_length}
    needed = {"feature_size": config.num_mel_bins}
    if reader == "clap":
        needed["truncation"] = "fusion" if config.enable_fusion else "rand_trunc"
    return needed


def _whisper(extractor: Any, config: Any) -> tuple[AudioRecipe, dict[str, Any]]:
    rate, hop = extractor.sampling_rate, extractor.hop_length
    mel = MelSettings(
        rate, extractor.n_fft, hop, extractor.n_fft, extractor.feature_size, 0.0, 8_000.0
    )
    positions = min(config.max_source_positions, extractor.nb_max_frames // 2)
    recipe = AudioRecipe(
        rate, 2 * hop, 2 * hop, longest=2 * hop * positions, partial=True, masked=True
    )
    return recipe, {"mel": mel.to_dict()}


def _waveform(extractor: Any, config: Any) -> tuple[AudioRecipe, dict[str, Any]]:
    window, hop = 1, prod(config.conv_stride)
    for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
        window = (window - 1) * stride + kernel
    recipe = AudioRecipe(
        extractor.sampling_rate,
        window,
        hop,
        longest=_CHUNK * extractor.sampling_rate,
        standardize=extractor.do_normalize,
        masked=True,
    )
    return recipe, {}


def _ast(extractor: Any, config: Any) -> tuple[AudioRecipe, dict[str, Any]]:
    mel = MelSettings(
        extractor.sampling_rate,
        frame=400,
        hop=160,
        n_fft=512,
        bands=extractor.num_mel_bins,
        lowest=20.0,
        highest=extractor.sampling_rate // 2,
        scale="kaldi",
        area=False,
        centered=False,
        periodic=False,
        emphasis=0.97,
        floor=1.192092955078125e-07,
        log="ln",
    )
    frames = extractor.max_length
    # Unnormalized energies are those of mean 0 and half a deviation of 1.
    mean, std = (extractor.mean, extractor.std) if extractor.do_normalize else (0.0, 0.5)
    recipe = _clip_recipe(extractor.sampling_rate, 400 + 160 * (frames - 1), "silence")
    how = {"mel": mel.to_dict(), "frames": frames, "mean": mean, "std": std}
    return replace(recipe, masked=True), how


def _clap(extractor: Any, config: Any) -> tuple[AudioRecipe, dict[str, Any]]:
    fuses = extractor.truncation == "fusion"
    frame = extractor.fft_window_size
    mel = MelSettings(
        extractor.sampling_rate,
        frame,
        extractor.hop_length,
        frame,
        extractor.feature_size,
        extractor.frequency_min,
        extractor.frequency_max,
        scale="htk" if fuses else "slaney",
        area=not fuses,
        log="dB",
    )
    fill = _FILLS[extractor.padding]
    recipe = _clip_recipe(extractor.sampling_rate, extractor.nb_max_samples, fill)
    return recipe, {"mel": mel.to_dict(), "views": 4 if fuses else 1}


def _clip_recipe(rate: int, longest: int, fill: Any) -> AudioRecipe:
    return AudioRecipe(rate, longest, longest, longest=longest, fill=fill, timed=False)


_RECIPES = {"whisper": _whisper, "waveform": _waveform, "ast": _ast, "clap": _clap}
