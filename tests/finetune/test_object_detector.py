"""ObjectDetector as an estimator: forms of y, sizes, state, searches, errors."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torchvision.ops import box_iou
from torchvision.transforms import v2

from sktransfer import ImageEmbedder, ObjectDetector, load, save
from sktransfer.exceptions import BadCellError, BadCellWarning, TargetError

SHORT = {"image_size": 64, "cache": False, "random_state": 0, "max_epochs": 8}


def squares(n, height=64, width=64, seed=0):
    """Return noise with bright and dark squares, and boxes of the squares."""
    rng = np.random.default_rng(seed)
    X = rng.integers(60, 120, (n, height, width, 3), dtype=np.uint8)
    y = []
    for image in X:
        boxes, labels = [], []
        for left in (0, width // 2)[: rng.integers(1, 3)]:
            side = int(rng.integers(16, 26))
            top, left = rng.integers(0, height - side), left + rng.integers(0, width // 2 - side)
            label = ("bright", "dark")[rng.integers(2)]
            image[top : top + side, left : left + side] = 230 if label == "bright" else 5
            boxes.append([left, top, left + side, top + side])
            labels.append(label)
        y.append({"boxes": np.array(boxes), "labels": labels})
    return X, y


X, Y = squares(24)


@pytest.fixture(scope="module")
def fitted():
    return ObjectDetector(**SHORT).fit(X, Y)


def same(one, other):
    return all(
        np.array_equal(a[name], b[name])
        for a, b in zip(one, other, strict=True)
        for name in ("boxes", "labels", "scores")
    )


def test_squares_are_found(fitted):
    X_new, y_new = squares(12, seed=1)
    assert fitted.score(X_new, y_new) > 0.7
    assert fitted.classes_.tolist() == ["bright", "dark"]
    for found in fitted.predict(X_new):
        assert found["boxes"].dtype == found["scores"].dtype == np.float32
        assert found["boxes"].shape == (len(found["labels"]), 4)
        assert (np.diff(found["scores"]) <= 0).all()
        assert found["scores"].min() >= 0.05


def test_boxes_are_in_the_pixels_of_each_image(fitted):
    large = [X[0].repeat(3, 0).repeat(2, 1), X[1]]
    found = fitted.predict(large)
    scale = np.array([2, 3, 2, 3])
    true = Y[0]["boxes"] * scale
    best = found[0]["boxes"][: len(true)]
    assert box_iou(*map(torch_boxes, (best, true))).max(0).values.min() > 0.5
    assert found[0]["boxes"][:, 2:].max(0)[0] <= 128
    wide = [{"boxes": true, "labels": Y[0]["labels"]}, Y[1]]
    np.testing.assert_allclose(fitted.score(large, wide), fitted.score(X[:2], Y[:2]), atol=0.3)


def torch_boxes(boxes):
    return torch.as_tensor(boxes, dtype=torch.float32)


FORMS = {
    "pairs": lambda: [(row["boxes"].tolist(), row["labels"]) for row in Y],
    "series": lambda: pd.Series(Y, index=range(3, 27)),
    "array": lambda: np.array(Y, dtype=object),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_y_gives_the_same(name, fitted):
    assert fitted.score(X, FORMS[name]()) == fitted.score(X, Y)
    form = FORMS[name]()[:6]
    short = ObjectDetector(**{**SHORT, "max_epochs": 1})
    assert same(clone(short).fit(X[:6], form).predict(X), short.fit(X[:6], Y[:6]).predict(X))


def test_rows_do_not_depend_on_others(fitted):
    whole = fitted.predict(X)
    alone = fitted.predict(X[5:6])[0]
    np.testing.assert_allclose(alone["scores"], whole[5]["scores"], atol=1e-4)
    np.testing.assert_allclose(alone["boxes"], whole[5]["boxes"], atol=1e-2)


def test_pickled_saved_and_cloned(fitted, tmp_path):
    expected = fitted.predict(X)
    assert same(pickle.loads(pickle.dumps(fitted)).predict(X), expected)
    save(fitted, tmp_path / "detector.skt")
    assert same(load(tmp_path / "detector.skt").predict(X), expected)
    short = clone(fitted).set_params(max_epochs=1)
    assert same(short.fit(X, Y).predict(X), clone(short).fit(X, Y).predict(X))


def test_one_class_of_numbers_and_images_without_objects():
    y = [{"boxes": row["boxes"], "labels": [7] * len(row["labels"])} for row in Y]
    y[0] = ([], [])
    detector = ObjectDetector(**SHORT).fit(X, y)
    assert detector.classes_.tolist() == [7]
    assert detector.score(X[1:], y[1:]) > 0.7
    assert np.isnan(detector.score(X[:1], y[:1]))


def test_thresholds_may_change_after_fit(fitted):
    strict = pickle.loads(pickle.dumps(fitted)).set_params(score_threshold=0.5)
    counts = [sum(len(r["labels"]) for r in d.predict(X)) for d in (strict, fitted)]
    assert 0 < counts[0] < counts[1]
    assert min(row["scores"].min(initial=1) for row in strict.predict(X)) >= 0.5
    assert strict.set_params(score_threshold=1.0).predict(X[:1])[0]["boxes"].shape == (0, 4)
    assert strict.score(X, Y) == 0


def test_weights_and_precisions_of_each_class(fitted):
    precisions = fitted.average_precisions(X, Y)
    assert list(precisions) == ["bright", "dark"]
    assert fitted.score(X, Y) == np.mean(list(precisions.values()))
    some = np.arange(24) < 10
    np.testing.assert_allclose(
        fitted.score(X, Y, sample_weight=some), fitted.score(X[:10], Y[:10]), rtol=1e-12
    )
    unknown = [{**row, "labels": ["other"] * len(row["labels"])} for row in Y]
    assert fitted.average_precisions(X, unknown) == {"other": 0}


def test_searches_and_validation_rows():
    short = {**SHORT, "max_epochs": 3}
    search = GridSearchCV(ObjectDetector(**short), {"lr": [1e-7, 3e-3]}, cv=2).fit(X[:12], Y[:12])
    assert search.best_params_ == {"lr": 3e-3}
    detector = ObjectDetector(**short).fit(X[:12], Y[:12], X_val=X[:7], y_val=Y[:7])
    np.testing.assert_allclose(
        detector.history_[-1]["valid_score"], detector.score(X[:7], Y[:7]), rtol=1e-6
    )
    assert "valid_loss" in detector.history_[-1]


def test_kept_activations_and_the_cache_change_nothing(tmp_path):
    settings = {**SHORT, "max_epochs": 2, "trainable": 1}
    kept = ObjectDetector(**settings).fit(X[:9], Y[:9]).predict(X)
    assert same(
        ObjectDetector(**settings, reuse_activations=False).fit(X[:9], Y[:9]).predict(X), kept
    )
    cached = ObjectDetector(**{**settings, "cache": tmp_path})
    assert same(cached.fit(X[:9], Y[:9]).predict(X), kept)
    assert same(clone(cached).fit(X[:9], Y[:9]).predict(X), kept)


def test_a_warm_start_goes_on(fitted):
    detector = ObjectDetector(**{**SHORT, "max_epochs": 2, "warm_start": True}).fit(X[:9], Y[:9])
    assert len(detector.fit(X[:9], Y[:9]).history_) == 4
    with pytest.raises(TargetError, match=r"row 1 of y: 'new' is none of the classes"):
        detector.fit(X[:2], [Y[0], ([[0, 0, 9, 9]], ["new"])])


@pytest.mark.parametrize("augment", ["standard", v2.RandomVerticalFlip()])
def test_augmented(augment):
    short = {**SHORT, "max_epochs": 4}
    assert ObjectDetector(**short, augment=augment).fit(X, Y).score(X, Y) > 0.15


def test_features_are_means_of_maps(fitted):
    assert fitted.transform(X[:2]).shape == (2, 24 + 40 + 112 + 1280)
    assert ImageEmbedder(fitted, cache=False).fit_transform(X[:2]).shape == (2, 1280)


def test_rows_that_cannot_be_used_are_left_out(fitted):
    detector = clone(fitted).set_params(on_error="nan", max_epochs=3)
    with pytest.warns(BadCellWarning, match="1 of 25"):
        detector.fit([*X, b"no image"], [*Y, None])
    with pytest.warns(BadCellWarning):
        good, bad = detector.predict([X[0], None])
    assert len(good["boxes"])
    assert bad is None
    with pytest.warns(BadCellWarning):
        score = detector.score([*X, None], [*Y, None])
    np.testing.assert_allclose(score, detector.score(X, Y))
    with pytest.raises(BadCellError, match="row 1"):
        fitted.predict([X[0], None])


def test_errors_name_the_row(fitted):
    outside = [*Y[:2], ([[0, 0, 65, 64]], ["dark"])]
    for call in (ObjectDetector(**SHORT).fit, fitted.score):
        with pytest.raises(TargetError, match=r"row 2 of y: the box .* leaves its image"):
            call(X[:3], outside)
        with pytest.raises(TargetError, match="row 1 of y: None is neither"):
            call(X[:3], [Y[0], None, Y[2]])
        with pytest.raises(TargetError, match="y"):
            call(X[:3], None)
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            call(X[:3], Y[:2])
