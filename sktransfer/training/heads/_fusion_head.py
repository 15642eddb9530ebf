"""A linear layer on the standardized features of several towers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import torch

from sktransfer.training.heads._linear import LinearHead, limited

# A head on few features learns as fast as one on so many.
_LEAST_WIDTH = 256


class FusionHead(LinearHead):
    """Late fusion: standardized blocks of equal weight, blanks for missing ones, a linear layer.

    Each block is divided by the root of its width, so that a wide one does not drown the others,
    and multiplied by the root of the mean width, of 256 at least: with one tower that is as wide,
    the head is a `LinearHead`. Without this, some dozens of steps would hardly move a head on a few
    numbers. The blank of a block is learned; it starts as the mean of its features.

    Parameters
    ----------
    widths : sequence of int
        Number of features of each tower, in order.
    n_outputs : int
        k.
    dropout : float
        Share of the features that a training step leaves out.
    tower_dropout : float
        Probability with which a training step replaces a tower of a row by its blank. One tower
        at least that has features is kept.
    weighted : collection of int
        Numbers of towers whose features have weights already: these are divided by one deviation.
    """

    def __init__(
        self,
        widths: Sequence[int],
        n_outputs: int,
        dropout: float = 0.0,
        tower_dropout: float = 0.0,
        weighted: Collection[int] = (),
    ) -> None:
        super().__init__(sum(widths), n_outputs, dropout)
        self.widths = tuple(widths)
        self.tower_dropout = tower_dropout
        self.weighted = weighted
        self.blank = torch.nn.Parameter(torch.zeros(sum(widths), dtype=torch.float32))
        mean = max(sum(widths) / len(widths), _LEAST_WIDTH)
        scale = [(mean / width) ** 0.5 for width in widths for _ in range(width)]
        self.scale: torch.Tensor
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))

    @torch.no_grad()
    def start(self, features: torch.Tensor, bias: torch.Tensor) -> None:
        """Set mean and deviation of each block from features (n, d), and the bias (k,)."""
        self.linear.bias.copy_(bias)
        ends = torch.tensor(self.widths).cumsum(0).tolist()
        for number, (width, end) in enumerate(zip(self.widths, ends, strict=True)):
            block = slice(end - width, end)
            self._standardize(features[:, block], block, as_one=number in self.weighted)

    def fused(self, features: torch.Tensor) -> torch.Tensor:
        """Return standardized and weighted features, with blanks in place of NaN."""
        known = (features - self.mean) / self.deviation
        return torch.where(features.isnan(), self.blank, known) * self.scale

    def forward(
        self, features: torch.Tensor, blend: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Return outputs (n, k) of features (n, d), or of what `blend` makes of the fused ones."""
        fused = self.fused(self._thinned(features))
        return self.linear(self.dropout(fused if blend is None else blend(fused)))

    def _thinned(self, features: torch.Tensor) -> torch.Tensor:
        """Return features in which some towers of some rows are missing, in training."""
        if not (self.training and self.tower_dropout):
            return features
        drawn = torch.rand(len(features), len(self.widths), device=features.device)
        kept = drawn >= self.tower_dropout
        blocks = features.split(self.widths, dim=1)
        present = torch.stack([~block.isnan().all(1) for block in blocks], dim=1)
        kept |= ~(kept & present).any(1, keepdim=True)
        widths = torch.tensor(self.widths, device=features.device)
        return features.masked_fill(~kept.repeat_interleave(widths, dim=1), torch.nan)

    def _standardize(self, features: torch.Tensor, block: slice, *, as_one: bool) -> None:
        """Set mean and deviation of a block from the values that are not missing."""
        mean = features.nanmean(0).nan_to_num(0.0)
        variance = (features - mean).square().nanmean(0).nan_to_num(0.0)
        deviation = (variance.mean().expand_as(mean) if as_one else variance).sqrt()
        self.mean[block] = mean
        self.deviation[block] = limited(deviation, mean)
