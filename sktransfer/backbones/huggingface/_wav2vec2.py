"""Wav2Vec2 and its relatives, with statistics of each row alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sktransfer.backbones.huggingface._sounds import are_filled, inside_rows
from sktransfer.backbones.huggingface._staged_transformer import running_pass


class _RowNorm(nn.GroupNorm):
    """A norm of each channel over time that does not see what is behind a row.

    Attributes
    ----------
    convolutions : list of tuple of int
        Kernel and stride of each convolution before it.
    """

    convolutions: list[tuple[int, int]]

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Normalize (n, channels, length)."""
        inside = _inside(self.convolutions, hidden)
        if are_filled(inside):
            return super().forward(hidden)
        total = inside.sum(2, keepdim=True)
        mean = (hidden * inside).sum(2, keepdim=True) / total
        variance = ((hidden - mean).square() * inside).sum(2, keepdim=True) / total
        scaled = (hidden - mean) * (variance + self.eps).rsqrt()
        return scaled * self.weight[:, None] + self.bias[:, None]


class _RowBatchNorm(nn.BatchNorm1d):
    """A batch norm that leaves zeros behind a row.

    Attributes
    ----------
    convolutions : list of tuple of int
        Kernel and stride of each convolution before it.
    """

    convolutions: list[tuple[int, int]]

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Normalize (n, channels, length)."""
        return super().forward(hidden) * _inside(self.convolutions, hidden)


def _inside(convolutions: list[tuple[int, int]], hidden: torch.Tensor) -> torch.Tensor:
    """Return (n, 1, length), True where the output of convolutions belongs to a row."""
    counts = running_pass().samples
    if counts is None:
        return hidden.new_ones(len(hidden), 1, hidden.shape[2], dtype=torch.bool)
    for kernel, stride in convolutions:
        counts = (counts - kernel) // stride + 1
    return inside_rows(counts, hidden.shape[2])[:, None]


def norm_rows(model: Any) -> None:
    """Make the features of a row of a model independent of the longest row beside it.

    Layers that are left out at random, and masks that the model draws from NumPy's global
    generator in training, are switched off as well.
    """
    model.config.layerdrop = 0.0
    model.config.apply_spec_augment = False
    layers = model.feature_extractor.conv_layers
    convolutions = [(layer.conv.kernel_size[0], layer.conv.stride[0]) for layer in layers]
    first = getattr(layers[0], "layer_norm", None)
    if isinstance(first, nn.GroupNorm):
        _turn(first, _RowNorm, convolutions[:1])
    if (norm := getattr(model.encoder.pos_conv_embed, "batch_norm", None)) is not None:
        _turn(norm, _RowBatchNorm, convolutions)


def _turn(norm: Any, kind: type, convolutions: list[tuple[int, int]]) -> None:
    norm.__class__, norm.convolutions = kind, convolutions
