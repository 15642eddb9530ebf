"""A toy target that follows CONTRIBUTING's recipe: one class per token of a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn import functional

from sktransfer._parameters import parameter, with_parameters
from sktransfer.base import TextColumnEstimator
from sktransfer.exceptions import TargetError
from sktransfer.finetune import BaseFineTuner
from sktransfer.training.targets import TARGETS, Target

_PADDING = -100


@dataclass(frozen=True)
class TokenLabels(Target):
    """y has one list per row: a class number per token, including special tokens."""

    kind: ClassVar[str] = "token labels"
    level: ClassVar = "token"
    n_classes: int

    @property
    def n_outputs(self):
        return self.n_classes

    def encode(self, y, outlines=None):
        for row, (labels, tokens) in enumerate(zip(y, outlines, strict=True)):
            if tokens is not None and len(labels) != len(tokens):
                raise TargetError(f"row {row} of y: {len(labels)} labels, {len(tokens)} tokens")
        return [torch.tensor(labels) for labels in y]

    def batch(self, targets, rows):
        some = [targets[row] for row in rows]
        return torch.nn.utils.rnn.pad_sequence(some, True, padding_value=_PADDING)

    def row_loss(self, outputs, targets, label_smoothing):
        losses = functional.cross_entropy(outputs.mT, targets, reduction="none")
        return losses.sum(1) / (targets != _PADDING).sum(1)

    def to_proba(self, outputs):
        return outputs.softmax(-1)

    def to_labels(self, proba):
        return proba.argmax(-1)

    def bias(self, targets, weights):
        return torch.zeros(self.n_classes)

    def join(self, parts):
        return [row for part in parts for row in part]

    def score(self, outputs, targets, weights):
        right = [
            (o.argmax(-1)[t >= 0] == t[t >= 0]).mean()
            for o, t in zip(outputs, targets, strict=True)
        ]
        return float(np.average(right, weights=weights))


TARGETS[TokenLabels.kind] = TokenLabels


@with_parameters
class TokenClassifier(TextColumnEstimator, BaseFineTuner):
    backbone: Any = parameter(default="all-MiniLM-L6-v2", kw_only=False)

    def _learn_target(self, y, weights):
        return TokenLabels(1 + max(max(labels) for labels in y))

    def predict(self, X):
        return [scores.argmax(-1).tolist() for scores in self._outputs(X, head=True)]
