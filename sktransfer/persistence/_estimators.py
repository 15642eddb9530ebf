"""The estimators of ours in what is saved or loaded, and what their states leave out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as tensors_to_bytes
from torch import nn

from sktransfer.backbones import Backbone, get_backbone
from sktransfer.exceptions import OfflineError, PersistenceError, WeightsError
from sktransfer.persistence._manifest import Need

# In place of a module as a parameter; no backbone can have such a name.
_MODULE = "<module {}>"


@dataclass
class Saved:
    """Keeps what estimators that are written leave out of their states.

    Attributes
    ----------
    members : dict of str to bytes
        What was trained, as members of the file.
    needs : list of Need
        The backbones that they were fitted with.
    """

    members: dict[str, bytes] = field(default_factory=dict)
    _estimators: dict[int, Any] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)

    @property
    def estimators(self) -> list[Any]:
        """Each of ours, once."""
        return list(self._estimators.values())

    def on_getstate(self, estimator: Any, state: dict[str, Any]) -> dict[str, Any]:
        """Note the estimator, and name a module that it has as its backbone."""
        self._estimators[id(estimator)] = estimator
        if isinstance(state["backbone"], nn.Module):
            mark = _MODULE.format(_module_fingerprint(estimator, state["backbone"]))
            return {**state, "backbone": mark}
        return state

    def on_setstate(self, estimator: Any) -> None:
        """Note nothing: it is written, not read."""

    def put_weights(self, estimator: Any, trained: dict[str, np.ndarray]) -> str:
        """Return the name of the member that holds what was trained."""
        if id(estimator) not in self._names:
            name = f"trained/{len(self._names)}.safetensors"
            tensors = {n: torch.from_numpy(array).contiguous() for n, array in trained.items()}
            self.members[name] = tensors_to_bytes(tensors)
            self._names[id(estimator)] = name
        return self._names[id(estimator)]


@dataclass
class Loaded:
    """Notes the estimators that are read, and completes them when all are there."""

    estimators: list[Any] = field(default_factory=list)

    def on_getstate(self, estimator: Any, state: dict[str, Any]) -> dict[str, Any]:
        """Leave the state as it is."""
        return state

    def on_setstate(self, estimator: Any) -> None:
        """Note the estimator; those that it holds have come before."""
        self.estimators.append(estimator)

    def put_weights(self, estimator: Any, trained: dict[str, np.ndarray]) -> Any:
        """Leave what was trained in the state."""
        return trained

    def complete(
        self, members: dict[str, bytes], needs: Iterable[Need], modules: Iterable[nn.Module]
    ) -> None:
        """Give each estimator what its state leaves out, and check its backbone.

        Raises
        ------
        WeightsError
            If a backbone is missing here, or not what it was.
        """
        by_key = {(need.fingerprint, need.name, need.weights): need for need in needs}
        modules = list(modules)
        used: set[str] = set()

        def find(name: Any) -> dict[str, np.ndarray]:
            used.add(name)
            return {n: tensor.numpy() for n, tensor in load_tensors(members[name]).items()}

        for estimator in self.estimators:
            estimator.get_params(deep=False)  # or an error that names the one that is missing
            key = _key_of(estimator)
            need = by_key.get(key) if key else None
            _put_module(estimator, modules)
            with _explained(need):
                estimator._complete(find)
        keys = {_key_of(estimator) for estimator in self.estimators} - {None}
        trained = {name for name in members if name.startswith("trained/")}
        if keys != by_key.keys() or trained != used:
            raise PersistenceError("its lists of weights are not what its estimators have")


def needs_of(estimators: Iterable[Any]) -> dict[Need, Backbone]:
    """Return the backbones that fitted estimators have by name, each with itself."""
    found = {}
    for estimator in estimators:
        key = _key_of(estimator)
        if key is not None:
            backbone = estimator._fitted_backbone()
            about = (backbone.modality, backbone.source, backbone.library)
            found[Need(*key, *about)] = backbone
    return found


def _key_of(estimator: Any) -> tuple[str, str, str | None] | None:
    """Return what tells a backbone; None where there is none, or it is an estimator's."""
    fingerprint, name = vars(estimator).get("fingerprint_"), estimator.backbone
    if fingerprint is None or not isinstance(name, str | Path | nn.Module):
        return None
    if isinstance(name, nn.Module):
        name = _MODULE.format(fingerprint)
    return fingerprint, str(name), None if estimator.weights is None else str(estimator.weights)


@contextmanager
def _explained(need: Need | None) -> Iterator[None]:
    """Add to an error about a backbone what the file says of it."""
    try:
        yield
    except WeightsError as error:
        if need is None:
            raise
        kind = OfflineError if isinstance(error, OfflineError) else WeightsError
        raise kind(f"{error} {_advice(need)}") from error


def _advice(need: Need) -> str:
    return (
        f"The file was saved with the backbone {need.name!r}, weights={need.weights!r}, of the "
        f"source {need.source!r} and run by {need.library or 'your own code'}, fingerprint "
        f"{need.fingerprint}. Bring the same weights here, or save again where they are, with "
        "standalone=True."
    )


def _module_fingerprint(estimator: Any, module: nn.Module) -> str:
    return get_backbone(module, modality=estimator._modality().name).fingerprint


def _put_module(estimator: Any, modules: list[nn.Module]) -> None:
    """Put the user's module where it was when the estimator was saved."""
    name = estimator.backbone
    if not isinstance(name, str) or not name.startswith(_MODULE.partition("{")[0]):
        return
    for module in modules:
        if _MODULE.format(_module_fingerprint(estimator, module)) == name:
            estimator.backbone = module
            return
    raise WeightsError(
        f"The backbone of a {type(estimator).__name__} was a module of your own, {name}, and no "
        "file can hold its code. Make it as it was, with its weights, and pass it: "
        f"load(path, modules=[module]). {len(modules)} were passed, none of them the same."
    )
