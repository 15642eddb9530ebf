"""Scores of all tokens of a vocabulary."""

from __future__ import annotations

import torch
from torch import nn


class VocabularyHead(nn.Module):
    """BERT's head for masked tokens, tied to the word embeddings.

    Parameters
    ----------
    n_features : int
        Length of the features of a row, which it does not read.
    width : int
        Length of the features of a token.
    n_tokens, n_embedded : int
        Shape of the word embeddings.
    """

    def __init__(self, n_features: int, width: int, n_tokens: int, n_embedded: int) -> None:
        super().__init__()
        self.n_features, self.n_outputs = n_features, n_tokens
        dtype = torch.float32  # whatever torch's default is
        self.transform = nn.Sequential(
            nn.Linear(width, n_embedded, dtype=dtype),
            nn.GELU(),
            nn.LayerNorm(n_embedded, eps=1e-12, dtype=dtype),
        )
        self.bias = nn.Parameter(torch.zeros(n_tokens, dtype=dtype))

    def forward(self, features: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
        """Return scores (n, n_tokens) of features (n, width) by the word embeddings."""
        return nn.functional.linear(self.transform(features), embeddings, self.bias)
