"""Hooks that collect our estimators while a file is written or read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as tensors_to_bytes
from torch import nn

from sktransfer.backbones import Backbone, get_backbone
from sktransfer.base import StateHooks
from sktransfer.exceptions import OfflineError, PersistenceError, WeightsError
from sktransfer.persistence._manifest import Need

# Stands for a module given as the parameter `backbone`; no backbone can have such a name.
_MODULE = "<module {}>"


@dataclass
class SaveHooks(StateHooks):
    """State hooks that collect what estimators leave out of their states.

    Attributes
    ----------
    members : dict of str to bytes
        Trained weights, as members of the file.
    estimators : dict of int to estimator
        Each of our estimators, by its id.
    modules : set of str
        Classes of the modules given as backbones.
    """

    members: dict[str, bytes] = field(default_factory=dict)
    estimators: dict[int, Any] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)

    def on_getstate(self, estimator: Any, state: dict[str, Any]) -> dict[str, Any]:
        """Register the estimator, and replace a module or an enum's member by a name."""
        self.estimators[id(estimator)] = estimator
        if isinstance(state.get("weights"), Enum):
            state = {**state, "weights": str(state["weights"])}
        if isinstance(state["backbone"], nn.Module):
            self.modules.add(type(state["backbone"]).__name__)
            name = _MODULE.format(_module_fingerprint(estimator, state["backbone"]))
            return {**state, "backbone": name}
        return state

    def put_weights(self, estimator: Any, weights: dict[str, np.ndarray]) -> str:
        """Add a member with the weights, once per estimator, and return its name."""
        name = f"trained/{list(self.estimators).index(id(estimator))}.safetensors"
        if name not in self.members:
            tensors = {n: torch.from_numpy(array).contiguous() for n, array in weights.items()}
            self.members[name] = tensors_to_bytes(tensors)
        return name


@dataclass
class LoadHooks(StateHooks):
    """State hooks that collect estimators that are read, and complete them afterwards."""

    estimators: list[Any] = field(default_factory=list)

    def on_setstate(self, estimator: Any) -> None:
        """Register the estimator, after those that it holds."""
        self.estimators.append(estimator)

    def complete(
        self, members: dict[str, bytes], needs: Iterable[Need], modules: Iterable[nn.Module]
    ) -> None:
        """Rebuild what each estimator's state leaves out, and check its backbone.

        Raises
        ------
        WeightsError
            If a backbone is missing, or has changed since fit.
        """
        by_key = {(need.fingerprint, need.name, need.weights): need for need in needs}
        modules = list(modules)
        used: set[str] = set()

        def find(name: Any) -> dict[str, np.ndarray]:
            used.add(name)
            return {n: tensor.numpy() for n, tensor in load_tensors(members[name]).items()}

        for estimator in self.estimators:
            missing = estimator.get_params(deep=False).keys() - vars(estimator).keys()
            if missing:  # the class has defaults, but the file was written with a value
                raise PersistenceError(f"a {type(estimator).__name__} lacks {sorted(missing)}")
            key = _key_of(estimator)
            _put_module(estimator, modules)
            with _explained(by_key.get(key) if key else None):
                estimator._restore(find)
                if estimator.__sklearn_is_fitted__():
                    estimator._fitted_backbone()
        keys = {_key_of(estimator) for estimator in self.estimators} - {None}
        trained = {name for name in members if name.startswith("trained/")}
        if keys != by_key.keys() or trained != used:
            raise PersistenceError("its lists of weights are not those of its estimators")


def needs_of(estimators: Iterable[Any]) -> dict[Need, Backbone]:
    """Return the backbones that fitted estimators have by name."""
    found = {}
    for estimator in estimators:
        key = _key_of(estimator)
        if key is not None:
            backbone = estimator._fitted_backbone()
            found[Need(*key, backbone.modality, backbone.source, backbone.library)] = backbone
    return found


def _key_of(estimator: Any) -> tuple[str, str, str | None] | None:
    """Return fingerprint, name and weights of a backbone; None if unfitted or an estimator."""
    fingerprint, name = vars(estimator).get("fingerprint_"), estimator.backbone
    if fingerprint is None or not isinstance(name, str | Path | nn.Module):
        return None
    if isinstance(name, nn.Module):
        name = _MODULE.format(fingerprint)
    return fingerprint, str(name), None if estimator.weights is None else str(estimator.weights)


@contextmanager
def _explained(need: Need | None) -> Iterator[None]:
    """Add to an error about a backbone how the file describes it."""
    try:
        yield
    except WeightsError as error:
        if need is None:
            raise
        kind = OfflineError if isinstance(error, OfflineError) else WeightsError
        raise kind(
            f"{error} The file was saved with the backbone {need.name!r}, "
            f"weights={need.weights!r}, from {need.source!r}, run by "
            f"{need.library or 'your own code'}, fingerprint {need.fingerprint}. Install the same "
            "weights here, or save again where they are, with standalone=True."
        ) from error


def _module_fingerprint(estimator: Any, module: nn.Module) -> str:
    return get_backbone(module, modality=estimator._modality().name).fingerprint


def _put_module(estimator: Any, modules: list[nn.Module]) -> None:
    """Replace the name of a module by the module that the user passes."""
    name = estimator.backbone
    if not isinstance(name, str) or not name.startswith(_MODULE.partition("{")[0]):
        return
    for module in modules:
        if _MODULE.format(_module_fingerprint(estimator, module)) == name:
            estimator.backbone = module
            return
    raise WeightsError(
        f"The backbone of the {type(estimator).__name__} was a module of your own, {name}, whose "
        "code is not in the file. Make it again, with its weights, and pass it: "
        f"load(path, modules=[module]). {len(modules)} were passed, none of them the same."
    )
