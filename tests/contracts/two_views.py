"""A toy objective that follows CONTRIBUTING's recipe: two views of a row, without y."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch.nn import functional

from sktransfer._compat import with_callbacks
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base import BaseTrainer, ImageColumnEstimator
from sktransfer.training import Phase
from sktransfer.training.objectives import Objective


class TwoViews(Objective):
    """Pull the two views of a row together and away from other rows (SimCLR)."""

    name: ClassVar[str] = "two views"
    views: ClassVar[int] = 2

    def loss(self, module, batch, targets, weights):
        one, other = (functional.normalize(module.features(view)) for view in batch.views)
        similarity = one @ other.T / 0.1
        return functional.cross_entropy(similarity, torch.arange(len(one))), similarity


@with_parameters
class Pretrainer(ImageColumnEstimator, BaseTrainer):
    backbone: Any = parameter(kw_only=False)
    augment: Any = parameter(str, None, default="light")

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Pretrainer:
        self._validate_all()
        continues = self.warm_start and self.__sklearn_is_fitted__()
        return self._train(X, None, epochs=self.max_epochs, continues=continues)

    def _phases(self, module, target, *, epochs, done, **options):
        stages = module.strategy.epochs(module.opened, epochs, done)
        return [Phase(TwoViews.name, TwoViews(), stages)]
