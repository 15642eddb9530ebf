"""Statistics of log-mel spectrograms: the plain baseline for features of sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import POOLED, CachedActivation, StagedNetwork, pool
from sktransfer.backbones._spectrogram import LogMel, MelSettings
from sktransfer.exceptions import WeightsError
from sktransfer.modalities import MASK
from sktransfer.modalities.audio import AudioRecipe

NAME = "log_mel"
BACKBONE = "log-mel"

_MEL = MelSettings(16_000, 400, 160, 512, 64, 0.0, 8_000.0, centered=False, log="ln")
_POOLING = "mean+std"


def owns(name: str) -> bool:
    """Return whether `name` is that of the baseline."""
    return name == BACKBONE


def rows() -> list[dict[str, Any]]:
    """Return the rows of `list_backbones`."""
    return [
        {
            "name": BACKBONE,
            "modality": "audio",
            "parameters": 0,
            "feature_size": 2 * _MEL.bands,
            "input_size": None,
            "licence": "BSD-3-Clause",
            "on_this_machine": True,
        }
    ]


def load(
    name: str, *, weights: str | Path | None, modality: str, random_state: int = 0
) -> Backbone:
    """Return mean and standard deviation over time of 64 log-mel bands."""
    if weights not in ("pretrained", None):
        raise WeightsError(f"{name!r} has no weights; weights={str(weights)!r} cannot be loaded.")
    recipe = AudioRecipe(_MEL.sampling_rate, _MEL.frame, _MEL.hop, masked=True, pooling=_POOLING)
    return Backbone(
        name,
        source=NAME,
        network=_network(),
        recipe=recipe,
        licence="BSD-3-Clause",
        blueprint={"builder": NAME},
    )


def original(blueprint: Any, recipe: Any) -> nn.Module:
    """Return the spectrogram."""
    from sktransfer.backbones.huggingface import mel_filters

    return LogMel(_MEL, mel_filters(_MEL))


def staged(model: Any, blueprint: Any, recipe: Any) -> StagedNetwork:
    """Return the network of a spectrogram."""
    return _Statistics(model)


def _network() -> StagedNetwork:
    return staged(original(None, None), None, None)


class _Statistics(StagedNetwork):
    """One stage, the spectrogram, and its statistics."""

    layout = "NLC"
    pools = True

    def __init__(self, mel: LogMel) -> None:
        super().__init__()
        self.stages = nn.ModuleDict({"log_mel": mel})

    def forward(
        self, inputs: Any, until: str = POOLED, cached: CachedActivation | None = None
    ) -> torch.Tensor:
        """Return the spectrogram (n, frames, bands), or its mean and deviation (n, 2 bands)."""
        mask = inputs[MASK]
        spectrogram = cached.activation if cached else None
        if spectrogram is None:
            mel = self.stages["log_mel"]
            spectrogram = mel(inputs["waveform"], inputs["samples"])[:, : mask.shape[1]]
        return spectrogram if until != POOLED else pool(spectrogram, _POOLING, self, mask)
