"""Masked image modelling: patches are hidden, and their pixels predicted from those around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from sktransfer.backbones import at_level
from sktransfer.exceptions import BackboneError
from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._sources import TrainingBatch
from sktransfer.training.heads import PatchHead
from sktransfer.training.objectives._self_supervised import SelfSupervised


@dataclass(frozen=True)
class MaskedPatches(SelfSupervised):
    """Squared error of the standardized pixels of hidden patches.

    The network sees the mean colour in their place, so that its architecture stays as it is; a
    linear layer predicts the pixels of a patch from its features. Made for transformers.

    Parameters
    ----------
    mask_fraction : float
        Share of the patches to hide.

    References
    ----------
    Xie et al., SimMIM: A Simple Framework for Masked Image Modeling, 2022,
    https://arxiv.org/abs/2111.09886; pixels are standardized per patch as in He et al., Masked
    Autoencoders Are Scalable Vision Learners, 2022, https://arxiv.org/abs/2111.06377
    """

    name: ClassVar[str] = "masked"

    mask_fraction: float = 0.6

    def augmentation(self, modality: Any, backbone: Any, augment: Any) -> Any:
        """Return what hides patches of augmented images; its targets are their pixels."""
        augmented = super().augmentation(modality, backbone, augment)
        grid = _grid(backbone, modality.recipe(backbone))
        hide = modality.masking(self.mask_fraction, backbone, grid)
        if augmented is None:
            return hide
        return lambda items, targets: hide(*augmented(items, targets))

    def head(self, backbone: Any, recipe: Any) -> nn.Module:
        """Return a linear layer from the features of a patch to its pixels."""
        height, width = _grid(backbone, recipe)
        n_pixels = 3 * (recipe.size[0] // height) * (recipe.size[1] // width)
        n_features = backbone.feature_width("place", recipe)
        return PatchHead(backbone.width(recipe=recipe), n_features, n_pixels)

    def loss(
        self, module: FineTuned, batch: TrainingBatch, targets: Any, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss of the hidden patches, and the predicted pixels."""
        features = module.features_of("place", batch.inputs)
        hidden, pixels = (tensor.to(features.device) for tensor in batch.targets)
        predicted = module.head(features[hidden]).float()
        return (predicted - pixels[hidden]).square().mean(), predicted


def _grid(backbone: Any, recipe: Any) -> tuple[int, int]:
    """Return the rows and columns of the patches that the last stage has features of."""
    last = torch.empty(1, *backbone.shape(backbone.stages[-1], recipe))
    _, height, width, _ = at_level(last, "place", backbone.network).shape
    grid = height, width
    if grid == (1, 1):
        raise BackboneError(
            f"objective='masked' predicts hidden patches from those around them, and "
            f"{backbone.name!r} has one patch in images of {recipe.size} pixels. Set a larger "
            "image_size, or objective='simclr'."
        )
    if any(side % patches for side, patches in zip(recipe.size, grid, strict=True)):
        raise BackboneError(
            f"objective='masked' needs patches of equal size, and {backbone.name!r} has {grid} of "
            f"them in images of {recipe.size} pixels. Set another image_size."
        )
    return grid
