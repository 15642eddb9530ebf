"""A toy modality that follows CONTRIBUTING's recipe: waveforms of one length, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xxhash

from sktransfer._parameters import parameter, with_parameters
from sktransfer.embedders import BaseEmbedder
from sktransfer.exceptions import BadCellError
from sktransfer.finetune import FineTunedClassifier
from sktransfer.modalities import MODALITIES, Modality, Preparer, Recipe


@dataclass(frozen=True)
class WaveformRecipe(Recipe):
    modality: ClassVar[str] = "waveform"
    samples: int = 64

    def blank(self, rows):
        return torch.zeros(rows, 1, 1, self.samples)


class WaveformPreparer(Preparer):
    def __init__(self, recipe):
        self.recipe = recipe

    def prepare(self, cell, digest):
        wave = np.asarray(cell, dtype=np.float32)
        if wave.shape != (self.recipe.samples,):
            raise BadCellError(f"a waveform has {self.recipe.samples} samples, not {wave.shape}")
        return wave

    def collate(self, items, device):
        return torch.from_numpy(np.stack(items)[:, None, None]).to(device)

    def budget(self, on_cpu):
        return 8


class WaveformModality(Modality):
    name = noun = "waveform"
    library = "numpy"
    recipe_type = WaveformRecipe

    def digest(self, cells, memo):
        return cells, [xxhash.xxh3_128_digest(np.asarray(c, "<f4").tobytes()) for c in cells]

    def bind(self, backbone):
        return WaveformPreparer(backbone.recipe)


MODALITIES["waveform"] = WaveformModality


@with_parameters
class WaveformEmbedder(BaseEmbedder):
    backbone: Any = parameter(kw_only=False)

    def _modality(self):
        return WaveformModality()


@with_parameters
class WaveformClassifier(FineTunedClassifier):
    backbone: Any = parameter(kw_only=False)

    def _modality(self):
        return WaveformModality()
