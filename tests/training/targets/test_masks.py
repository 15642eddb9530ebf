"""Masks as targets: classes, sizes, ignored pixels, weights, and measures."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from sktransfer.exceptions import TargetError
from sktransfer.modalities import IGNORED
from sktransfer.training.targets import MaskTarget, confusion, ious, report_of

MASK = np.array([[0, 0, 3, 3], [0, 7, 255, 3]], dtype=np.uint8)


def learned(masks, size=(2, 4), ignore_label=255, class_weight="sqrt"):
    return MaskTarget.learn(
        masks,
        [True] * len(masks),
        size=size,
        ignore_label=ignore_label,
        class_weight=class_weight,
    )


def test_classes_are_numbered_in_order_and_ignored_pixels_marked():
    target = learned([MASK])
    assert target.classes.tolist() == [0, 3, 7]
    (encoded,) = target.encode([MASK], [(2, 4)])
    assert encoded.tolist() == [[0, 0, 1, 1], [0, 2, IGNORED, 1]]


def test_masks_are_resized_to_the_nearest_pixel_as_pillow_does():
    mask = np.random.default_rng(0).integers(0, 5, (37, 23), dtype=np.uint8)
    (encoded,) = learned([mask], size=(16, 31)).encode([mask], [(37, 23)])
    expected = Image.fromarray(mask).resize((31, 16), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(encoded, np.asarray(expected))


def test_rows_without_a_shape_are_ignored_whole():
    encoded = learned([MASK]).encode([MASK, None], [(2, 4), None])
    assert (encoded[1] == IGNORED).all()


COLUMNS = {
    "stack": lambda masks: np.stack(masks),
    "frame": lambda masks: pd.DataFrame({"mask": masks}),
    "series": lambda masks: pd.Series(masks, index=[5, 6]),
    "polars": lambda masks: pl.Series([mask.tolist() for mask in masks]),
    "polars frame": lambda masks: pl.DataFrame({"mask": [mask.tolist() for mask in masks]}),
    "arrow": lambda masks: pa.array([mask.tolist() for mask in masks]),
    "arrow table": lambda masks: pa.table({"mask": [mask.tolist() for mask in masks]}),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_every_container_is_a_column_of_masks(name):
    masks = [MASK, MASK[::-1].copy()]
    column, shapes = COLUMNS[name](masks), [(2, 4)] * 2
    target = MaskTarget.learn(column, [True] * 2, size=(2, 4), ignore_label=255, class_weight=None)
    torch.testing.assert_close(target.encode(column, shapes), target.encode(masks, shapes))


NO_COLUMNS = {
    "two columns": pd.DataFrame({"a": ["x"], "b": ["y"]}),
    "labels": [0, 1],
    "dict": {"a": MASK},
    "text": "mask.png",
}


@pytest.mark.parametrize("name", NO_COLUMNS)
def test_what_is_no_column_of_masks_is_refused(name):
    with pytest.raises(TargetError, match="y is no column of masks"):
        learned(NO_COLUMNS[name])


VALUES = {
    "bool": (np.array([[False, True]]), [[0, 1]]),
    "int8": (np.array([[-1, 7, 127]], dtype=np.int8), [[0, 1, 2]]),
    "int64 of one byte": (np.array([[0, 254, 255]]), [[0, 1, IGNORED]]),
    "int64": (np.array([[-300, 300, 255]]), [[0, 1, IGNORED]]),
    "uint16": (np.array([[1, 1000]], dtype=np.uint16), [[0, 1]]),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_of_every_type_are_numbered(name):
    mask, expected = VALUES[name]
    target = learned([mask], size=mask.shape)
    assert target.encode([mask], [mask.shape])[0].tolist() == expected
    assert target.classes.tolist() == [value for value in mask[0].tolist() if value != 255]
    np.testing.assert_allclose(target.shares, 1 / target.n_outputs)


def test_masks_without_a_known_pixel_are_refused():
    with pytest.raises(TargetError, match="no pixel of a usable image has a class"):
        learned([MASK]).encode([np.full((2, 4), 255)], [(2, 4)])


def test_a_class_without_weight_has_a_finite_bias():
    target = learned([MASK], class_weight={3: 0})
    assert target.bias(target.encode([MASK], [(2, 4)]), torch.ones(1)).isfinite().all()


def test_settings_can_change_and_the_classes_stay():
    target = learned([MASK]).changed(
        class_weight=None, size=(4, 8), ignore_label=None, max_pixels=None
    )
    assert target.class_weights.tolist() == [1, 1, 1]
    assert target.classes.tolist() == [0, 3, 7]
    with pytest.raises(TargetError, match="255 is none of the classes"):
        target.encode([MASK], [(2, 4)])


def test_rows_that_are_not_used_are_not_read():
    target = MaskTarget.learn(
        [MASK, "no such file"], [True, False], size=(2, 4), ignore_label=255, class_weight=None
    )
    assert target.n_outputs == 3


@pytest.mark.parametrize(
    ("class_weight", "expected"),
    [
        (None, [1, 1]),
        ("balanced", [0.5 / 0.75, 0.5 / 0.25]),
        ("sqrt", np.array([0.75, 0.25]) ** -0.5 / (0.75**0.5 + 0.25**0.5)),
        ({1: 2.0}, [1 / 1.25, 2 / 1.25]),
    ],
)
def test_class_weights_have_a_mean_of_one_over_pixels(class_weight, expected):
    target = learned([np.array([[0, 0, 0, 1]])], size=(1, 4), class_weight=class_weight)
    np.testing.assert_allclose(target.class_weights, expected)


def test_the_loss_of_a_row_is_the_mean_weighted_cross_entropy_of_its_known_pixels():
    target = learned([MASK])
    outputs = torch.randn(1, 3, 2, 4)
    encoded = target.batch(target.encode([MASK], [(2, 4)]), [0])
    log_proba = outputs.log_softmax(1)[0]
    losses = [
        -target.class_weights[number] * log_proba[number, row, column].item()
        for row in range(2)
        for column in range(4)
        if (number := encoded[0, row, column].item()) != IGNORED
    ]
    np.testing.assert_allclose(
        target.row_loss(outputs, encoded, 0.0).item(), np.mean(losses), rtol=1e-5
    )


def test_measures_equal_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    true, found = rng.integers(0, 4, (2, 30, 40))
    counts = confusion(true, found, 4)
    flat = true.ravel(), found.ravel()
    np.testing.assert_allclose(ious(counts), jaccard_score(*flat, average=None))
    report = report_of(counts, [0, 1, 2, 3])
    for name, score in (
        ("iou", jaccard_score),
        ("dice", f1_score),
        ("precision", precision_score),
        ("recall", recall_score),
    ):
        values = [report[label][name] for label in range(4)]
        np.testing.assert_allclose(values, score(*flat, average=None))


def test_a_class_that_is_nowhere_has_no_iou():
    assert np.isnan(ious(np.diag([3, 0]))).tolist() == [False, True]


WRONG = {
    "size": (MASK[:, :2], r"row 0 of y: a mask of \(2, 2\) pixels .* for an image of \(2, 4\)"),
    "turned": (MASK.T, r"a mask of \(4, 2\) pixels .* turned as their EXIF data says"),
    "unknown class": (MASK + 1, "row 0 of y: 1 is none of the classes"),
    "missing": (None, "row 0 of y: the mask is missing"),
    "three axes": (np.zeros((2, 4, 3), int), r"row 0 of y: .*a mask has the shape \(H, W\)"),
    "not whole": (np.full((2, 4), 0.5), "row 0 of y: .*0.5 is no class number"),
    "not finite": (np.full((2, 4), np.nan), "row 0 of y: .*nan is no class number"),
    "colours": (Image.new("RGB", (4, 2)), "row 0 of y: .*an image of mode RGB"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_mask_is_refused_with_its_row(name):
    mask, message = WRONG[name]
    with pytest.raises(TargetError, match=message):
        learned([MASK]).encode([mask], [(2, 4)])


def test_one_class_is_refused_and_the_ignored_number_named():
    with pytest.raises(
        TargetError, match=r"only one: 0, beside ignore_label=255.*ignore_label=None"
    ):
        learned([np.array([[0, 255]], dtype=np.uint8)])


def test_an_ignored_number_that_is_nowhere_is_not_named():
    with pytest.raises(TargetError, match=r"only one: 0\.$"):
        learned([np.zeros((2, 2), dtype=np.uint8)])


def test_levels_of_grey_are_refused():
    with pytest.raises(TargetError, match="300 different values"):
        learned([np.arange(300).reshape(15, 20)], ignore_label=None)


@pytest.mark.parametrize(
    "weight", [{1: -1.0}, {9: 1.0}, {0: np.nan}, {0: 0.0, 1: 0.0}, {1: None}, {1: "5"}]
)
def test_wrong_class_weights_are_refused(weight):
    with pytest.raises(TargetError, match="class_weight="):
        learned([np.array([[0, 1]])], size=(1, 2), class_weight=weight)
