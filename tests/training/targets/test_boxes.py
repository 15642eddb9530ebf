"""Boxes as targets: forms of y, errors by row, places that learn them, and decoding."""

import numpy as np
import pandas as pd
import pytest
import torch

from sktransfer.exceptions import TargetError
from sktransfer.modalities import IGNORED
from sktransfer.training.targets import BoxTarget, as_boxes, target_from_dict

BOX = [2, 3, 12, 9]
ROW = {"boxes": [BOX, [0, 0, 20, 10]], "labels": ["dog", "cat"]}
SHAPE = (10, 20)


def learned(y):
    return BoxTarget.learn(y, [True] * len(y), score_threshold=0.05, nms_threshold=0.5)


FORMS = {
    "arrays": {"boxes": np.array(ROW["boxes"], dtype=np.uint8), "labels": np.array(ROW["labels"])},
    "tensors": {"boxes": torch.tensor(ROW["boxes"], dtype=torch.bfloat16), "labels": ROW["labels"]},
    "pair": (ROW["boxes"], ROW["labels"]),
    "list": [ROW["boxes"], tuple(ROW["labels"])],
    "series": {"boxes": pd.DataFrame(ROW["boxes"]), "labels": pd.Series(ROW["labels"])},
    "more keys": {**ROW, "area": [60, 200]},
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_row_is_read(name):
    boxes, labels, _ = as_boxes(FORMS[name], 0, SHAPE)
    np.testing.assert_array_equal(boxes, ROW["boxes"])
    assert labels.tolist() == ["dog", "cat"]


@pytest.mark.parametrize("none", [([], []), (np.empty((0, 4)), np.empty(0, dtype=int))])
def test_a_row_without_objects(none):
    assert as_boxes(none, 0, SHAPE).boxes.shape == (0, 4)
    assert learned([ROW, none]).encode([none], [SHAPE])[0].shape == (0, 5)


def test_boxes_are_encoded_as_shares_of_the_sides():
    target = learned([ROW])
    assert target.classes.tolist() == ["cat", "dog"]
    (encoded,) = target.encode([ROW], [SHAPE])
    torch.testing.assert_close(
        encoded, torch.tensor([[0.1, 0.3, 0.6, 0.9, 1], [0, 0, 1, 1, 0]], dtype=torch.float32)
    )
    assert target.encode([ROW, None], [SHAPE, None])[1].shape == (0, 5)
    again = target_from_dict(target.to_dict())
    assert again.classes.tolist() == ["cat", "dog"]


def test_rows_that_are_not_used_are_not_read():
    thresholds = {"score_threshold": 0.0, "nms_threshold": 0.5}
    target = BoxTarget.learn([ROW, None], [True, False], **thresholds)
    assert len(target.classes) == 2


def with_box(*box):
    return {"boxes": [BOX, box], "labels": ["dog", "cat"]}


def with_labels(*labels):
    return {"boxes": ROW["boxes"], "labels": labels}


WRONG = {
    "None": (None, "row 1 of y: None is neither a dict"),
    "NaN": (np.nan, "row 1 of y: nan is neither"),
    "a string": ("dog", "neither a dict"),
    "no labels": ({"boxes": [BOX]}, "neither a dict"),
    "boxes alone": (np.array([BOX]), "neither a dict"),
    "outside": (with_box(2, 3, 25, 9), r"\[2.0, 3.0, 25.0, 9.0\].*leaves its image, which is 20"),
    "below 0": (with_box(-1, 3, 5, 9), "leaves its image"),
    "no width": (with_box(5, 3, 5, 9), r"\[5.0, 3.0, 5.0, 9.0\] is no box"),
    "backwards": (with_box(12, 3, 2, 9), "is no box"),
    "left, top, width, height": (with_box(12, 6, 3, 2), "is no box"),
    "NaN in a box": (with_box(2, np.nan, 12, 9), "is no box"),
    "inf in a box": (with_box(2, 3, np.inf, 9), "is no box"),
    "three numbers": ({"boxes": [[1, 2, 3]], "labels": ["dog"]}, r"of shape \(k, 4\)"),
    "one box, flat": ({"boxes": BOX, "labels": ["dog"]}, r"of shape \(k, 4\)"),
    "ragged": ({"boxes": [BOX, [1, 2]], "labels": ["dog", "cat"]}, r"of shape \(k, 4\)"),
    "strings": ({"boxes": [["1", "2", "3", "4"]], "labels": ["dog"]}, r"of shape \(k, 4\)"),
    "bool": ({"boxes": [[False, False, True, True]], "labels": ["dog"]}, r"of shape \(k, 4\)"),
    "boxes None": ({"boxes": None, "labels": []}, r"of shape \(k, 4\)"),
    "more labels": (with_labels("dog", "cat", "dog"), "3 labels for 2 boxes"),
    "fewer labels": (with_labels("dog"), "1 labels for 2 boxes"),
    "label None": (with_labels("dog", None), "labels must be a sequence"),
    "label NaN": (with_labels("dog", np.nan), "labels must be a sequence"),
    "label float": (with_labels(1.0, 2.0), "labels must be a sequence"),
    "label bool": (with_labels(True, False), "labels must be a sequence"),
    "labels of two kinds": (with_labels("dog", 1), "labels must be a sequence"),
    "a label per letter": ({"boxes": ROW["boxes"], "labels": "ab"}, "labels must be a sequence"),
    "labels None": ({"boxes": ROW["boxes"], "labels": None}, "labels must be a sequence"),
    "nested labels": (with_labels(["dog"], ["cat"]), "labels must be a sequence"),
    "new label": (with_labels("dog", "cow"), "'cow' is none of the classes"),
    "label of another kind": (with_labels(1, 2), "is none of the classes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_row_that_cannot_be_learned_is_named(name):
    item, message = WRONG[name]
    with pytest.raises(TargetError, match=message) as caught:
        learned([ROW]).encode([ROW, item], [SHAPE, SHAPE])
    assert "row 1 of y" in str(caught.value)


def test_strings_of_digits_are_other_labels_than_numbers():
    target = learned([([BOX], ["1"])])
    with pytest.raises(TargetError, match="1 is none of the classes"):
        target.encode([([BOX], [1])], [SHAPE])
    with pytest.raises(TargetError, match="all strings or all whole numbers"):
        learned([([BOX], ["1"]), ([BOX], [1])])


def test_rounding_at_the_border_is_no_error():
    boxes = as_boxes(([[-0.004, 0, 20.004, 10]], [0]), 0, SHAPE).boxes
    assert boxes.tolist() == [[0, 0, 20, 10]]


def test_y_without_boxes_is_refused():
    with pytest.raises(TargetError, match="there is no box in y"):
        learned([([], []), ([], [])])


def outputs_for(target, encoded, size):
    """Return outputs whose every place says what it should learn of one row."""
    height, width = size
    outputs = torch.full((target.n_outputs, height, width), -20.0)
    y, x = (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width
    for left, top, right, bottom, number in encoded.tolist():
        row, column = int((top + bottom) / 2 * height), int((left + right) / 2 * width)
        sides = [x[column] - left, y[row] - top, right - x[column], bottom - y[row]]
        outputs[int(number), row, column] = 5.0
        outputs[-4:, row, column] = torch.tensor(sides).log()
    return outputs


def test_decoding_gives_back_what_was_encoded():
    target = learned([ROW])
    (encoded,) = target.encode(
        [{"boxes": [BOX, [13, 1, 19, 8]], "labels": ["dog", "cat"]}], [SHAPE]
    )
    found = target.decode(outputs_for(target, encoded, (10, 20)).numpy())
    assert sorted(found.labels) == ["cat", "dog"]
    order = np.argsort(found.labels)[::-1]
    np.testing.assert_allclose(found.boxes[order], encoded[:, :4], atol=1e-6)


def test_the_loss_is_lowest_for_what_was_encoded():
    target = learned([ROW])
    batch = target.batch(target.encode([([BOX], ["dog"]), ([], [])], [SHAPE] * 2), [0, 1])
    right = torch.stack([outputs_for(target, row[row[:, 4] >= 0], (3, 4)) for row in batch])
    losses = target.row_loss(right, batch, 0.0)
    assert losses.shape == (2,)
    assert losses.max() < 1e-2
    false_dog, missed_dog, distance, in_empty = (
        (0, 1, 0, 0),
        (0, 1, 1, 1),
        (0, 4, 1, 1),
        (1, 0, 2, 2),
    )
    for place, value in ((false_dog, 3), (missed_dog, -3), (distance, 0.5), (in_empty, 3)):
        wrong = right.clone()
        wrong[place] = value
        assert target.row_loss(wrong, batch, 0.0)[place[0]] > losses[place[0]] + 0.3


def test_a_row_without_boxes_has_a_gradient_and_a_finite_loss():
    target = learned([ROW])
    outputs = torch.zeros(2, 6, 4, 4, requires_grad=True)
    for rows in ([torch.empty(0, 5)] * 2, [torch.empty(0, 5), target.encode([ROW], [SHAPE])[0]]):
        loss = target.row_loss(outputs, target.batch(rows, [0, 1]), 0.0).mean()
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(outputs.grad).all()


def test_the_smallest_box_in_the_least_place_is_learned():
    tiny = {"boxes": [[10.1, 5.1, 10.2, 5.2], [0, 0, 20, 10]], "labels": ["dog", "cat"]}
    target = learned([tiny])
    batch = target.batch(target.encode([tiny], [SHAPE]), [0])
    outputs = torch.zeros(1, 6, 4, 4, requires_grad=True)
    target.row_loss(outputs, batch, 0.0).sum().backward()
    raised = (outputs.grad[0, :2] < 0).nonzero().tolist()
    assert [1, 2, 2] in raised  # the dog, in the place around its center
    assert [0, 2, 2] not in raised
    assert [0, 1, 1] in raised


def test_the_bias_is_a_rare_class_and_a_box_of_mean_size():
    target = learned([ROW])
    batch = target.batch(target.encode([ROW, ([], [])], [SHAPE] * 2), [0, 1])
    assert (batch[1] == IGNORED).all()
    bias = target.bias(batch, torch.ones(2))
    np.testing.assert_allclose(bias[:2].sigmoid(), 0.01, rtol=0.02)
    np.testing.assert_allclose(bias[2:].exp(), np.sqrt([0.5 * 1, 0.6 * 1] * 2) / 2, rtol=1e-5)


def test_of_boxes_that_overlap_the_best_of_each_class_is_kept():
    target = learned([ROW])
    outputs = np.full((6, 4, 4), np.log(0.6), dtype=np.float32)
    outputs[:2] = -20
    outputs[0, 1, 1], outputs[0, 1, 2], outputs[1, 1, 1] = 3, 2, 1
    found = target.decode(outputs)
    assert found.labels.tolist() == ["cat", "dog"]
    assert (np.diff(found.scores) < 0).all()
    assert found.boxes.min() >= 0
    assert found.boxes.max() <= 1


def test_probabilities_and_boxes_of_all_places_are_those_that_are_predicted():
    target = learned([ROW])
    outputs = torch.randn(1, 6, 3, 4)
    places, found = target.to_proba(outputs)[0], target.decode(outputs[0].numpy())
    assert places.shape == (6, 3, 4)
    best = places[:2].flatten().argmax().item()
    assert found.scores[0] == places[:2].max()
    assert found.labels[0] == target.classes[best // 12]
    np.testing.assert_allclose(found.boxes[0], places[2:].flatten(1)[:, best % 12].clip(0, 1))
