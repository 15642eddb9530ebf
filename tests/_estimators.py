"""The estimators that the checks run over; a new one joins with one line.

A column of strings or images gets next to none of scikit-learn's own checks, which need numbers
in two dimensions. So each estimator is checked twice: as it is, by the checks that need no data
and by ours for columns; and, in all that it shares with its base class, by the whole battery on
a numeric relative of it that lives in these tests. The battery runs once a relative, so an
estimator of a known base class joins with one line, and a new base class needs its own relative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import xxhash
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data
from torch import nn

from sktransfer import (
    ImageClassifier,
    ImageEmbedder,
    ImageRegressor,
    TextClassifier,
    TextEmbedder,
    TextRegressor,
)
from sktransfer._parameters import parameter, with_parameters
from sktransfer.backbones import Backbone, ImageRecipe
from sktransfer.backbones._network import Chain
from sktransfer.cells import Column
from sktransfer.embedders._base import BaseEmbedder
from sktransfer.extraction import Batch, Reader, Reading
from sktransfer.extraction._batches import equal_batches
from tests._tiny import images, texts


class NumericReader(Reader):
    """Rows of numbers as cells."""

    modality = "image"
    preparation = "numpy"

    def __init__(self, estimator: BaseEstimator, batch_size: int | str) -> None:
        self.estimator = estimator
        self.batch_size = batch_size

    def column(self, X: Any) -> Column:
        estimator = self.estimator
        reset = not hasattr(estimator, "fingerprint_")
        X = validate_data(estimator, X, dtype=np.float64, reset=reset)
        return Column(cells=X, name=None, index=None, n_features=X.shape[1], is_frame=False)

    def recipe(self, backbone: Backbone) -> ImageRecipe:
        return backbone.recipe

    def read(self, column, cache, failures) -> Reading:
        digests = [xxhash.xxh3_128_digest(row.tobytes()) for row in column.cells]
        return Reading(column.cells, digests)

    def prepare(self, reading, rows, backbone, failures) -> Batch:
        return rows, reading.cells[list(rows)].astype(np.float32)

    def batches(self, reading, rows, backbone, failures, batching) -> Iterator[Batch]:
        size = 8 if self.batch_size == "auto" else self.batch_size
        for some in equal_batches(rows, size):
            yield self.prepare(reading, some, backbone, failures)

    def inputs(self, batch, backbone, device):
        return torch.from_numpy(batch).to(device)


def numeric_backbone(n_features: int) -> Backbone:
    """Return a random projection of rows of numbers to 16 features."""
    generator = torch.Generator().manual_seed(0)
    linear = nn.Linear(n_features, 16, bias=False)
    linear.weight.data = torch.randn(linear.weight.shape, generator=generator)
    return Backbone(
        "tiny",
        source="module",
        network=Chain({"linear": linear}, nn.Identity()),
        recipe=ImageRecipe(),
        feature_size=16,
    )


class Numeric:
    """What a numeric relative does in place of an estimator of images."""

    def _reader(self) -> NumericReader:
        return NumericReader(self, self.batch_size)

    def _get_backbone(self) -> Backbone:
        return numeric_backbone(self.n_features_in_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.string = False
        return tags


@with_parameters
class NumericEmbedder(Numeric, BaseEmbedder):
    """The shared base of all embedders, on numbers in two dimensions: a random projection."""

    backbone: Any = parameter(default="tiny", kw_only=False)
    device: str = parameter(default="cpu")
    cache: Any = parameter(default=False)

    def _fit_column(self, X: Any) -> tuple[Column, Backbone]:
        vars(self).pop("fingerprint_", None)
        return super()._fit_column(X)


class NumericFineTuner(Numeric):
    """The shared base of all fine-tuners, on numbers."""

    def _train(self, *args: Any, going_on: bool, **options: Any) -> Any:
        if not going_on:
            vars(self).pop("fingerprint_", None)
        return super()._train(*args, going_on=going_on, **options)


class NumericClassifier(NumericFineTuner, ImageClassifier):
    """A head that learns classes from a random projection."""


class NumericRegressor(NumericFineTuner, ImageRegressor):
    """A head that learns numbers from a random projection."""


@dataclass(frozen=True)
class Relative:
    """A subclass, on numbers, of a base class of ours.

    Attributes
    ----------
    make : callable
        Makes one.
    least_checks : int
        How many of scikit-learn 1.9's checks must really pass: fewer would mean that tags
        have silently turned some of them off.
    expected_failures : dict of str to str
        Checks that it must fail, and why.
    may_fail : dict of str to str
        Checks that it fails on some machines, and why.
    """

    make: Callable[[], BaseEstimator]
    least_checks: int
    expected_failures: dict[str, str] = field(default_factory=dict)
    may_fail: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One estimator: how it is made, a column and targets for it, and its numeric relative."""

    make: Callable[[], BaseEstimator]
    column: Callable[[int], Sequence[Any]]
    relative: Relative
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

RELATIVES = {
    "BaseEmbedder": Relative(NumericEmbedder, least_checks=45),
    "FineTunedClassifier": Relative(
        lambda: NumericClassifier(**LEARNING), 68, _BATCHES, may_fail=_ROUNDING
    ),
    "FineTunedRegressor": Relative(
        lambda: NumericRegressor(**LEARNING), 61, _BATCHES, may_fail=_ROUNDING
    ),
}


def _classes(n: int) -> list[str]:
    return ["even", "odd"] * (n // 2) + ["even"] * (n % 2)


def _image_column(n: int) -> list[Any]:
    return list(images(n))


CASES = {
    "ImageEmbedder": Case(ImageEmbedder, _image_column, RELATIVES["BaseEmbedder"]),
    "TextEmbedder": Case(TextEmbedder, texts, RELATIVES["BaseEmbedder"]),
    "ImageClassifier": Case(
        lambda: ImageClassifier(max_epochs=2, random_state=0),
        _image_column,
        RELATIVES["FineTunedClassifier"],
        _classes,
    ),
    "TextClassifier": Case(
        lambda: TextClassifier(max_epochs=2, random_state=0),
        texts,
        RELATIVES["FineTunedClassifier"],
        _classes,
    ),
    "ImageRegressor": Case(
        lambda: ImageRegressor(max_epochs=2, random_state=0),
        _image_column,
        RELATIVES["FineTunedRegressor"],
        lambda n: list(range(n)),
    ),
    "TextRegressor": Case(
        lambda: TextRegressor(max_epochs=2, random_state=0),
        texts,
        RELATIVES["FineTunedRegressor"],
        lambda n: list(range(n)),
    ),
}
