"""Base class of the estimators that train on several columns of a table together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sktransfer import _runtime
from sktransfer._compat import Interval, StrOptions, gives_frames
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer.columns import Rows
from sktransfer.exceptions import ColumnError
from sktransfer.finetune import FineTunerMixin
from sktransfer.lazy import OutputSpec
from sktransfer.tables._mixed_towers import (
    MixedTable,
    Tower,
    about,
    read_towers,
    towers_of,
)
from sktransfer.tables._read_table import read_table
from sktransfer.tables._table_embedder import TableEmbedder
from sktransfer.tables._tower_params import (
    estimators_of,
    refuse_names,
    with_estimator,
    with_new_params,
)

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone
    from sktransfer.training import FusedTowers, TableData
    from sktransfer.training.targets import Target


@with_parameters
class MixedTrainer(FineTunerMixin, BaseEstimator):
    """Networks of several columns, joined under one head and trained together."""

    towers: dict[str, Any] | str = parameter(
        dict, StrOptions({"auto"}), default="auto", kw_only=False
    )
    modality_dropout: float = parameter(Interval(Real, 0, 1, closed="left"), default=0.0)
    device: str = parameter(str, default="auto")
    verbose: int = parameter("verbose", default=0)

    n_features_in_: int = fitted()
    feature_names_in_: np.ndarray = fitted()
    towers_: dict[str, Any] = fitted()
    _columns: dict[str, list[str]] = fitted()
    _widths: list[int] = fitted()
    _head: dict[str, np.ndarray] = fitted()
    _n_features_out: int = fitted()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of this estimator, and those of its towers.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return also each tower by its name, and its parameters as
            ``<name>__<parameter>``.

        Returns
        -------
        dict of str to object
        """
        params: dict[str, Any] = {}
        for name, tower in estimators_of(self.towers).items() if deep else ():
            params[name] = tower
            if hasattr(tower, "get_params") and not isinstance(tower, type):
                inner = tower.get_params().items()
                params |= {f"{name}__{key}": value for key, value in inner}
        return params | super().get_params(deep=False)

    def set_params(self, **params: Any) -> Any:
        """Set parameters of this estimator, towers by name, or their parameters.

        Parameters
        ----------
        **params
            As `get_params` names them.

        Returns
        -------
        self
        """
        if "towers" in params:
            self.towers = params.pop("towers")
        known = super().get_params(deep=False)
        for name in params.keys() & estimators_of(self.towers).keys() - known.keys():
            self.towers = with_estimator(self.towers, name, params.pop(name))
        return super().set_params(**params)

    def transform(self, X: Any) -> np.ndarray:
        """Return the fused features: those of all towers, standardized and weighted.

        Parameters
        ----------
        X : table of n rows
            See the class.

        Returns
        -------
        ndarray of shape (n, d), float32
        """
        return self._outputs(X, head=False)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the fused features, ``<tower>_<i>``.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str objects
        """
        check_is_fitted(self)
        names = [
            f"{name}_{number}"
            for name, width in zip(self.towers_, self._widths, strict=True)
            for number in range(width)
        ]
        return np.array(names, dtype=object)

    # Fitting ---------------------------------------------------------------------------------

    def _read(self, X: Any, y: Any, before: MixedTable | None = None) -> MixedTable:
        rows = read_table(X)
        if before is not None:
            widths = {name: block.shape[1] for name, block in before.blocks.items()}
            towers = {n: replace(t, width=widths.get(n)) for n, t in before.towers.items()}
            return self._read_again(rows, towers, before.rows.names, before.rows.is_named)
        refuse_names(self.towers, super().get_params(deep=False))
        self._check_targets(rows, y)
        return read_towers(rows, towers_of(rows, self.towers, is_regressor(self)), y, fit=True)

    def _check_targets(self, rows: Rows, y: Any) -> None:
        """Name a bad row of y before a tower that is fitted to y does not."""
        from sktransfer.training.targets import as_numbers, refuse_missing

        check_consistent_length(range(len(rows)), y)
        if is_regressor(self):
            as_numbers(y)
        else:
            refuse_missing(y, "is no class.")

    def _check_column(self, X: Any) -> MixedTable:
        known = zip(self.towers_.items(), self._widths, strict=True)
        towers = {n: Tower(tower, self._columns[n], width) for (n, tower), width in known}
        is_named = hasattr(self, "feature_names_in_")
        names = self.feature_names_in_ if is_named else range(self.n_features_in_)
        return self._read_again(read_table(X), towers, [str(name) for name in names], is_named)

    def _read_again(self, rows: Rows, towers: Any, names: list[str], is_named: bool) -> MixedTable:
        """Read other rows: their columns by name in frames as in fit, else by position."""
        if not (rows.is_named and is_named):
            if len(rows.names) != len(names):
                raise ColumnError(
                    f"X has {len(rows.names)} features, but {type(self).__name__} is expecting "
                    f"{len(names)} features as input."
                )
            rows.names, rows.is_named = names, is_named
        needed = [column for tower in towers.values() for column in tower.columns]
        if lacking := [column for column in needed if column not in rows.names]:
            raise ColumnError(
                f"X has no column {lacking[0]!r}, which {type(self).__name__} was fitted on; it "
                f"has {', '.join(map(repr, rows.names))}. Where a column is not known, pass it "
                "with missing cells."
            )
        return read_towers(rows, towers)

    def _backbone_of(self, column: MixedTable, continues: bool) -> dict[str, Part]:
        estimators = {name: tower.estimator for name, tower in column.towers.items()}
        if continues:
            estimators = with_new_params(estimators, self.towers)
        found = {}
        for name, estimator in estimators.items():
            with about(name):
                found[name] = self._part(estimator, column, name, continues)
        return found

    def _part(self, estimator: Any, table: MixedTable, name: str, continues: bool) -> Part:
        if name in table.blocks:
            return Part(estimator, None, table.blocks[name].shape[1])
        estimator.set_params(device=self.device)
        estimator._validate_params()
        backbone = estimator._backbone_of(table.columns[name], continues)
        return Part(estimator, backbone, 0)

    def _column_data(self, column: MixedTable, backbone: dict[str, Part]) -> TableData:
        from sktransfer.training import TableData

        device = _runtime.resolve_device(self.device)
        towers: dict[str, Any] = {}
        for name, part in backbone.items():
            with about(name):
                towers[name] = _data_of(part, column, name, device)
        return TableData(towers, column.n_rows, device)

    def _new_module(
        self, backbone: dict[str, Part], target: Target, random: Any, continues: bool
    ) -> FusedTowers:
        from sktransfer.training import FixedTower

        networks: dict[str, Any] = {}
        for name, (estimator, network, width) in backbone.items():
            with about(name):
                networks[name] = (
                    FixedTower(width)
                    if network is None
                    else estimator._new_module(network, None, random, continues)
                )
        estimators = {name: part.estimator for name, part in backbone.items()}
        widths = [network.head.n_features for network in networks.values()]
        return self._fused(estimators, networks, self._new_head(estimators, widths, target))

    def _new_head(self, estimators: Mapping[str, Any], widths: list[int], target: Any) -> Any:
        from sktransfer.training.heads import FusionHead

        weighted = [
            number for number, e in enumerate(estimators.values()) if isinstance(e, TableEmbedder)
        ]
        return FusionHead(widths, target.n_outputs, self.dropout, self.modality_dropout, weighted)

    def _fused(
        self, estimators: Mapping[str, Any], networks: dict[str, Any], head: Any
    ) -> FusedTowers:
        """Return networks under a head."""
        from sktransfer.training import FineTuned, FusedTowers, TowerSettings

        device = _runtime.resolve_device(self.device)
        settings = {
            name: TowerSettings(
                estimator.lr,
                estimator.layer_decay,
                estimator.weight_decay,
                _runtime.resolve_precision(estimator.precision, device),
            )
            for name, estimator in estimators.items()
            if isinstance(networks[name], FineTuned)
        }
        return FusedTowers(networks, head, settings).to(device)

    def _fitted_module(self) -> FusedTowers:
        """Return the trained towers and head."""
        from sktransfer.training import FixedTower

        widths = dict(zip(self.towers_, self._widths, strict=True))
        networks = {
            name: getattr(tower, "module_", None) or FixedTower(widths[name])
            for name, tower in self.towers_.items()
        }
        return self._fused(self.towers_, networks, self._fitted_head()).eval()

    def _fitted_head(self) -> Any:
        import torch

        from sktransfer.training import copy_weights

        head = self._new_head(self.towers_, self._widths, self._target)
        copy_weights(head.state_dict(), {n: torch.from_numpy(a) for n, a in self._head.items()})
        return head.eval()

    def _attributes_of(
        self, column: MixedTable, backbone: dict[str, Part], module: FusedTowers
    ) -> dict[str, Any]:
        head = {n: t.numpy(force=True).copy() for n, t in module.head.state_dict().items()}
        return {
            "n_features_in_": len(column.rows.names),
            "towers_": {
                name: _fitted_tower(part, column, name, module.towers[name])
                for name, part in backbone.items()
            },
            "_columns": {name: tower.columns for name, tower in column.towers.items()},
            "_widths": list(module.head.widths),
            "_head": head,
            "_n_features_out": module.head.n_features,
        }

    def _remember(self, column: MixedTable) -> None:
        self.__dict__.pop("feature_names_in_", None)
        if column.rows.is_named:
            self.feature_names_in_ = np.array(column.rows.names, dtype=object)

    # Using -----------------------------------------------------------------------------------

    def _outputs(self, X: Any, *, head: bool) -> np.ndarray:
        """Return the outputs of the head, or the fused features below it."""
        import torch

        table = self._check_call(X)
        blocks = [self._features(table, name) for name in self.towers_]
        features = torch.from_numpy(np.concatenate(blocks, axis=1))
        device = _runtime.resolve_device(self.device)
        fitted = self._fitted_head().to(device)
        with _runtime.inference(device, "float32"):
            compute = fitted if head else fitted.fused
            return compute(features.to(device)).cpu().numpy()

    def _features(self, table: MixedTable, name: str) -> np.ndarray:
        if name in table.blocks:
            return table.blocks[name]
        with about(name):
            return self.towers_[name]._outputs(table.columns[name], head=False)

    def _check_call(self, X: Any) -> MixedTable:
        """Check the estimator and the columns of X, before a method computes on them."""
        check_is_fitted(self)
        self._validate_params()
        return self._check_column(X)

    def _output_spec(self, method: str) -> OutputSpec:
        names = self.get_feature_names_out().tolist()
        return OutputSpec(np.dtype(np.float32), names, as_frame=gives_frames(self))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_head")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class Part(NamedTuple):
    """A tower of a fit: its estimator, and a backbone or the width of its fixed features."""

    estimator: Any
    backbone: Backbone | None
    width: int


def _data_of(part: Part, table: MixedTable, name: str, device: Any) -> Any:
    import torch

    from sktransfer.training import FixedData

    if part.backbone is None:
        return FixedData(torch.from_numpy(table.blocks[name]).to(device))
    return part.estimator._column_data(table.columns[name], part.backbone)


def _fitted_tower(part: Part, table: MixedTable, name: str, network: Any) -> Any:
    """Return the estimator of a tower, fitted with its part of the network and without a head."""
    if part.backbone is None:
        return part.estimator
    tower = clone(part.estimator)
    attributes = part.estimator._attributes_of(table.columns[name], part.backbone, network)
    tower.__dict__.update(attributes, history_=[], best_epoch_=0, _target=None)
    return tower
