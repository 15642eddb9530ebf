"""The column and targets of a fit as splits to train and to validate on."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_consistent_length

from sktransfer import _runtime
from sktransfer._compat import Interval, check_sample_weight
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base._column_estimator import ColumnEstimator
from sktransfer.cache import open_cache
from sktransfer.columns import Column
from sktransfer.compute import CellErrors, Runner, digest_column
from sktransfer.exceptions import ColumnError, SktransferError, TargetError

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone
    from sktransfer.training import ColumnData, Split
    from sktransfer.training.targets import Target


@with_parameters
class TrainedColumnEstimator(ColumnEstimator):
    """An estimator of one column whose network is trained."""

    early_stopping: bool = parameter("boolean", default=False)
    validation_fraction: float = parameter(Interval(Real, 0, 1, closed="neither"), default=0.1)

    # A parameter of some subclasses.
    reuse_activations = False

    def _learn_target(self, y: Any, weights: np.ndarray) -> Target | None:
        """Return what y is; None for training without y."""
        return None

    def _adapted(self, backbone: Backbone) -> Backbone:
        """Return the backbone with a network of what targets are of; by default, of rows."""
        return backbone

    def _row_weights(self, y: Any, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the weight of each row; classifiers multiply it by the weight of its class."""
        return weights

    def _checked_weights(self, y: Any, column: Column, sample_weight: Any) -> np.ndarray:
        check_consistent_length(column.cells, y)
        index = np.empty((len(column.cells), 1))
        weights = check_sample_weight(sample_weight, index, ensure_non_negative=True)
        if float(weights.max()) * len(weights) == np.inf:
            raise TargetError(
                "The sample weights are too large for their sum to be a number: up to "
                f"{weights.max():g}. Divide them by their size."
            )
        return weights

    def _column_data(self, column: Column, backbone: Backbone) -> ColumnData:
        from sktransfer.training import ColumnData

        backbone = self._adapted(backbone)
        modality, cache, device = self._modality(), open_cache(self.cache), self._torch_device()
        errors = CellErrors(column, self.on_error)
        cells = digest_column(modality, column, cache, errors)
        return ColumnData(
            modality=modality,
            runner=Runner(modality.bind(backbone), cells, errors, device),
            backbone=backbone,
            precision=_runtime.resolve_precision(self.precision, device),
            cache=cache,
            reuse=self.reuse_activations,
        )

    def _whole_split(
        self, column: Column, y: Any, weights: np.ndarray, backbone: Backbone, target: Target | None
    ) -> Split:
        """Return the usable rows of a column, with targets and weights; learn a missing target."""
        import torch

        from sktransfer.training import Split

        data = self._column_data(column, backbone)
        rows = np.array(data.usable_rows())
        if not len(rows):
            raise ColumnError("no cell of the column can be used")
        _require_weight(weights[rows])
        used = np.isin(np.arange(len(weights)), rows)  # bad rows must not change the target
        target = target or self._learn_target(y, weights * used)
        targets = None
        if target is not None:
            targets = target.encode(y, None if target.level == "row" else data.outlines(weights))
        if torch.is_tensor(targets):
            targets = targets.to(data.device)
        weights = self._row_weights(y, weights, rows)
        _require_weight(weights[rows])
        # Mean 1, so that the size of a step does not depend on the unit of the weights.
        scaled = torch.from_numpy((weights / weights[rows].mean()).astype(np.float32))
        return Split(data, rows, target, targets, scaled.to(data.device))

    def _split(
        self,
        whole: Split,
        y: Any,
        validation: tuple[Any, Any],
        groups: Any,
        backbone: Backbone,
        random: np.random.RandomState,
    ) -> tuple[Split, Split | None]:
        """Return the training and the validation rows."""
        from sktransfer.training import hold_out
        from sktransfer.training.targets import as_numpy, refuse_missing

        if groups is not None:
            groups = as_numpy(groups)
            refuse_missing(groups, "is no group.", "groups")
            check_consistent_length(whole.weights, groups)
        X_val, y_val = validation
        if whole.target is not None and (X_val is None) != (y_val is None):
            raise TargetError("X_val and y_val go together: pass both or none.")
        if X_val is not None:
            return whole, self._validation_split(X_val, as_numpy(y_val), backbone, whole.target)
        if not self.early_stopping:
            return whole, None
        return hold_out(whole, self.validation_fraction, groups=groups, random=random)

    def _validation_split(
        self, X_val: Any, y_val: Any, backbone: Backbone, target: Target | None
    ) -> Split:
        try:
            column = self._modality().column(X_val)
            weights = self._checked_weights(y_val, column, None)
            return self._whole_split(column, y_val, weights, backbone, target)
        except SktransferError as error:
            error.add_note("This is about X_val and y_val.")
            raise


def _require_weight(weights: np.ndarray) -> None:
    if not weights.any():
        raise TargetError("no cell that has a weight can be used")
