"""Base class of the estimators that train a network: scikit-learn's contract around a training."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sktransfer import _runtime
from sktransfer._compat import Interval, StrOptions
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer._randomness import seeded
from sktransfer.base._column_estimator import ColumnEstimator
from sktransfer.base._state_hooks import state_hooks
from sktransfer.base._trainer_mixin import TrainerMixin
from sktransfer.cache import open_cache
from sktransfer.columns import Column
from sktransfer.compute import CellErrors, Runner, digest_column
from sktransfer.exceptions import BackboneError, DivergedError

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone, Level
    from sktransfer.training import ColumnData, FineTuned
    from sktransfer.training.strategies import Strategy


@with_parameters
class BaseTrainer(TrainerMixin, ColumnEstimator):
    """A pretrained network that is trained on one column.

    A subclass adds the parameters of its modality, and returns in `_modality` what reads its
    cells, in `_learn_target` what y is, and in `_phases` the objectives to train by.
    """

    trainable: str | int = parameter(
        StrOptions({"head", "all", "gradual", "lora"}),
        Interval(Integral, 0, None, closed="left"),
        default="head",
    )
    layer_decay: float = parameter(Interval(Real, 0, 1, closed="right"), default=1.0)

    # Parameters of some subclasses.
    augment: ClassVar[Any] = None
    dropout = 0.0
    reuse_activations = False
    # Whether new heads are drawn at random.
    _draws_head: ClassVar[bool] = False

    module_: FineTuned = fitted()
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

    def _adapted(self, backbone: Backbone) -> Backbone:
        """Return the backbone with a network of what targets are of; by default, of rows."""
        return backbone

    def _make_head(self, backbone: Backbone, target: Any) -> Any:
        """Return a new head, before any weights are restored to it."""
        from sktransfer.training.heads import head_of

        level: Level = target.level if target is not None else "row"
        width = backbone.feature_width(level, self._modality().recipe(backbone))
        return head_of(target, width, self.dropout)

    # Fitting ---------------------------------------------------------------------------------

    def _read(self, X: Any, y: Any, before: Any = None) -> Column:
        return self._modality().column(X)

    def _backbone_of(self, column: Column, continues: bool) -> Backbone:
        return self._fitted_backbone() if continues else self._get_backbone()

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
            augment=self.augment,
        )

    def _attributes_of(self, column: Column, backbone: Backbone, module: Any) -> dict[str, Any]:
        return {
            **self._seen(column),
            "module_": module,
            "fingerprint_": backbone.fingerprint,
            "_recipe": repr(self._modality().recipe(backbone)),
            "_n_features_out": module.head.n_features,
        }

    def _fitted_module(self) -> FineTuned:
        return self.module_

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
        outcome = "filled with NaN" if is_plain else "None in the result"
        data.warn("replaced by blanks" if column.in_table else outcome)
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
        return state

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
