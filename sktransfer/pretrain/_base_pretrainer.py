"""Base class of the pretrainers: a network trained without targets."""

from __future__ import annotations

from dataclasses import asdict
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sktransfer._compat import HasMethods, Interval, with_callbacks
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer.base import BaseTrainer
from sktransfer.exceptions import BackboneError, ColumnError, TargetError

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone
    from sktransfer.training import FineTuned, Phase, Training
    from sktransfer.training.objectives import SelfSupervised

# Name of the callback that measures the features.
_QUALITY = "feature_quality"


@with_parameters
class BasePretrainer(BaseTrainer):
    """A network that learns from one column without targets.

    A subclass adds the parameters of its modality, among them those of its objectives, and lists
    the names of these in the constraints of `objective`.
    """

    trainable: str | int = parameter(default="all")
    objective: Any = parameter(str, HasMethods(["loss", "head"]))
    mask_fraction: float = parameter(Interval(Real, 0, 1, closed="neither"), default=0.15)
    temperature: float = parameter(Interval(Real, 0, None, closed="neither"), default=0.1)

    objective_: SelfSupervised = fitted()
    initial_scores_: dict[str, float] = fitted()

    _draws_head: ClassVar[bool] = True

    @with_callbacks
    def fit(self, X: Any, y: Any = None, *, X_val: Any = None, y_val: Any = None) -> Self:
        """Train the network on a column, without targets.

        Parameters
        ----------
        X : column of n cells
            See the class.
        y : object, optional
            Not used.
        X_val : column, optional
            Validation data: its loss is recorded after each epoch.
        y_val : array-like of shape (n_val,), optional
            A class or number per row of `X_val`, with which nothing is trained: `history_` gets
            `knn_score`, how well the 10 nearest other rows predict them (accuracy or R²).

        Returns
        -------
        self
        """
        self._validate_all()
        if y_val is not None and X_val is None:
            raise TargetError("y_val belongs to X_val: pass both, or X_val alone, or none.")
        continues = self.warm_start and self.__sklearn_is_fitted__()
        return self._train(
            X, None, validation=(X_val, y_val), epochs=self.max_epochs, continues=continues
        )

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one more epoch.

        Parameters
        ----------
        X : column of n cells
            See the class.
        y : object, optional
            Not used.

        Returns
        -------
        self
        """
        self._validate_all()
        return self._train(X, None, epochs=1, continues=self.__sklearn_is_fitted__())

    def _validate_all(self) -> None:
        super()._validate_all()
        if self.trainable in ("head", 0):
            raise ValueError(
                f"trainable={self.trainable!r} trains no stage, and a pretrainer has nothing else "
                "to train: use 'all', a number of stages, 'gradual' or 'lora'."
            )

    def _new_objective(self) -> SelfSupervised:
        from sktransfer.training.objectives import SELF_SUPERVISED, SelfSupervised

        objective = self.objective
        if isinstance(objective, str):
            return SELF_SUPERVISED[objective].from_params(self)
        is_named = isinstance(getattr(objective, "name", None), str)
        if not (isinstance(objective, SelfSupervised) and is_named):
            raise TypeError(
                "objective must be an instance of a subclass of "
                "sktransfer.training.objectives.SelfSupervised with a `name`, a string, got "
                f"{objective!r}."
            )
        return objective

    def _make_head(self, backbone: Backbone, target: Any) -> Any:
        # While weights are restored, the objective of the fit counts, not today's parameter.
        is_restored = "objective_" in self.__dict__ and not hasattr(self, "module_")
        objective = self.objective_ if is_restored else self._new_objective()
        head = objective.head(backbone, self._modality().recipe(backbone))
        if not isinstance(getattr(head, "n_features", None), int):
            raise TypeError(
                f"The head of {type(objective).__name__} must be a module whose attribute "
                f"n_features is the number of features of a row, got {head!r}."
            )
        return head

    def _new_module(self, backbone: Backbone, target: Any, random: Any, continues: bool) -> Any:
        objective = self._new_objective()
        if continues and objective.name != self.objective_.name:
            raise BackboneError(
                f"A warm start cannot change from objective={self.objective_.name!r} to "
                f"{objective.name!r}, which has another head. Pass the fitted pretrainer as "
                "`backbone` of a new one."
            )
        return super()._new_module(backbone, target, random, continues)

    def _phases(  # type: ignore[override]
        self, module: FineTuned, target: Any, *, epochs: int, done: int, **options: Any
    ) -> list[Phase]:
        from sktransfer.training import Phase

        if not any(p.requires_grad for p in module.network.parameters()):
            raise BackboneError(
                f"trainable={self.trainable!r} opens stages without weights: "
                f"{', '.join(module.opened)}. Open more of them."
            )
        objective = self._new_objective()
        stages = module.strategy.epochs(module.opened, epochs, done)
        return [Phase(objective.name, objective, stages)]

    def _watch(self, training: Training, y_val: Any) -> None:
        from sktransfer.training import FeatureQuality

        self._require_rows(training)
        initial = self.initial_scores_ if training.earlier else None
        quality = FeatureQuality(training, y_val, initial)
        training.callbacks.insert(0, (_QUALITY, quality))

    def _require_rows(self, training: Training) -> None:
        objective = training.phases[0].objective
        for kind, split in (("training", training.train), ("validation", training.valid)):
            if split and min(self.batch_size, len(split.rows)) < objective.least_rows:
                raise ColumnError(
                    f"objective={objective.name!r} compares the rows of a batch, and each batch of "
                    f"{kind} rows has one row. Pass more rows, or set a larger batch_size."
                )

    def _fit_attributes(self, training: Training) -> dict[str, Any]:
        _, quality = training.callbacks[0]
        return {
            **super()._fit_attributes(training),
            "objective_": training.phases[0].objective,
            "initial_scores_": quality.initial,
        }

    def __getstate__(self) -> dict[str, Any]:
        from sktransfer.training.objectives import SELF_SUPERVISED

        state = super().__getstate__()
        objective: Any = state.get("objective_")
        if type(objective) in SELF_SUPERVISED.values():
            state["objective_"] = {"name": objective.name, **asdict(objective)}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if isinstance(packed := state.get("objective_"), dict):
            from sktransfer.training.objectives import SELF_SUPERVISED

            fields = {name: value for name, value in packed.items() if name != "name"}
            state = {**state, "objective_": SELF_SUPERVISED[packed["name"]](**fields)}
        super().__setstate__(state)
