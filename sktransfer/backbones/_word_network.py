"""A network of texts that gives a vector per word, from windows of tokens."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import POOLED, CachedActivation, Layout, StagedNetwork, pool
from sktransfer.exceptions import BackboneError
from sktransfer.modalities import MASK, Recipe

# Of each backbone, the ones for words that were made of it.
_MADE: weakref.WeakKeyDictionary[Backbone, dict[Any, Backbone]] = weakref.WeakKeyDictionary()


class WordNetwork(StagedNetwork):
    """The stages of a network of texts up to one, and the words of its tokens.

    Parameters
    ----------
    network : StagedNetwork
        Its stages give tokens (n, tokens, d).
    last : str
        The last stage used.
    subwords : {"mean", "first"}
        Whether a word is the mean over its tokens, or its first token.
    """

    layout: Layout = "NLC"
    # Tokens of a stage in the middle have another order than words, which are kept.
    resumes: bool = False

    def __init__(self, network: StagedNetwork, last: str, subwords: str) -> None:
        super().__init__()
        self.network = network
        self.subwords = subwords
        names = list(network.stages)
        used = names[: names.index(last) + 1]
        # Plain containers, so that no parameter is registered under two names.
        self.stages = {name: network.stages[name] for name in used}
        self.unused = [network.stages[name] for name in names[len(used) :]]

    def forward(
        self, inputs: Any, until: str = POOLED, cached: CachedActivation | None = None
    ) -> torch.Tensor:
        """Return the words (n, words, d) of a stage; "pooled" gives their mean (n, d)."""
        stage = list(self.stages)[-1] if until == POOLED else until
        words = self._words(self._tokens(inputs, stage), inputs["words"])
        return words if until != POOLED else pool(words, "mean", self, inputs[MASK])

    def _tokens(self, inputs: Any, stage: str) -> torch.Tensor:
        """Return the tokens of all windows of each text, (n, windows * tokens, d)."""
        rows, windows, length = inputs["input_ids"].shape
        mask = inputs["token_mask"].flatten(0, 1)
        present = mask.any(1)
        some = {"input_ids": inputs["input_ids"].flatten(0, 1)[present], MASK: mask[present]}
        found = self.network(some, until=stage)
        if found.ndim != 3:
            raise BackboneError(f"Stage {stage!r} of this backbone gives no vector per token.")
        tokens = found.new_zeros(rows * windows, length, found.shape[-1])
        tokens[present] = found[:, :length]
        return tokens.unflatten(0, (rows, windows)).flatten(1, 2)

    def _words(self, tokens: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return a vector per word, given the positions of its tokens (n, words, pieces)."""
        rows, length, width = tokens.shape
        if self.subwords == "first":
            places = places[:, :, :1]
        shifts = torch.arange(rows, device=places.device)[:, None, None] * length
        # The last row of the table stands for no token, and is left out of means.
        places = torch.where(places < 0, rows * length, places + shifts)
        table = torch.cat([tokens.flatten(0, 1), tokens.new_zeros(1, width)])
        words = nn.functional.embedding_bag(
            places.flatten(0, 1), table, mode="mean", padding_idx=rows * length
        )
        return words.unflatten(0, (rows, -1))

    @property
    def inner(self) -> StagedNetwork:
        """The network of whole rows."""
        return self.network

    def extra_repr(self) -> str:
        """Show the last stage and what a word is."""
        return f"last={list(self.stages)[-1]}, subwords={self.subwords}"


def word_backbone(backbone: Backbone, layer: str | int, recipe: Recipe) -> Backbone:
    """Return the backbone that gives words instead of texts; one is made per layer and recipe.

    Parameters
    ----------
    backbone : Backbone
        Of texts.
    layer : str or int
        "middle", a name of a stage, or its index.
    recipe : Recipe
        How cells become words, with an attribute `subwords`.
    """
    if isinstance(backbone.network, WordNetwork):
        return backbone
    made = _MADE.setdefault(backbone, {})
    if (layer, recipe) not in made:
        middle = layer == "middle"
        name = backbone.resolve(len(backbone.stages) // 2 if middle else layer)
        if name == POOLED:
            raise BackboneError("layer='pooled' has one vector per text, not one per word.")
        network = WordNetwork(backbone.network, name, recipe.subwords)  # type: ignore[attr-defined]
        # Without a blueprint: its source builds the network of tokens.
        made[layer, recipe] = replace(backbone, network=network, recipe=recipe, blueprint=None)
    return made[layer, recipe]
