"""Base class of the estimators that train a network: scikit-learn's contract around a training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import check_random_state, get_tags

from sktransfer import _runtime
from sktransfer._compat import CallbackSupportMixin, Interval, StrOptions
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer._randomness import seeded
from sktransfer.base._state_hooks import state_hooks
from sktransfer.base._trainer_data import TrainedColumnEstimator
from sktransfer.exceptions import BackboneError, DivergedError, TargetError
from sktransfer.lazy import LazyMixin

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone, Level
    from sktransfer.training import FineTuned, Phase, Training
    from sktransfer.training.strategies import Strategy
    from sktransfer.training.targets import Target


@with_parameters
class BaseTrainer(LazyMixin, CallbackSupportMixin, TransformerMixin, TrainedColumnEstimator):
    """A pretrained network that is trained on one column.

    A subclass adds the parameters of its modality, and returns in `_modality` what reads its
    cells, in `_learn_target` what y is, and in `_phases` the objectives to train by.
    """

    trainable: str | int = parameter(
        StrOptions({"head", "all", "gradual", "lora"}),
        Interval(Integral, 0, None, closed="left"),
        default="head",
    )
    max_epochs: int = parameter(Interval(Integral, 1, None, closed="left"), default=10)
    batch_size: int = parameter(Interval(Integral, 1, None, closed="left"), default=32)
    lr: float = parameter(Interval(Real, 0, None, closed="neither"), default=1e-3)
    layer_decay: float = parameter(Interval(Real, 0, 1, closed="right"), default=1.0)
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
    augment: ClassVar[Any] = None
    dropout = 0.0
    # Whether new heads are drawn at random.
    _draws_head: ClassVar[bool] = False

    module_: FineTuned = fitted()
    history_: list[dict[str, Any]] = fitted()
    best_epoch_: int = fitted()
    _target: Target | None = fitted()
    _recipe: str = fitted()

    def transform(self, X: Any) -> np.ndarray:
        """Return the features of the trained network, which are the inputs of its head.

        Parameters
        ----------
        X : column of n cells
            See the class.

        Returns
        -------
        ndarray of shape (n, d), float32
        """
        return self._outputs(X, head=False)

    # To be implemented by subclasses ---------------------------------------------------------

    @abstractmethod
    def _phases(self, module: FineTuned, target: Any, **options: Any) -> list[Phase]:
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

    def _fit_attributes(self, training: Training) -> dict[str, Any]:
        """Return fitted attributes beside those that all have."""
        return {"_target": training.train.target}

    def _known_target(self) -> Target | None:
        """Return the target of an earlier fit, with the parameters that it has now."""
        return self._target

    def _watch(self, training: Training, y_val: Any) -> None:
        """Add callbacks of the estimator's own to a training before it begins."""

    def _make_head(self, backbone: Backbone, target: Any) -> Any:
        """Return a new head, before any weights are restored to it."""
        from sktransfer.training.heads import head_of

        level: Level = target.level if target is not None else "row"
        width = backbone.feature_width(level, self._modality().recipe(backbone))
        return head_of(target, width, self.dropout)

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
        if y is None and get_tags(self).target_tags.required:
            raise TargetError(
                f"requires y to be passed, but the target y is None: {type(self).__name__} "
                "learns from targets."
            )
        column = self._check_column(X) if continues else self._modality().column(X)
        weights = self._checked_weights(y, column, sample_weight)
        random = check_random_state(self.random_state)
        target = self._known_target() if continues else target
        backbone = self._fitted_backbone() if continues else self._get_backbone()
        whole = self._whole_split(column, y, weights, backbone, target)
        target = whole.target
        train, valid = self._split(whole, y, validation, groups, backbone, random)
        # A copy, so that an error leaves the fitted estimator as it was.
        module = self._new_module(backbone, target, random, continues)
        if continues:
            # Stages that are opened only now start from the backbone.
            module.restore(module.trained() | self.module_.trained())
        earlier = self.history_ if continues else []
        done = sum(record.get("phase") == "gradual" for record in earlier)
        phases = self._phases(
            module, target, epochs=epochs, prepare=prepare, done=done, random=random
        )
        training = Training(self, module, train, valid, random, phases, earlier)
        self._watch(training, as_numpy(validation[1]))

        def attributes() -> dict[str, Any]:
            return {
                **self._seen(column),
                **self._fit_attributes(training),
                "module_": module,
                "history_": earlier + training.monitor.history,
                "best_epoch_": training.monitor.best_epoch,
                "fingerprint_": backbone.fingerprint,
                "_recipe": repr(self._modality().recipe(backbone)),
                "_n_features_out": module.head.n_features,
            }

        with reported(self, X, y, training.monitor, attributes):
            run(training)
        whole.data.runner.warn("left out of the fit")
        if valid is not None and valid.data is not whole.data:
            valid.data.runner.warn("left out of the validation")
        # All at once, and last: an error leaves the estimator as it was.
        self._remember(column)
        self.__dict__.update(attributes())
        return self

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

    def _new_module(
        self, backbone: Backbone, target: Any, random: np.random.RandomState, continues: bool
    ) -> FineTuned:
        from sktransfer.training.strategies import strategy_of

        backbone = self._adapted(backbone)
        strategy = strategy_of(self.trainable)
        opened = strategy.opened(backbone.stages)
        if continues:  # stages that have been trained stay open: they are not the backbone's
            opened = max(opened, self.module_.opened, key=len)
            if strategy.copies_stages != self.module_.strategy.copies_stages:
                raise BackboneError(
                    "A warm start cannot change to trainable='lora' or from it: what was "
                    "learned has no place there. Set warm_start=False."
                )
        is_drawn = self._draws_head or not strategy.copies_stages
        seed = random.randint(2**31) if is_drawn else 0
        return self._make_module(backbone, target, opened, strategy, seed)

    def _make_module(
        self,
        backbone: Backbone,
        target: Any,
        opened: tuple[str, ...],
        strategy: Strategy,
        seed: int = 0,
    ) -> FineTuned:
        from sktransfer.training import FineTuned

        backbone, device = self._adapted(backbone), self._torch_device()
        level: Level = target.level if target is not None else "row"
        with seeded(seed):
            head = self._make_head(backbone, target)
            module = FineTuned(backbone.on(device), head, opened, strategy, level)
        return module.to(device)

    # Using -----------------------------------------------------------------------------------

    def _outputs(self, X: Any, *, head: bool) -> np.ndarray:
        """Return the outputs of the head, or the features below it, one row per cell."""
        from sktransfer.training import outputs_of

        column, backbone = self._check_call(X)
        if repr(self._modality().recipe(backbone)) != self._recipe:
            raise BackboneError(
                f"This {type(self).__name__} was fitted on cells that were prepared as "
                f"{self._recipe}; its parameters ask for something else now. Fit again after "
                "setting parameters."
            )
        data = self._column_data(column, backbone)
        with _runtime.undisturbed():
            rows = outputs_of(self.module_, data, head=head)
        errors = data.runner.errors
        usable = np.array(errors.usable(data.digests), dtype=np.int64)
        is_finite = _are_finite(rows[usable])
        if not is_finite.all():
            row = column.where(usable[~is_finite][0])
            raise DivergedError(
                f"{row}: the outputs of the network are not finite, so its "
                "last steps were too large. Fit again with a lower lr, or a longer warmup."
            )
        is_plain = not head or self.module_.level == "row"
        data.runner.warn("filled with NaN" if is_plain else "None in the result")
        return rows

    def __sktransfer_backbone__(self) -> tuple[str, Callable[[], Backbone]]:
        """Return the digest of the current network, and a function that makes a backbone of it."""
        from sktransfer.training import as_backbone, digest_of

        if not self.__sklearn_is_fitted__():
            raise BackboneError(
                f"{type(self).__name__} is not fitted, so there is no network to take from it. In "
                "a Pipeline or a search, which fit clones, keep it fitted: "
                "backbone=sklearn.frozen.FrozenEstimator(estimator)."
            )
        base = self._fitted_backbone()
        digest = digest_of(self.module_, base)
        recipe = self._modality().recipe(base)
        return digest, lambda: as_backbone(self.module_, base, recipe, type(self).__name__)

    # State -----------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        module = state.pop("module_", None)
        if module is not None:
            trained = {name: t.detach().cpu().numpy() for name, t in module.trained().items()}
            weights = state_hooks().put_weights(self, trained)
            state["_trained"] = (module.opened, module.strategy.name, weights)
        if state.get("_target") is not None:
            state["_target"] = state["_target"].to_dict()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("_target") is not None:
            from sktransfer.training.targets import target_from_dict

            state = {**state, "_target": target_from_dict(state["_target"])}
        super().__setstate__(state)

    def _restore(self, find: Callable[[Any], Any]) -> None:
        trained = self.__dict__.pop("_trained", None)
        if trained is None:
            return
        import torch

        from sktransfer.training.strategies import strategy_of

        opened, name, weights = trained
        strategy = strategy_of(name if name != "stages" else len(opened))
        with _runtime.gradients():
            backbone = self._fitted_backbone()
            self.module_ = self._make_module(backbone, self._target, tuple(opened), strategy)
            self.module_.restore({n: torch.tensor(t) for n, t in find(weights).items()})
        self.module_.eval()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _are_finite(rows: np.ndarray) -> np.ndarray:
    if rows.dtype == object:  # one array per row, of any length
        return np.array([np.isfinite(row).all() for row in rows], dtype=bool)
    return np.isfinite(rows).all(axis=1)
