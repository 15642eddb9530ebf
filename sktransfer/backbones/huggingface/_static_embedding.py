"""Tables of token vectors, as the module StaticEmbedding of sentence-transformers has one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sktransfer.backbones._network import POOLED, CachedActivation
from sktransfer.backbones._weights import StateDict
from sktransfer.backbones.huggingface._folder import read_json
from sktransfer.backbones.huggingface._staged_transformer import SentenceNetwork
from sktransfer.exceptions import BackboneError, WeightsError
from sktransfer.modalities import mask_of
from sktransfer.modalities.text import TextTokenizer

# More tokens than a text can have; there are no positions.
NO_LIMIT = 2**31


class StaticNetwork(SentenceNetwork):
    """One stage, "embeddings": a vector per token. The last row of the table is that of padding.

    Parameters
    ----------
    tokens, width : int
        Shape of the table without padding.
    **how
        As for `SentenceNetwork`.
    """

    pools = True

    def __init__(self, tokens: int, width: int, **how: Any) -> None:
        super().__init__(**how)
        self.embedding = nn.Embedding(tokens + 1, width, padding_idx=tokens)
        self.stages = {"embeddings": self.embedding}

    def forward(
        self, inputs: Any, until: str = POOLED, cached: CachedActivation | None = None
    ) -> torch.Tensor:
        """Look up the vectors of the tokens; "pooled" gives (n, d)."""
        tokens = self.embedding(inputs["input_ids"]) if cached is None else cached.activation
        return tokens if until != POOLED else self.pooled(tokens, mask_of(inputs))


def table_of(state: StateDict, *, name: str) -> torch.Tensor:
    """Return the vectors of all tokens from a checkpoint of StaticEmbedding or model2vec.

    Raises
    ------
    WeightsError
        If it holds no table.
    """
    if "embedding.weight" in state:
        return state["embedding.weight"].float()
    if "embeddings" not in state:
        raise WeightsError(
            f"The weights of {name!r} hold no table of token vectors: neither 'embedding.weight' "
            "nor 'embeddings' is there."
        )
    table = state["embeddings"].float()
    if "mapping" in state:
        table = table[state["mapping"].long()]
    return table * state["weights"].float()[:, None] if "weights" in state else table


def fill_table(network: StaticNetwork, table: torch.Tensor) -> None:
    """Set the vectors of all tokens; that of padding is zero, as is the mean of no tokens."""
    with torch.no_grad():
        network.embedding.weight.copy_(nn.functional.pad(table, (0, 0, 0, 1)))


def static_tokenizer(folder: Path, *, pad_id: int, prefix: str) -> tuple[TextTokenizer, int]:
    """Return a tokenizer that adds no special tokens, and the number of tokens that it keeps.

    Raises
    ------
    BackboneError
        If the file is damaged or missing, or cuts texts at their start.
    """
    from tokenizers import Tokenizer

    content = read_json(folder / "tokenizer.json")
    truncation = content.get("truncation") or {}
    if truncation.get("direction", "Right") != "Right":
        raise BackboneError(f"The tokenizer in {str(folder)!r} cuts texts at their start.")
    try:
        found = Tokenizer.from_str(json.dumps({**content, "post_processor": None}))
    except Exception as error:  # the library raises bare exceptions
        raise BackboneError(f"The tokenizer in {str(folder)!r} is damaged: {error}.") from error
    return TextTokenizer(found, pad_id=pad_id, prefix=prefix), truncation.get(
        "max_length", NO_LIMIT
    )
