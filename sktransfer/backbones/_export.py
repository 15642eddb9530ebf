"""A trained network under the names, and in the form, of the library that it is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._weights import StateDict, load_strict

# Of outputs, relative to the largest: float32 rounds to a hundredth of this.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Export:
    """A trained network, and what is needed to give its weights the names of its source.

    Parameters
    ----------
    backbone : Backbone
        From which the training started.
    blueprint : mapping
        The backbone's, or that of a user's module: ``{"builder": "module", "module": module}``.
    network : StagedNetwork
        After the training, on the CPU, with weights named as in the backbone.
    recipe : Recipe
        How its cells are prepared.
    outputs : nn.Linear, optional
        From its features to the outputs.
    labels : sequence, optional
        Classes of the outputs.
    task : str
        Kind of the target: "classes", "labels", "values", or empty.
    """

    backbone: Backbone
    blueprint: Mapping[str, Any]
    network: Any
    recipe: Any
    outputs: nn.Linear | None = None
    labels: Sequence[Any] | None = None
    task: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether the source reads a folder: it then has a function ``write_folder``."""
        return hasattr(self._source, "write_folder")

    def write_folder(self, folder: Path) -> bool:
        """Write the model into an empty folder, as its source reads it.

        Returns
        -------
        bool
            Whether the outputs are in it.
        """
        self._source.write_folder(self, folder)
        return self.outputs is not None

    def state(self) -> tuple[StateDict, bool]:
        """Return the weights by the source's own names, and whether the outputs are among them.

        They are if the source's model ends in a linear layer in their place.
        """
        state, _ = self.renamed()
        whole = with_outputs(self.original(), state, self)
        return whole.state_dict() if whole else state, whole is not None

    def original(self) -> Any:
        """Return the source's own model with random weights."""
        return self._source.original(self.blueprint, self.backbone.recipe).float().eval()

    def renamed(self) -> tuple[StateDict, nn.Module]:
        """Return the weights by the source's own names, and the source's model with them.

        The model's modules are arranged as those of a `StagedNetwork`.
        """
        model, trained = self.original(), self.network.state_dict()
        own = model.state_dict(keep_vars=True)
        network = self._source.staged(model, self.blueprint, self.backbone.recipe)
        names = {id(tensor): name for name, tensor in network.state_dict(keep_vars=True).items()}
        network.load_state_dict(trained)
        state = {key: trained[names[id(t)]] for key, t in own.items() if id(t) in names}
        return state, model

    @property
    def _source(self) -> Any:
        return import_module(f"sktransfer.backbones.{self.blueprint['builder']}")


def with_outputs(model: Any, state: StateDict, export: Export) -> Any:
    """Return a model with the linear layer that gives the outputs.

    Parameters
    ----------
    model : nn.Module
        The whole model; it is changed.
    state : dict of str to Tensor
        Its weights without those of the linear layer.
    export : Export
        The network and the linear layer.

    Returns
    -------
    nn.Module or None
        None if the model has no such layer, or gives other outputs with it.
    """
    layer, rest = export.outputs, model.state_dict().keys() ^ state.keys()
    name = min(rest, default="").rpartition(".")[0]
    if layer is None or rest != {f"{name}.weight", f"{name}.bias"}:
        return None
    theirs = model.get_submodule(name)
    if not isinstance(theirs, nn.Linear) or theirs.in_features != layer.in_features:
        return None
    model.set_submodule(name, layer)
    whole = {**state, f"{name}.weight": layer.weight.data, f"{name}.bias": layer.bias.data}
    load_strict(model, whole, source=name)
    return model if _agrees(model, export) else None


@torch.inference_mode()
def _agrees(model: nn.Module, export: Export) -> bool:
    """Return whether a model gives the outputs of the network for some random cells."""
    assert export.outputs is not None
    inputs = export.recipe.examples(export.backbone.processor)[0]
    expected, found = export.outputs(export.network.eval()(inputs)), model.eval()(inputs)
    found = getattr(found, "logits", found)
    same = isinstance(found, torch.Tensor) and found.shape == expected.shape
    return same and bool((found - expected).abs().max() <= _TOLERANCE * expected.abs().max())
