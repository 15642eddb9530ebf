"""The kinds of y: one file each, and one line in the table below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sktransfer.training.targets._average_precision import (
    average_precision as average_precision,
)
from sktransfer.training.targets._boxes import Boxes as Boxes
from sktransfer.training.targets._boxes import BoxTarget as BoxTarget
from sktransfer.training.targets._boxes import as_boxes as as_boxes
from sktransfer.training.targets._checks import as_labels as as_labels
from sktransfer.training.targets._checks import as_matrix as as_matrix
from sktransfer.training.targets._checks import as_numbers as as_numbers
from sktransfer.training.targets._checks import as_numpy as as_numpy
from sktransfer.training.targets._checks import is_label_matrix as is_label_matrix
from sktransfer.training.targets._checks import refuse_missing as refuse_missing
from sktransfer.training.targets._checks import short as short
from sktransfer.training.targets._classes import ClassTarget as ClassTarget
from sktransfer.training.targets._labels import LabelTarget as LabelTarget
from sktransfer.training.targets._masks import MaskTarget as MaskTarget
from sktransfer.training.targets._masks import as_column_of_masks as as_column_of_masks
from sktransfer.training.targets._masks import confusion as confusion
from sktransfer.training.targets._masks import ious as ious
from sktransfer.training.targets._masks import report_of as report_of
from sktransfer.training.targets._spans import SpanTarget as SpanTarget
from sktransfer.training.targets._spans import counts_of as counts_of
from sktransfer.training.targets._spans import f1_of as f1_of
from sktransfer.training.targets._tag_schemes import entities_of as entities_of
from sktransfer.training.targets._target import Target as Target
from sktransfer.training.targets._values import ValueTarget as ValueTarget

TARGETS: dict[str, type[Target]] = {
    kind.kind: kind
    for kind in (BoxTarget, ClassTarget, LabelTarget, MaskTarget, SpanTarget, ValueTarget)
}


def target_from_dict(content: Mapping[str, Any]) -> Target:
    """Return the target that its `to_dict` has described."""
    return TARGETS[content["kind"]](**{n: value for n, value in content.items() if n != "kind"})
