"""The encoder of Whisper on clips of any length up to its longest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from sktransfer.backbones.huggingface._sounds import are_filled, inside_rows
from sktransfer.backbones.huggingface._staged_transformer import HuggingFaceNetwork, running_pass


class WhisperNetwork(HuggingFaceNetwork):
    """The encoder of Whisper, with positions as far as the longest row of a batch.

    transformers' own forward pass takes clips that are filled up to 30 seconds only. Here rows
    have the length of their clips; what is behind one is neither read by the convolutions nor
    attended to.
    """

    def _run(self, inputs: Any) -> Any:
        now = running_pass()
        assert self.reader is not None
        read = self.reader(inputs)
        positions = read["frames"] // 2
        longest = read["input_features"].shape[2] // 2
        inside = inside_rows(positions, longest)
        mask = None if are_filled(inside) else inside[:, None, None]
        hidden = now.cached
        if hidden is None:
            hidden = self._embedded(read["input_features"], read["frames"])
        for layer in self.model.layers:
            hidden = layer(hidden, mask)
        return SimpleNamespace(last_hidden_state=self.model.layer_norm(hidden))

    def _embedded(self, features: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        model, gelu = self.model, nn.functional.gelu
        hidden = gelu(model.conv1(features))
        # The next convolution must read zeros behind a row, as it does behind the longest.
        hidden = gelu(model.conv2(hidden * inside_rows(frames, hidden.shape[2])[:, None]))
        hidden = hidden.transpose(1, 2)
        hidden = hidden + model.embed_positions.weight[: hidden.shape[1]]
        return nn.functional.dropout(hidden, model.config.dropout, self.training)
