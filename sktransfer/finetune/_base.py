"""What all fine-tuners share: scikit-learn's contract around one training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sktransfer import _runtime
from sktransfer._compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    with_callbacks,
)
from sktransfer._randomness import seeded
from sktransfer.exceptions import BackboneError, DivergedError
from sktransfer.extraction import ColumnEstimator, state_hooks
from sktransfer.finetune._data import TargetedEstimator
from sktransfer.finetune._report import reported
from sktransfer.lazy import also_lazy

if TYPE_CHECKING:
    from sktransfer.adapt import FineTuned
    from sktransfer.backbones import Backbone
    from sktransfer.finetune._tasks import Task
    from sktransfer.finetune._watch import Watch


@also_lazy("transform")
class BaseFineTuner(CallbackSupportMixin, TransformerMixin, TargetedEstimator):
    """A pretrained network with a head, trained on one column.

    A subclass has the parameters, says in `_reader` how cells are read, and in `_learn_task`
    what the targets are.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **ColumnEstimator._parameter_constraints,
        "trainable": [
            StrOptions({"head", "all", "gradual", "lora"}),
            Interval(Integral, 0, None, closed="left"),
        ],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "layer_decay": [Interval(Real, 0, 1, closed="right")],
        "optimizer": [StrOptions({"adamw", "adam", "sgd"})],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "lr_schedule": [StrOptions({"cosine", "onecycle", "constant"})],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "probe_epochs": [Interval(Integral, 0, None, closed="left")],
        "mixup": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, None],
        "reuse_activations": ["boolean", StrOptions({"auto"})],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
    }

    # Parameters of the subclasses; scikit-learn reads them from their __init__.
    trainable: str | int
    max_epochs: int
    dropout: float
    probe_epochs: int
    contrastive_epochs: int
    n_iter_no_change: int
    callbacks: list[Any] | None
    warm_start: bool
    random_state: Any

    # Learned in fit.
    module_: FineTuned
    history_: list[dict[str, Any]]
    best_epoch_: int
    _task: Task
    _recipe: str

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight: Any = None,
        groups: Any = None,
    ) -> Self:
        """Train on a column.

        Parameters
        ----------
        X : column of n cells
            See the class.
        y : array-like of shape (n,) or (n, k)
            Targets.
        X_val, y_val : column and array-like, optional
            Rows to validate on after each epoch, in place of a part of `X`.
        sample_weight : array-like of shape (n,), optional
            How much each row counts in the loss.
        groups : array-like of shape (n,), optional
            Rows of one group stay together where a part of `X` is held out.

        Returns
        -------
        self
        """
        self._validate_all()
        going_on = self.warm_start and self.__sklearn_is_fitted__()
        return self._train(
            X,
            y,
            sample_weight=sample_weight,
            validation=(X_val, y_val),
            groups=groups,
            epochs=self.max_epochs,
            going_on=going_on,
            prepare=not going_on,
        )

    def transform(self, X: Any) -> np.ndarray:
        """Return the features that the fine-tuned network gives its head.

        Parameters
        ----------
        X : column of n cells
            See the class.

        Returns
        -------
        ndarray of shape (n, d), float32
        """
        check_is_fitted(self)
        return self._run(X, head=False)

    # What a subclass brings ----------------------------------------------------------------

    @abstractmethod
    def _learn_task(self, y: Any, weights: np.ndarray) -> Task:
        """Look at targets and return what is to be learned."""

    def _learned(self, task: Task) -> dict[str, Any]:
        """Return what a fit learned of the targets, as attributes of the estimator."""
        return {"_task": task}

    def _augmentation(self) -> Callable[[Any], Any] | None:
        """Return what is done to prepared cells of training rows."""
        return None

    # Fitting ---------------------------------------------------------------------------------

    def _train(self, *args: Any, **options: Any) -> Self:
        with _runtime.gradients():
            return self._train_on(*args, **options)

    def _train_on(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any,
        epochs: int,
        going_on: bool,
        validation: tuple[Any, Any] = (None, None),
        groups: Any = None,
        task: Task | None = None,
        prepare: bool = False,
    ) -> Self:
        from sktransfer.finetune._training import Training

        column = self._check_column(X) if going_on else self._reader().column(X)
        weights = self._checked_weights(y, column, sample_weight)
        random = check_random_state(self.random_state)
        learns_task = task is None and not going_on
        task = (self._task if going_on else task) or self._learn_task(y, weights)
        backbone = self._fitted_backbone() if going_on else self._get_backbone()
        part = self._part(column, y, weights, backbone, task)
        if learns_task and len(part.rows) < len(weights):  # a bad row is to change nothing
            used = np.isin(np.arange(len(weights)), part.rows)
            task = self._learn_task(y, weights * used)
            part = replace(part, targets=task.encode(y).to(part.targets.device))
        train, valid = self._split(part, y, validation, groups, backbone, task, random)
        # A copy, so that an error leaves what was fitted before as it was.
        module = self._new_module(backbone, task, random, going_on)
        if going_on:
            # Stages that are opened only now start from the backbone.
            module.restore(module.trained() | self.module_.trained())

        earlier = self.history_ if going_on else []

        def fitted(watch: Watch) -> dict[str, Any]:
            return {
                **self._seen(column),
                **self._learned(task),
                "module_": module,
                "history_": earlier + watch.history,
                "best_epoch_": watch.best_epoch,
                "fingerprint_": backbone.fingerprint,
                "_recipe": repr(self._reader().recipe(backbone)),
                "_n_features_out": module.head.n_features,
            }

        expected = epochs
        if prepare and module.opened:
            expected += self.probe_epochs + self.contrastive_epochs
        told = reported(self, X, y, epochs=expected, earlier=earlier, task=task, attributes=fitted)
        with told as watch:
            changed = module.opened if going_on else ()
            training = Training(
                self, module, task, train, valid, random, watch, self._augmentation(), changed
            )
            training.run(epochs=epochs, start_head=not going_on, prepare=prepare)
        part.material.failures.warn(part.material.reading.digests, "left out of the fit")
        if valid is not None and valid.material is not part.material:
            told_of = valid.material.reading.digests
            valid.material.failures.warn(told_of, "left out of the validation")
        # All at once, and last: an error leaves the estimator as it was.
        self._remember(column)
        self.__dict__.update(fitted(watch))
        return self

    def _validate_all(self) -> None:
        self._validate_params()
        if isinstance(self.trainable, bool):
            raise ValueError(
                f"trainable={self.trainable!r}: use 'all' or 'head', or a number of stages."
            )
        for callback in self.callbacks or []:
            named = callback[-1] if isinstance(callback, tuple) else callback
            if not hasattr(named, "on_epoch_end"):
                raise TypeError(f"callbacks must be those of skorch, got {callback!r}.")

    def _new_module(
        self, backbone: Backbone, task: Task, random: np.random.RandomState, going_on: bool
    ) -> FineTuned:
        from sktransfer.adapt import opened_stages

        opened = opened_stages(backbone.stages, self.trainable)
        adapters = self.trainable == "lora"
        if going_on:  # what was opened once stays open: it is not what it was
            opened = max(opened, self.module_.opened, key=len)
            if adapters != self.module_.adapters:
                raise BackboneError(
                    "A warm start cannot change to trainable='lora' or from it: what was "
                    "learned has no place there. Set warm_start=False."
                )
        # Only adapters are drawn at random.
        seed = random.randint(2**31) if adapters else 0
        return self._make_module(backbone, task, opened, adapters, seed)

    def _make_module(
        self,
        backbone: Backbone,
        task: Task,
        opened: tuple[str, ...],
        adapters: bool,
        seed: int = 0,
    ) -> FineTuned:
        from sktransfer.adapt import FineTuned, Head

        device = self._torch_device()
        width = self._reader().width(backbone, "pooled", "default")
        head = Head(width, task.n_outputs, self.dropout)
        with seeded(seed):
            return FineTuned(backbone.on(device), head, opened, adapters).to(device)

    # Using -----------------------------------------------------------------------------------

    def _run(self, X: Any, *, head: bool) -> np.ndarray:
        """Return outputs of the head, or the features before it, one row a cell."""
        from sktransfer.finetune._outputs import outputs_of

        self._validate_params()
        column = self._check_column(X)
        backbone = self._fitted_backbone()
        if repr(self._reader().recipe(backbone)) != self._recipe:
            raise BackboneError(
                f"This {type(self).__name__} was fitted on cells that were prepared as "
                f"{self._recipe}; its parameters ask for something else now. Fit again after "
                "setting parameters."
            )
        material = self._material(column, backbone)
        width = self._task.n_outputs if head else self._n_features_out
        with _runtime.undisturbed():
            rows = outputs_of(self.module_, material, width, head=head)
        digests = material.reading.digests
        usable = np.array(material.failures.usable(digests), dtype=np.int64)
        wrong = usable[~np.isfinite(rows[usable]).all(axis=1)]
        if len(wrong):
            raise DivergedError(
                f"row {wrong[0]}: the network gives no numbers for it, so its last steps were too "
                "large. Fit again with a lower lr, or a longer warmup."
            )
        material.failures.warn(digests)
        return rows

    def __sktransfer_backbone__(self) -> tuple[str, Callable[[], Backbone]]:
        """Return a digest of the network as it is now, and what makes a backbone of it."""
        from sktransfer.finetune._as_backbone import as_backbone, digest_of

        if not self.__sklearn_is_fitted__():
            raise BackboneError(
                f"{type(self).__name__} is not fitted, so there is no network to take from it. In "
                "a Pipeline or a search, which fit clones, keep it fitted: "
                "backbone=sklearn.frozen.FrozenEstimator(estimator)."
            )
        base = self._fitted_backbone()
        digest = digest_of(self.module_, base)
        recipe = self._reader().recipe(base)
        return digest, lambda: as_backbone(self.module_, base, recipe, type(self).__name__)

    # State -----------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        module = state.pop("module_", None)
        if module is not None:
            trained = {name: t.detach().cpu().numpy() for name, t in module.trained().items()}
            hooks = state_hooks()
            weights = hooks.put_weights(self, trained) if hooks else trained
            state["_trained"] = (module.opened, module.adapters, weights)
        if "_task" in state:
            state["_task"] = self._task.to_dict()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_task" in state:
            from sktransfer.finetune._tasks import Task

            state = {**state, "_task": Task.from_dict(state["_task"])}
        super().__setstate__(state)
        if state_hooks() is None:
            self._complete(lambda weights: weights)

    def _complete(self, find: Callable[[Any], Any]) -> None:
        trained = self.__dict__.pop("_trained", None)
        if trained is not None:
            opened, adapters, weights = trained
            self._restore(opened, adapters, find(weights))

    def _restore(
        self, opened: tuple[str, ...], adapters: bool, trained: dict[str, np.ndarray]
    ) -> None:
        import torch

        with _runtime.gradients():
            backbone = self._fitted_backbone()
            self.module_ = self._make_module(backbone, self._task, opened, adapters)
            self.module_.restore({name: torch.tensor(t) for name, t in trained.items()})
        self.module_.eval()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = True
        return tags
