"""Wav2Vec2 and its relatives, with statistics of each row alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sktransfer.backbones.huggingface._sounds import inside_rows
from sktransfer.backbones.huggingface._staged_transformer import running_pass


class _RowNorm(nn.GroupNorm):
    """A norm of each channel over time that does not see what is behind a row.

    Attributes
    ----------
    kernel, stride : int
        Of the convolution before it.
    """

    kernel: int
    stride: int

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Normalize (n, channels, length)."""
        samples = running_pass().samples
        if samples is None:
            return super().forward(hidden)
        counts = (samples - self.kernel) // self.stride + 1
        inside = inside_rows(counts, hidden.shape[2])[:, None]
        if bool(inside.all()):
            return super().forward(hidden)
        total = counts[:, None, None]
        mean = (hidden * inside).sum(2, keepdim=True) / total
        variance = ((hidden - mean).square() * inside).sum(2, keepdim=True) / total
        scaled = (hidden - mean) * (variance + self.eps).rsqrt()
        return scaled * self.weight[:, None] + self.bias[:, None]


def norm_rows(model: Any) -> None:
    """Make the features of a row of a model independent of the longest row beside it.

    Layers that are left out at random, and masks that the model draws from NumPy's global
    generator in training, are switched off as well.
    """
    model.config.layerdrop = 0.0
    model.config.apply_spec_augment = False
    first = model.feature_extractor.conv_layers[0]
    norm = getattr(first, "layer_norm", None)
    if isinstance(norm, nn.GroupNorm):
        norm.__class__ = _RowNorm
        norm.kernel, norm.stride = first.conv.kernel_size[0], first.conv.stride[0]
