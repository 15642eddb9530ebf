"""Split the column and targets of a fit into training and validation rows."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_consistent_length

from sktransfer import _runtime
from sktransfer._compat import Interval, StrOptions, check_sample_weight, count_rows
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base import ColumnEstimator
from sktransfer.cache import open_cache
from sktransfer.exceptions import ColumnError, SktransferError, TargetError
from sktransfer.extraction import Failures

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone
    from sktransfer.cells import Column
    from sktransfer.finetune._material import Material
    from sktransfer.finetune._tasks import Task
    from sktransfer.finetune._training import Part


@with_parameters
class TargetedEstimator(ColumnEstimator):
    """An estimator of one column with a target per row."""

    early_stopping: bool = parameter("boolean", default=False)
    validation_fraction: float = parameter(Interval(Real, 0, 1, closed="neither"), default=0.1)
    reuse_activations: bool | str = parameter("boolean", StrOptions({"auto"}), default="auto")

    def _row_weights(self, y: Any, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the weight of each row; classifiers multiply it by the weight of its class."""
        return weights

    def _stratify(self, y: Any) -> np.ndarray | None:
        """Return the class of each row to stratify by, or None."""
        return None

    def _checked_weights(self, y: Any, column: Column, sample_weight: Any) -> np.ndarray:
        if y is None:
            raise TargetError(
                f"requires y to be passed, but the target y is None: {type(self).__name__} "
                "learns from targets."
            )
        n_rows = len(column.cells)
        n_targets = count_rows(y)
        if n_targets != n_rows:
            raise TargetError(
                f"Found input variables with inconsistent numbers of samples: X has {n_rows} "
                f"rows and y has {n_targets}."
            )
        index = np.empty((n_rows, 1))
        weights = check_sample_weight(sample_weight, index, ensure_non_negative=True)
        if not weights.any():
            raise TargetError("Sample weights must contain at least one non-zero number.")
        with np.errstate(over="ignore"):
            if not np.isfinite(weights.sum()):
                raise TargetError(
                    "The sample weights are too large for their sum to be a number: up to "
                    f"{weights.max():g}. Divide them by their size."
                )
        return weights

    def _part(
        self, column: Column, y: Any, weights: np.ndarray, backbone: Backbone, task: Task
    ) -> Part:
        """Return the usable rows of a column, with targets and weights."""
        import torch

        from sktransfer.finetune._training import Part

        encoded = task.encode(y)
        material = self._material(column, backbone)
        rows = np.array(material.usable_rows())
        if not len(rows):
            raise ColumnError("no cell of the column can be used")
        weights = self._row_weights(y, weights, rows)
        if not weights[rows].any():
            raise TargetError("no cell that has a weight can be used")
        # Mean 1, so that the size of a step does not depend on the unit of the weights.
        scaled = torch.from_numpy((weights / weights[rows].mean()).astype(np.float32))
        return Part(material, rows, encoded.to(material.device), scaled.to(material.device))

    def _split(
        self,
        part: Part,
        y: Any,
        validation: tuple[Any, Any],
        groups: Any,
        backbone: Backbone,
        task: Task,
        random: np.random.RandomState,
    ) -> tuple[Part, Part | None]:
        """Return the training and the validation rows."""
        from sktransfer.finetune._targets import refuse_missing
        from sktransfer.finetune._validation import hold_out

        if groups is not None:
            refuse_missing(groups, "is no group.", "groups")
            check_consistent_length(part.targets, groups)
        X_val, y_val = validation
        if (X_val is None) != (y_val is None):
            raise TargetError("X_val and y_val go together: pass both or none.")
        if X_val is not None:
            return part, self._validation_part(X_val, y_val, backbone, task)
        if not self.early_stopping:
            return part, None
        train, valid = hold_out(
            part.rows,
            self.validation_fraction,
            classes=self._stratify(y),
            groups=groups,
            random=random,
        )
        for rows, what in ((train, "to train on"), (valid, "to validate on")):
            if not part.weights[rows.tolist()].any():
                raise TargetError(
                    f"No row {what} has a weight, of those that validation_fraction="
                    f"{self.validation_fraction} leaves. Pass more rows that have one, or X_val "
                    "and y_val."
                )
        return replace(part, rows=train), replace(part, rows=valid)

    def _validation_part(self, X_val: Any, y_val: Any, backbone: Backbone, task: Task) -> Part:
        try:
            column = self._reader().column(X_val)
            weights = self._checked_weights(y_val, column, None)
            return self._part(column, y_val, weights, backbone, task)
        except SktransferError as error:  # its X, y and rows are not those of the fit
            error.add_note("That is said of X_val and y_val.")
            raise

    def _material(self, column: Column, backbone: Backbone) -> Material:
        from sktransfer.finetune._material import Material

        reader, cache = self._reader(), open_cache(self.cache)
        reader.recipe(backbone)
        device = self._torch_device()
        reuse = self.reuse_activations
        failures = Failures(column, self.on_error)
        return Material(
            reader=reader,
            reading=reader.read(column, cache, failures),
            failures=failures,
            backbone=backbone,
            device=device,
            precision=_runtime.resolve_precision(self.precision, device),
            cache=cache,
            reuse=reuse if reuse == "auto" else bool(reuse),
        )
