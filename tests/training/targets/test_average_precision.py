"""The average precision of boxes is COCO's."""

import numpy as np
import pytest

from sktransfer.training.targets import Boxes, average_precision

coco = pytest.importorskip("pycocotools.coco")
cocoeval = pytest.importorskip("pycocotools.cocoeval")


def random_rows(rng, n, n_true=6, n_found=25, k=3):
    """Return true boxes of images, and predictions of which some are near them."""
    true, found = [], []
    for _ in range(n):
        corners = rng.uniform(0, 70, (rng.integers(0, n_true), 2))
        boxes = np.hstack([corners, corners + rng.uniform(5, 30, corners.shape)])
        labels = rng.integers(0, k, len(boxes))
        true.append(Boxes(boxes, labels))
        near = np.repeat(boxes, 3, 0) + rng.normal(0, 3, (3 * len(boxes), 4))
        near[:, 2:] = near[:, 2:].clip(min=near[:, :2] + 1)
        other = rng.uniform(0, 50, (rng.integers(0, n_found), 2))
        far = np.hstack([other, other + 20])
        all_labels = np.concatenate([np.repeat(labels, 3), rng.integers(0, k, len(far))])
        scores = rng.choice(20, len(all_labels)) / 20  # many are equal
        order = np.argsort(-scores, kind="stable")
        found.append(Boxes(np.vstack([near, far])[order], all_labels[order], scores[order]))
    return true, found


def of_coco(true, found):
    """Return the AP50 of each class that COCO's own code computes."""

    def items(rows, **more):
        for image, row in enumerate(rows):
            for number, (left, top, right, bottom) in enumerate(row.boxes.tolist()):
                size = right - left, bottom - top
                item = {"image_id": image, "category_id": int(row.labels[number])}
                item |= {"bbox": [left, top, *size], "area": size[0] * size[1], **more}
                if row.scores is not None:
                    item["score"] = float(row.scores[number])
                yield item

    truth, categories = coco.COCO(), sorted({int(v) for row in true for v in row.labels})
    truth.dataset = {
        "images": [{"id": number} for number in range(len(true))],
        "categories": [{"id": number} for number in range(3)],
        "annotations": [dict(i, id=n) for n, i in enumerate(items(true, iscrowd=0), 1)],
    }
    truth.createIndex()
    evaluation = cocoeval.COCOeval(truth, truth.loadRes([*items(found)]), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][0, :, :, 0, -1].mean(0)
    return {label: precision[label] for label in categories}


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_that_of_pycocotools(seed, capsys):
    true, found = random_rows(np.random.default_rng(seed), 12)
    own = average_precision(true, found, np.ones(12))
    assert 0.05 < np.mean([*own.values()]) < 0.95
    assert own == pytest.approx(of_coco(true, found), abs=1e-12)


def test_a_weight_is_a_number_of_repetitions():
    true, found = random_rows(np.random.default_rng(0), 8)
    found = [f._replace(scores=f.scores + 0.001 * n) for n, f in enumerate(found)]
    weights = np.arange(8)
    repeated = np.repeat(np.arange(8), weights)
    expected = average_precision(
        [true[n] for n in repeated], [found[n] for n in repeated], np.ones(len(repeated))
    )
    assert average_precision(true, found, weights) == pytest.approx(expected, abs=0.02)


def boxes(rows, labels, scores=None):
    scores = None if scores is None else np.array(scores)
    return Boxes(np.array(rows, dtype=float).reshape(-1, 4), np.array(labels), scores)


def test_hand_computations():
    true = [boxes([[0, 0, 10, 10], [20, 20, 30, 30]], ["a", "a"]), boxes([[0, 0, 4, 4]], ["b"])]
    nothing = [boxes([], np.empty(0, dtype=str), []) for _ in true]
    assert average_precision(true, nothing, [1, 1]) == {"a": 0, "b": 0}
    perfect = [row._replace(scores=np.ones(len(row.labels))) for row in true]
    assert average_precision(true, perfect, [1, 1]) == {"a": 1, "b": 1}
    # One of two is found, after a wrong one: precision 1/2 up to a recall of 1/2 (51 of 101).
    late = [boxes([[50, 50, 60, 60], [0, 0, 10, 8]], ["a", "a"], [0.9, 0.8]), nothing[1]]
    assert average_precision(true, late, [1, 1])["a"] == pytest.approx(0.5 * 51 / 101)
    # The second box on the same object is wrong, and so is another label.
    twice = [boxes([[0, 0, 10, 10]] * 2, ["a", "a"], [0.9, 0.8]), nothing[1]]
    assert average_precision(true, twice, [1, 1])["a"] == pytest.approx(51 / 101)
    assert average_precision(true[1:], [boxes([[0, 0, 4, 4]], ["a"], [1])], [1]) == {"b": 0}
    assert average_precision(nothing, perfect, [1, 1]) == {}
