"""Fits that train networks: parameters, targets, weights of rows, and validation rows."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.validation import check_consistent_length

from sktransfer import _runtime
from sktransfer._compat import CallbackSupportMixin, Interval, StrOptions, check_sample_weight
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer.exceptions import ColumnError, SktransferError, TargetError
from sktransfer.lazy import LazyMixin

if TYPE_CHECKING:
    from sktransfer.training import Phase, Split, Training
    from sktransfer.training.targets import Target


@with_parameters
class TrainerMixin(LazyMixin, CallbackSupportMixin, TransformerMixin):
    """Mixin of estimators that train one network, or several on the columns of a table.

    What is trained on is a "column", and what computes on it a "backbone": for a class on tables,
    all columns of its towers, and all their backbones.
    """

    early_stopping: bool = parameter("boolean", default=False)
    validation_fraction: float = parameter(Interval(Real, 0, 1, closed="neither"), default=0.1)
    max_epochs: int = parameter(Interval(Integral, 1, None, closed="left"), default=10)
    batch_size: int = parameter(Interval(Integral, 1, None, closed="left"), default=32)
    lr: float = parameter(Interval(Real, 0, None, closed="neither"), default=1e-3)
    optimizer: str = parameter(StrOptions({"adamw", "adam", "sgd"}), default="adamw")
    momentum: float = parameter(Interval(Real, 0, 1, closed="left"), default=0.9)
    weight_decay: float = parameter(Interval(Real, 0, None, closed="left"), default=0.01)
    lr_schedule: str = parameter(StrOptions({"cosine", "onecycle", "constant"}), default="cosine")
    warmup: float = parameter(Interval(Real, 0, 1, closed="left"), default=0.1)
    n_iter_no_change: int = parameter(Interval(Integral, 1, None, closed="left"), default=5)
    callbacks: list[Any] | None = parameter(list, tuple, None, default=None)
    warm_start: bool = parameter("boolean", default=False)
    random_state: Any = parameter("random_state", default=None)

    # Parameters of some subclasses.
    layer_decay = 1.0

    history_: list[dict[str, Any]] = fitted()
    best_epoch_: int = fitted()
    _target: Target | None = fitted()

    # To be implemented by subclasses ---------------------------------------------------------

    @abstractmethod
    def _phases(self, module: Any, target: Any, **options: Any) -> list[Phase]:
        """Return the phases of the training.

        Parameters
        ----------
        module : FineTuned
            Is trained.
        target : Target or None
            What `_learn_target` has returned.
        **options
            ``epochs``: the number of epochs beside those of preparing phases. ``prepare``: whether
            preparing phases come first. ``done``: epochs of gradual opening in fits that this one
            continues. ``random``: a RandomState.
        """

    @abstractmethod
    def _read(self, X: Any, y: Any, before: Any = None) -> Any:
        """Return the column X; for validation, `before` is the column to train on."""

    @abstractmethod
    def _backbone_of(self, column: Any, continues: bool) -> Any:
        """Return the backbone of a column, of the fit before where this one continues it."""

    @abstractmethod
    def _column_data(self, column: Any, backbone: Any) -> Any:
        """Return what is computed on: a `ColumnData` or a `TableData`."""

    @abstractmethod
    def _new_module(self, backbone: Any, target: Any, random: Any, continues: bool) -> Any:
        """Return the module to train, which belongs to no fitted estimator."""

    @abstractmethod
    def _attributes_of(self, column: Any, backbone: Any, module: Any) -> dict[str, Any]:
        """Return the fitted attributes of the column and of the module."""

    if TYPE_CHECKING:  # a base class of columns has them already

        def _check_column(self, X: Any) -> Any:
            """Return the column X, or raise if this estimator was fitted on another kind."""

        def _remember(self, column: Any) -> None:
            """Set scikit-learn's attributes of the column that was passed to `fit`."""

    def _learn_target(self, y: Any, weights: np.ndarray) -> Target | None:
        """Return what y is; None for training without y."""
        return None

    def _row_weights(self, y: Any, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the weight of each row; classifiers multiply it by the weight of its class."""
        return weights

    def _fit_attributes(self, training: Training) -> dict[str, Any]:
        """Return fitted attributes beside those that all have."""
        return {"_target": training.train.target}

    def _known_target(self) -> Target | None:
        """Return the target of an earlier fit, with the parameters that it has now."""
        return self._target

    def _watch(self, training: Training, y_val: Any) -> None:
        """Add callbacks of the estimator's own to a training before it begins."""

    # Fitting ---------------------------------------------------------------------------------

    @_runtime.gradients()
    def _train(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int,
        continues: bool,
        sample_weight: Any = None,
        validation: tuple[Any, Any] = (None, None),
        groups: Any = None,
        target: Target | None = None,
        prepare: bool = False,
    ) -> Self:
        from sktransfer.training import Training, reported, run
        from sktransfer.training.targets import as_numpy

        y, sample_weight = as_numpy(y), as_numpy(sample_weight)
        self._require_targets(y)
        column = self._check_column(X) if continues else self._read(X, y)
        weights = self._checked_weights(y, column, sample_weight)
        random = check_random_state(self.random_state)
        target = self._known_target() if continues else target
        backbone = self._backbone_of(column, continues)
        whole = self._whole_split(column, y, weights, backbone, target)
        train, valid = self._split(whole, column, validation, groups, backbone, random)
        module = self._module_to_train(backbone, whole.target, random, continues)
        earlier = self.history_ if continues else []
        done = sum(record.get("phase") == "gradual" for record in earlier)
        phases = self._phases(
            module, whole.target, epochs=epochs, prepare=prepare, done=done, random=random
        )
        training = Training(self, module, train, valid, random, phases, earlier)
        self._watch(training, as_numpy(validation[1]))

        def attributes() -> dict[str, Any]:
            return {
                **self._attributes_of(column, backbone, module),
                **self._fit_attributes(training),
                "history_": earlier + training.monitor.history,
                "best_epoch_": training.monitor.best_epoch,
            }

        with reported(self, X, y, training.monitor, attributes):
            run(training)
        whole.data.warn("left out of the fit")
        if valid is not None and valid.data is not whole.data:
            valid.data.warn("left out of the validation")
        # All at once, and last: an error leaves the estimator as it was.
        self._remember(column)
        self.__dict__.update(attributes())
        return self

    def _require_targets(self, y: Any) -> None:
        if y is None and get_tags(self).target_tags.required:
            raise TargetError(
                f"requires y to be passed, but the target y is None: {type(self).__name__} "
                "learns from targets."
            )

    def _module_to_train(
        self, backbone: Any, target: Target | None, random: np.random.RandomState, continues: bool
    ) -> Any:
        """Return a new module, with the weights of the fit before where this one continues it."""
        # A copy, so that an error leaves the fitted estimator as it was.
        module = self._new_module(backbone, target, random, continues)
        if continues:
            # Stages that are opened only now start from the backbone.
            module.restore(module.trained() | self._fitted_module().trained())
        return module

    def _validate_all(self) -> None:
        self._validate_params()
        for item in self.callbacks or []:
            name, callback = item if isinstance(item, tuple) and len(item) == 2 else ("", item)
            is_callback = hasattr(callback, "on_epoch_end") and not isinstance(callback, type)
            if not (is_callback and isinstance(name, str)):
                raise TypeError(
                    "callbacks must be those of skorch, as instances or as pairs of a name and an "
                    f"instance, got {item!r}."
                )

    def _checked_weights(self, y: Any, column: Any, sample_weight: Any) -> np.ndarray:
        check_consistent_length(range(column.n_rows), y)
        index = np.empty((column.n_rows, 1))
        weights = check_sample_weight(sample_weight, index, ensure_non_negative=True)
        if float(weights.max()) * len(weights) == np.inf:
            raise TargetError(
                "The sample weights are too large for their sum to be a number: up to "
                f"{weights.max():g}. Divide them by their size."
            )
        return weights

    def _whole_split(
        self, column: Any, y: Any, weights: np.ndarray, backbone: Any, target: Target | None
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
        column: Any,
        validation: tuple[Any, Any],
        groups: Any,
        backbone: Any,
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
            return whole, self._validation_split(
                X_val, as_numpy(y_val), column, backbone, whole.target
            )
        if not self.early_stopping:
            return whole, None
        return hold_out(whole, self.validation_fraction, groups=groups, random=random)

    def _validation_split(
        self, X_val: Any, y_val: Any, before: Any, backbone: Any, target: Target | None
    ) -> Split:
        try:
            column = self._read(X_val, y_val, before)
            weights = self._checked_weights(y_val, column, None)
            return self._whole_split(column, y_val, weights, backbone, target)
        except SktransferError as error:
            error.add_note("This is about X_val and y_val.")
            raise

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if state.get("_target") is not None:
            state["_target"] = state["_target"].to_dict()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("_target") is not None:
            from sktransfer.training.targets import target_from_dict

            state = {**state, "_target": target_from_dict(state["_target"])}
        super().__setstate__(state)


def _require_weight(weights: np.ndarray) -> None:
    if not weights.any():
        raise TargetError("no cell that has a weight can be used")
