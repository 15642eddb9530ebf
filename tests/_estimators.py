"""The estimators under test; a new one is added with one line.

Most of scikit-learn's own checks need numbers in two dimensions, and skip a column of strings or
images. So each estimator is checked twice: the estimator itself, by the checks that need no data and
our checks on columns; and its base class, by all of scikit-learn's checks on a numeric variant
defined here. These run once per variant, so an estimator of a known base class is added with one
line, and a new base class needs its own variant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
import xxhash
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data
from torch import nn

from sktransfer import (
    AudioClassifier,
    AudioEmbedder,
    AudioRegressor,
    ImageClassifier,
    ImageEmbedder,
    ImagePretrainer,
    ImageRegressor,
    TableEmbedder,
    TextClassifier,
    TextEmbedder,
    TextPretrainer,
    TextRegressor,
)
from sktransfer._parameters import parameter, with_parameters
from sktransfer.backbones import Backbone
from sktransfer.backbones._network import Chain
from sktransfer.cache import FeatureCache
from sktransfer.columns import Column
from sktransfer.embedders._base_embedder import BaseEmbedder
from sktransfer.modalities import Modality, Preparer, Recipe
from sktransfer.training.objectives import SelfSupervised
from tests._tiny import images, sounds, texts


@dataclass(frozen=True)
class NumericRecipe(Recipe):
    """Preprocessing of rows of `n_features` numbers: none."""

    modality: ClassVar[str] = "numbers"

    n_features: int = 1

    def blank(self, rows: int) -> torch.Tensor:
        return torch.zeros(rows, self.n_features)

    def examples(self, processor: Any) -> Sequence[torch.Tensor]:
        return [self.blank(rows) for rows in (2, 3, 1)]


class NumericPreparer(Preparer):
    """Cast rows of numbers to float32."""

    def __init__(self, recipe: NumericRecipe) -> None:
        self.recipe = recipe

    def prepare(self, cell: np.ndarray, digest: bytes | None) -> np.ndarray:
        return cell.astype(np.float32)

    def collate(self, items: Sequence[np.ndarray], device: torch.device) -> torch.Tensor:
        return torch.from_numpy(np.stack(items)).to(device)

    def budget(self, on_cpu: bool) -> int:
        return 8


@dataclass(frozen=True)
class NumericModality(Modality):
    """Rows of numbers as cells, validated by scikit-learn."""

    name: ClassVar[str] = "numbers"
    noun: ClassVar[str] = "row"
    library: ClassVar[str] = "numpy"
    recipe_type: ClassVar[type[Recipe]] = NumericRecipe

    estimator: BaseEstimator

    def column(self, X: Any) -> Column:
        reset = not hasattr(self.estimator, "fingerprint_")
        X = validate_data(self.estimator, X, dtype=np.float64, reset=reset)
        return Column(X, n_features=X.shape[1])

    def digest(self, cells: np.ndarray, cache: FeatureCache) -> tuple[np.ndarray, list[bytes]]:
        return cells, [xxhash.xxh3_128_digest(row.tobytes()) for row in cells]

    def recipe(self, backbone: Backbone) -> NumericRecipe:
        return backbone.recipe

    def bind(self, backbone: Backbone) -> NumericPreparer:
        return NumericPreparer(backbone.recipe)

    @staticmethod
    def from_plain(*tensors: torch.Tensor) -> torch.Tensor:
        return tensors[0]


def numeric_backbone(n_features: int) -> Backbone:
    """Return a random projection of rows of numbers to 16 features."""
    generator = torch.Generator().manual_seed(0)
    linear = nn.Linear(n_features, 16, bias=False)
    linear.weight.data = torch.randn(linear.weight.shape, generator=generator)
    return Backbone(
        "tiny",
        source="module",
        network=Chain({"linear": linear}, nn.Identity()),
        recipe=NumericRecipe(n_features=n_features),
    )


class Numeric:
    """Replaces the modality and the backbone of an estimator by numeric ones."""

    def _modality(self) -> NumericModality:
        return NumericModality(self)

    def _get_backbone(self) -> Backbone:
        return numeric_backbone(self.n_features_in_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.string = False
        return tags


@with_parameters
class NumericEmbedder(Numeric, BaseEmbedder):
    """Numeric variant of the base class of all embedders: a random projection."""

    backbone: Any = parameter(default="tiny", kw_only=False)
    device: str = parameter(default="cpu")
    cache: Any = parameter(default=False)

    def _fit_column(self, X: Any) -> tuple[Column, Backbone]:
        vars(self).pop("fingerprint_", None)
        return super()._fit_column(X)


class NumericFineTuner(Numeric):
    """Numeric variant of the base class of all fine-tuners."""

    def _train(self, *args: Any, continues: bool, **options: Any) -> Any:
        if not continues:
            vars(self).pop("fingerprint_", None)
        return super()._train(*args, continues=continues, **options)


class NumericClassifier(NumericFineTuner, ImageClassifier):
    """Classifier on a random projection."""


class NumericRegressor(NumericFineTuner, ImageRegressor):
    """Regressor on a random projection."""


class Decorrelate(SelfSupervised):
    """An objective of numbers: features of deviation 1 that are not correlated."""

    name: ClassVar[str] = "decorrelate"

    def loss(self, module: Any, batch: Any, targets: Any, weights: Any) -> Any:
        features = module.features(batch.inputs)
        covariance = features.T @ features / len(features)
        return (covariance - torch.eye(features.shape[1])).square().mean(), features


class NumericPretrainer(NumericFineTuner, ImagePretrainer):
    """Pretrainer of a random projection."""


@dataclass(frozen=True)
class NumericVariant:
    """A numeric subclass of one of our base classes.

    Attributes
    ----------
    make : callable
        Makes an instance.
    least_checks : int
        Number of scikit-learn 1.9's checks that must really pass: fewer would mean that tags
        have silently disabled some of them.
    expected_failures : dict of str to str
        Checks that must fail, and why.
    may_fail : dict of str to str
        Checks that fail on some machines, and why.
    """

    make: Callable[[], BaseEstimator]
    least_checks: int
    expected_failures: dict[str, str] = field(default_factory=dict)
    may_fail: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """An estimator: how to make it, a column and targets for it, and its numeric variant."""

    make: Callable[[], BaseEstimator]
    column: Callable[[int], Sequence[Any]]
    numeric: NumericVariant
    target: Callable[[int], Any] = lambda n: None


LEARNING = {"max_epochs": 40, "lr": 0.05, "cache": False, "random_state": 0}
_BATCHES = {
    "check_sample_weight_equivalence_on_dense_data": "a row of weight 2 is in one batch of an "
    "epoch, a row that is there twice in two"
}
_ROUNDING = {
    "check_methods_subset_invariance": "float32 outputs of other batches differ in their last "
    "digits; the check allows 1e-7"
}

NUMERIC_VARIANTS = {
    "BaseEmbedder": NumericVariant(NumericEmbedder, least_checks=45),
    "FineTunedClassifier": NumericVariant(
        lambda: NumericClassifier(**LEARNING), 68, _BATCHES, may_fail=_ROUNDING
    ),
    "BasePretrainer": NumericVariant(
        lambda: NumericPretrainer(
            objective=Decorrelate(), augment=None, max_epochs=2, cache=False, random_state=0
        ),
        45,
        may_fail=_ROUNDING,
    ),
    "FineTunedRegressor": NumericVariant(
        lambda: NumericRegressor(**LEARNING), 61, _BATCHES, may_fail=_ROUNDING
    ),
    "TableEmbedder": NumericVariant(TableEmbedder, 44),  # numbers are columns of a table
}


def _classes(n: int) -> list[str]:
    return ["even", "odd"] * (n // 2) + ["even"] * (n % 2)


def _image_column(n: int) -> list[Any]:
    return list(images(n))


CASES = {
    "AudioEmbedder": Case(
        lambda: AudioEmbedder(sampling_rate=16_000), sounds, NUMERIC_VARIANTS["BaseEmbedder"]
    ),
    "AudioClassifier": Case(
        lambda: AudioClassifier(sampling_rate=16_000, max_epochs=2, random_state=0),
        sounds,
        NUMERIC_VARIANTS["FineTunedClassifier"],
        _classes,
    ),
    "AudioRegressor": Case(
        lambda: AudioRegressor(sampling_rate=16_000, max_epochs=2, random_state=0),
        sounds,
        NUMERIC_VARIANTS["FineTunedRegressor"],
        lambda n: list(range(n)),
    ),
    "ImageEmbedder": Case(ImageEmbedder, _image_column, NUMERIC_VARIANTS["BaseEmbedder"]),
    "TextEmbedder": Case(TextEmbedder, texts, NUMERIC_VARIANTS["BaseEmbedder"]),
    "ImageClassifier": Case(
        lambda: ImageClassifier(max_epochs=2, random_state=0),
        _image_column,
        NUMERIC_VARIANTS["FineTunedClassifier"],
        _classes,
    ),
    "TextClassifier": Case(
        lambda: TextClassifier(max_epochs=2, random_state=0),
        texts,
        NUMERIC_VARIANTS["FineTunedClassifier"],
        _classes,
    ),
    "ImagePretrainer": Case(
        lambda: ImagePretrainer(max_epochs=1, image_size=64, random_state=0),
        _image_column,
        NUMERIC_VARIANTS["BasePretrainer"],
    ),
    "TextPretrainer": Case(
        lambda: TextPretrainer(trainable=1, max_epochs=1, random_state=0),
        texts,
        NUMERIC_VARIANTS["BasePretrainer"],
    ),
    "ImageRegressor": Case(
        lambda: ImageRegressor(max_epochs=2, random_state=0),
        _image_column,
        NUMERIC_VARIANTS["FineTunedRegressor"],
        lambda n: list(range(n)),
    ),
    "TextRegressor": Case(
        lambda: TextRegressor(max_epochs=2, random_state=0),
        texts,
        NUMERIC_VARIANTS["FineTunedRegressor"],
        lambda n: list(range(n)),
    ),
}
