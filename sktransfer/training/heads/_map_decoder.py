"""A feature pyramid over the maps of several stages, and a class per place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import prod

import torch
from torch import nn
from torch.nn import functional

from sktransfer.backbones import unpacked

# Groups of channels that are normalized together, whatever the batch.
_GROUPS = 8
# Lowest deviation of a channel that is scaled up, as a share of the median.
_LOWEST = 0.1


class MapDecoder(nn.Module):
    """Maps of several sizes joined from the coarsest to the finest.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Height, width and channels of each map in a packed row, the finest first.
    n_outputs : int
        Number of classes.
    finest : tuple of int
        Least height and width of the scores.
    width : int
        Channels of the pyramid.
    dropout : float
        Share of the channels that a training step leaves out.

    References
    ----------
    Lin et al., Feature Pyramid Networks for Object Detection, 2017, https://arxiv.org/abs/1612.03144;
    Kirillov et al., Panoptic Feature Pyramid Networks, 2019, https://arxiv.org/abs/1901.02446
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, int, int]],
        n_outputs: int,
        finest: tuple[int, int],
        *,
        width: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.shapes = [*shapes]
        self.n_outputs = n_outputs
        self.n_features = sum(shape[2] for shape in shapes)
        self.mean: torch.Tensor
        self.deviation: torch.Tensor
        self.register_buffer("mean", torch.zeros(self.n_features))
        self.register_buffer("deviation", torch.ones(self.n_features))
        self.sides = nn.ModuleList(nn.Conv2d(shape[2], width, 1) for shape in shapes)
        self.blocks = nn.ModuleList(_block(width) for _ in shapes)
        self.finer = nn.ModuleList(_block(width) for _ in range(_doublings(shapes[0], finest)))
        self.dropout = nn.Dropout2d(dropout)
        self.scores = nn.Conv2d(width, n_outputs, 1)
        self.to(torch.float32)

    @torch.no_grad()
    def start(self, features: torch.Tensor, bias: torch.Tensor) -> None:
        """Set mean and deviation of channels from packed rows (n, d), and the bias of scores."""
        self.scores.bias.copy_(bias)  # type: ignore[union-attr]
        means, deviations = [], []
        for part in unpacked(features, self.shapes):
            places = part.flatten(0, 2)
            deviation, mean = torch.std_mean(places, 0, correction=0)
            lowest = (_LOWEST * deviation.median()).clamp(min=1e-6)
            means.append(mean)
            deviations.append(deviation.clamp(min=lowest))
        self.mean.copy_(torch.cat(means))
        self.deviation.copy_(torch.cat(deviations))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return scores (n, k, height, width) of packed rows (n, d)."""
        maps = [side(part) for side, part in zip(self.sides, self._scaled(features), strict=True)]
        found = self.blocks[-1](maps[-1])
        for part, block in zip(maps[-2::-1], self.blocks[-2::-1], strict=True):
            found = block(part + _resized(found, part.shape[2:]))
        for block in self.finer:
            found = block(_resized(found, [2 * side for side in found.shape[2:]]))
        return self.scores(self.dropout(found))

    def means(self, features: torch.Tensor) -> torch.Tensor:
        """Return the mean over its places of each map, one after another, (n, n_features)."""
        return torch.cat([part.mean((1, 2)) for part in unpacked(features, self.shapes)], 1)

    def _scaled(self, features: torch.Tensor) -> list[torch.Tensor]:
        ends = [0, *accumulate(shape[2] for shape in self.shapes)]
        parts = unpacked(features, self.shapes)
        return [
            ((part - self.mean[start:end]) / self.deviation[start:end]).permute(0, 3, 1, 2)
            for part, (start, end) in zip(parts, pairwise(ends), strict=True)
        ]


def _block(width: int) -> nn.Sequential:
    conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.GroupNorm(_GROUPS, width), nn.ReLU())


def _doublings(shape: Sequence[int], finest: tuple[int, int]) -> int:
    """Return how often a map must be doubled to have as many places as wanted."""
    places, count = shape[0] * shape[1], 0
    while places * 4**count < prod(finest):
        count += 1
    return count


def _resized(maps: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    if tuple(maps.shape[2:]) == tuple(size):
        return maps
    return functional.interpolate(maps, tuple(size), mode="bilinear", align_corners=False)
