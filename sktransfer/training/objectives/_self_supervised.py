"""Interface of an objective without targets: what pretrainers minimize."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from torch import nn

from sktransfer.training.heads import NoHead
from sktransfer.training.objectives._objective import Objective

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone
    from sktransfer.modalities import Recipe


class SelfSupervised(Objective):
    """An objective that needs no targets; subclasses are frozen dataclasses of hyperparameters.

    A new one is a file here, with a line in the table `SELF_SUPERVISED`; one of the user's is
    passed to a pretrainer as ``objective=``.
    """

    augments_validation: ClassVar[bool] = True

    @classmethod
    def from_params(cls, params: Any) -> Self:
        """Return the objective with an estimator's parameters of the names of its fields."""
        return cls(**{f.name: getattr(params, f.name) for f in fields(cls)})  # type: ignore[arg-type]

    def head(self, backbone: Backbone, recipe: Recipe) -> nn.Module:
        """Return a new head, drawn from torch's global generator.

        Its attribute `n_features` is the length of the features of a row.

        Parameters
        ----------
        backbone : Backbone
            The pretrained network.
        recipe : Recipe
            By which its inputs are prepared.

        Raises
        ------
        BackboneError
            If the backbone is none that this objective can train.
        """
        return NoHead(backbone.width(recipe=recipe))
