"""`ImageSegmenter` as an estimator: forms of masks, sizes, state, searches, tiles, errors."""

import io
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import jaccard_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from skorch.callbacks import Callback, EpochScoring

from sktransfer import (
    ImageEmbedder,
    ImageSegmenter,
    MaskDisplay,
    export_onnx,
    export_weights,
    load,
    save,
)
from sktransfer.exceptions import BadCellError, BadCellWarning, TargetError, TileWarning

SHORT = {"image_size": 64, "cache": False, "random_state": 0, "max_epochs": 3}


def squares(n, height=64, width=64, side=20, seed=0):
    """Return noise with a bright square in each image, and masks of the squares."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 60, (n, height, width, 3), dtype=np.uint8)
    y = np.zeros((n, height, width), dtype=np.uint8)
    for image, mask in zip(X, y, strict=True):
        top, left = rng.integers(0, height - side), rng.integers(0, width - side)
        image[top : top + side, left : left + side] += 150
        mask[top : top + side, left : left + side] = 1
    return X, y


X, Y = squares(16)


@pytest.fixture(scope="module")
def fitted():
    return ImageSegmenter(**SHORT).fit(X, Y)


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def test_squares_are_found(fitted):
    X_new, y_new = squares(8, seed=1)
    assert fitted.score(X_new, y_new) > 0.75
    assert fitted.classes_.tolist() == [0, 1]
    assert fitted.predict(X_new)[0].dtype == np.uint8


def test_a_thin_object_is_learned_with_default_settings():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 60, (24, 64, 64, 3), dtype=np.uint8)
    y = np.zeros((24, 64, 64), dtype=bool)
    for image, mask, column in zip(X, y, rng.integers(4, 60, 24), strict=True):
        image[:, column : column + 2] += 180  # 3 % of the pixels
        mask[:, column : column + 2] = True
    segmenter = ImageSegmenter(image_size=128, cache=False, random_state=0).fit(X[:16], y[:16])
    report = segmenter.classification_report(X[16:], y[16:])
    assert report[True]["recall"] > 0.8
    assert report[True]["iou"] > 0.4
    assert segmenter.predict(X[:1])[0].dtype == bool


def test_predictions_have_the_size_of_each_image():
    parts = [X[0], X[1][:50], X[2][:, :33]]
    masks = [Y[0], Y[1][:50], Y[2][:, :33]]
    segmenter = ImageSegmenter(**SHORT).fit(parts * 3, masks * 3)
    for image, found, proba in zip(
        parts, segmenter.predict(parts), segmenter.predict_proba(parts), strict=True
    ):
        assert found.shape == image.shape[:2]
        assert proba.shape == (*image.shape[:2], 2)
        np.testing.assert_allclose(proba.sum(2), 1, atol=1e-5)
        np.testing.assert_array_equal(proba.argmax(2), found)


FORMS = {
    "lists": (lambda: list(X), lambda: list(Y)),
    "series": (lambda: pd.Series(list(X)), lambda: pd.Series(list(Y), index=range(3, 19))),
    "frame": (lambda: pd.DataFrame({"photo": list(X)}), lambda: list(Y)),
    "bytes": (lambda: [png(image) for image in X], lambda: [png(mask) for mask in Y]),
    "PIL": (lambda: X, lambda: [Image.fromarray(mask) for mask in Y]),
    "int64": (lambda: X, lambda: Y.astype(np.int64)),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_images_and_masks_gives_the_same(name, fitted):
    images, masks = (make() for make in FORMS[name])
    other = ImageSegmenter(**SHORT).fit(images, masks)
    assert same(other.predict(images), fitted.predict(X))
    assert other.score(images, masks) == fitted.score(X, Y)


def test_rows_do_not_depend_on_others(fitted):
    whole = fitted.predict_proba(X)
    for found, expected in zip(fitted.predict_proba(X[::-1]), whole[::-1], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fitted.predict_proba(X[5:6])[0], whole[5], rtol=1e-4, atol=1e-5)


def test_score_is_the_mean_iou_and_ignores_ignored_pixels(fitted):
    found = fitted.predict(X)
    expected = jaccard_score(Y.ravel(), np.stack(found).ravel(), average="macro")
    np.testing.assert_allclose(fitted.score(X, Y), expected)
    masks = Y.copy()
    masks[:, :10] = 255
    known = masks != 255
    expected = jaccard_score(masks[known], np.stack(found)[known], average="macro")
    np.testing.assert_allclose(fitted.score(X, masks), expected)
    weights = np.arange(16.0)
    repeated = np.repeat(np.arange(16), np.arange(16))
    np.testing.assert_allclose(
        fitted.score(X, Y, sample_weight=weights), fitted.score(X[repeated], Y[repeated])
    )


def test_pickled_saved_and_cloned(fitted, tmp_path):
    expected = fitted.predict_proba(X)
    assert same(pickle.loads(pickle.dumps(fitted)).predict_proba(X), expected)
    save(fitted, tmp_path / "segmenter.skt")
    assert same(load(tmp_path / "segmenter.skt").predict_proba(X), expected)
    assert same(clone(fitted).fit(X, Y).predict_proba(X), expected)


@pytest.mark.parametrize("trainable", [1, "all"])
def test_kept_activations_change_nothing(trainable):
    kept, computed = (
        ImageSegmenter(**SHORT, trainable=trainable, reuse_activations=reuse).fit(X, Y)
        for reuse in (True, False)
    )
    assert same(kept.predict_proba(X), computed.predict_proba(X))


@pytest.mark.parametrize("trainable", ["gradual", "lora"])
def test_other_parts_can_be_trained(trainable):
    assert ImageSegmenter(**SHORT, trainable=trainable).fit(X, Y).score(X, Y) > 0.7


def test_the_cache_is_invisible(fitted, tmp_path):
    cached = ImageSegmenter(**{**SHORT, "cache": tmp_path}, trainable=1)
    first, second = cached.fit(X, Y).predict(X), clone(cached).fit(X, Y).predict(X)
    plain = ImageSegmenter(**SHORT, trainable=1).fit(X, Y).predict(X)
    assert same(first, second)
    assert same(first, plain)


def test_searches_and_cross_validation():
    search = GridSearchCV(ImageSegmenter(**SHORT), {"dice_weight": [0.0, 1.0]}, cv=2).fit(X, Y)
    assert search.best_score_ > 0.7
    scores = cross_val_score(
        ImageSegmenter(**SHORT), X, Y, groups=np.arange(16) // 4, cv=GroupKFold(2)
    )
    assert min(scores) > 0.7


def test_early_stopping_validates_on_held_out_rows():
    segmenter = ImageSegmenter(**SHORT, early_stopping=True, validation_fraction=0.25)
    record = segmenter.fit(X, Y, groups=np.arange(16) // 2).history_[-1]
    assert {"valid_loss", "valid_score"} <= record.keys()
    other = ImageSegmenter(**SHORT).fit(X, Y, X_val=X[:4], y_val=Y[:4])
    np.testing.assert_allclose(other.history_[-1]["valid_score"], other.score(X[:4], Y[:4]))


def test_a_warm_start_goes_on(fitted):
    segmenter = clone(fitted).set_params(warm_start=True).fit(X, Y).fit(X, Y)
    assert len(segmenter.history_) == 2 * SHORT["max_epochs"]


@pytest.mark.parametrize("augment", ["light", "standard"])
def test_augmented(augment):
    assert ImageSegmenter(**SHORT, augment=augment).fit(X, Y).score(X, Y) > 0.7


def test_large_images_are_predicted_in_tiles():
    segmenter = ImageSegmenter(**{**SHORT, "max_epochs": 8}).fit(X, Y)
    large, masks = squares(2, 150, 230, side=20, seed=3)
    whole = segmenter.score(large, masks)
    segmenter.set_params(tile_size=64)
    assert segmenter.score(large, masks) > max(0.7, whole)
    assert same(
        segmenter.predict(X), clone(segmenter).set_params(tile_size=None).fit(X, Y).predict(X)
    )


def test_training_images_larger_than_a_tile_are_named():
    with pytest.warns(TileWarning, match="16 of 16 training images are larger than tile_size=48"):
        ImageSegmenter(**{**SHORT, "max_epochs": 1}, tile_size=48).fit(X, Y)


def test_a_network_in_which_it_was_trained_is_a_backbone(fitted, tmp_path):
    features = ImageEmbedder(ImageSegmenter(**SHORT, trainable=1).fit(X, Y), cache=False)
    frozen = ImageEmbedder(fitted, cache=False).fit_transform(X)
    assert frozen.shape == (16, 1280)
    assert np.abs(features.fit_transform(X) - frozen).max() > 1e-3
    with pytest.warns(UserWarning, match="The head is not in"):
        export_weights(fitted, tmp_path / "weights.safetensors")


def test_features_are_means_of_maps(fitted):
    features = fitted.transform(X)
    assert features.shape == (16, 24 + 40 + 112 + 1280)
    assert len(fitted.get_feature_names_out()) == features.shape[1]


def test_rows_that_cannot_be_used_are_left_out():
    with pytest.warns(BadCellWarning, match="1 of 17"):
        segmenter = ImageSegmenter(**SHORT, on_error="nan").fit([*X, b"no image"], [*Y, None])
    with pytest.warns(BadCellWarning):
        good, bad = segmenter.predict([X[0], None])
    assert good.shape == (64, 64)
    assert bad is None
    with pytest.warns(BadCellWarning):
        score = segmenter.score([*X, None], [*Y, None])
    np.testing.assert_allclose(score, segmenter.score(X, Y))
    with pytest.warns(BadCellWarning):
        assert np.isnan(segmenter.transform([None])).all()


def test_a_bad_image_is_named(fitted):
    with pytest.raises(BadCellError, match="row 1"):
        fitted.predict([X[0], None])


def test_masks_and_images_must_be_as_many(fitted):
    with pytest.raises(TargetError, match="5 masks for 16 images"):
        fitted.score(X, Y[:5])
    with pytest.raises(TargetError, match="y is no column of masks"):
        fitted.score(X[:4], "mask")


@pytest.mark.parametrize("method", ["predict", "predict_proba", "transform"])
def test_it_must_be_fitted(method):
    with pytest.raises(NotFittedError):
        getattr(ImageSegmenter(), method)(X)


@pytest.mark.parametrize("method", ["score", "classification_report"])
def test_it_must_be_fitted_to_be_scored(method, fitted):
    with pytest.raises(NotFittedError):
        getattr(ImageSegmenter(), method)(X, Y)
    with pytest.raises(TargetError, match="no pixel of a usable image has a class"):
        getattr(fitted, method)(X, np.full_like(Y, 255))


def test_negative_weights_are_refused(fitted):
    with pytest.raises(ValueError, match="Negative values"):
        fitted.score(X, Y, sample_weight=-np.ones(16))


TYPES = {
    np.uint8: (0, 1),
    np.int8: (-1, 0),
    np.int16: (-1, 200),
    np.uint16: (0, 300),
    np.int64: (-(2**40), 2**40),
    bool: (False, True),
}


@pytest.mark.parametrize("dtype", TYPES)
def test_predictions_have_the_smallest_type(dtype):
    low, high = TYPES[dtype]
    masks = np.where(Y == 1, high, low)
    segmenter = ImageSegmenter(**{**SHORT, "max_epochs": 1}).fit(X, masks)
    found = segmenter.predict(X[:1])[0]
    assert found.dtype == dtype
    assert set(np.unique(found)) <= {low, high}


TILED = {
    "flattened": (lambda: X.reshape(16, -1), {"image_shape": (64, 64, 3)}),
    "flattened grey": (lambda: X[..., 0].reshape(16, -1), {"image_shape": (64, 64)}),
    "window": (lambda: list(X[..., 0].astype(np.uint16)), {"window": (128, 256)}),
    "frame": (lambda: pd.DataFrame({"photo": list(X)}), {}),
    "files": (lambda: [png(image) for image in X], {"max_pixels": 64 * 64}),
}


@pytest.mark.parametrize("name", TILED)
def test_tiles_of_every_kind_of_image_are_predicted(name):
    images, options = TILED[name][0](), TILED[name][1]
    segmenter = ImageSegmenter(**SHORT, **options).fit(images, Y).set_params(tile_size=48)
    assert segmenter.score(images, Y) > 0.7


def test_a_row_without_weight_has_no_part_in_the_fit():
    weights = np.arange(16) != 2
    masks = [*Y]
    found = []
    for mask in (Y[2], None, np.full((64, 64), 7)):
        masks[2] = mask
        found.append(ImageSegmenter(**SHORT).fit(X, masks, sample_weight=weights).predict_proba(X))
    assert same(found[0], found[1])
    assert same(found[0], found[2])


def test_parameters_of_masks_count_after_fit(fitted):
    masks = Y.copy()
    masks[:, :10] = 7
    warm = clone(fitted).set_params(warm_start=True).fit(X, Y)
    warm.set_params(ignore_label=7)
    assert warm.score(X, masks) > 0.7
    warm.set_params(class_weight=None).fit(X, masks)
    assert warm._target.class_weights.tolist() == [1, 1]
    with pytest.raises(TargetError, match="class_weight="):
        warm.set_params(class_weight={9: 1}).fit(X, masks)


@pytest.mark.parametrize("add", [50, -50])
def test_augmented_masks_have_the_same_classes(add):
    with pytest.raises(ValueError, match="a mask with other values"):
        ImageSegmenter(**SHORT, augment=lambda image, mask: (image, mask + add)).fit(X, Y)


def test_scorers_of_scikit_learn_are_refused_in_callbacks():
    segmenter = ImageSegmenter(**SHORT, callbacks=[EpochScoring("accuracy")])
    with pytest.raises(TargetError, match="valid_score"):
        segmenter.fit(X, Y, X_val=X, y_val=Y)


def test_predictions_are_cross_validated():
    assert cross_val_predict(ImageSegmenter(**SHORT), X, Y, cv=2)[0].shape == (64, 64)


def test_the_onnx_model_gives_the_probabilities_of_images_of_its_size(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 4, stride=4), torch.nn.ReLU())
    fitted = ImageSegmenter(network, **SHORT).fit(X, Y)
    export_onnx(fitted, tmp_path / "segmenter.onnx")
    session = runtime.InferenceSession(tmp_path / "segmenter.onnx")
    preparer = fitted._modality().bind(fitted._get_backbone())
    inputs = preparer.collate([preparer.prepare(image, None) for image in X], torch.device("cpu"))
    (found,) = session.run(None, {"inputs": inputs.numpy()})
    expected = np.stack(fitted.predict_proba(X)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_an_interrupt_keeps_the_finished_epochs():
    class Interrupt(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                raise KeyboardInterrupt

    segmenter = ImageSegmenter(**{**SHORT, "max_epochs": 5}, callbacks=[Interrupt()])
    with pytest.warns(UserWarning, match="interrupted"):
        segmenter.fit(X, Y)
    assert segmenter.score(X, Y) > 0.5


def test_the_display_shows_image_truth_prediction_and_errors(fitted):
    display = MaskDisplay.from_estimator(fitted, X[:2], Y[:2])
    assert display.axes_.shape == (2, 4)
    errors = np.asarray(display.axes_[0, 3].images[0].get_array())
    wrong = fitted.predict(X[:1])[0] != Y[0]
    np.testing.assert_array_equal((errors == (0.84, 0.1, 0.11)).all(2), wrong)
    assert MaskDisplay.from_estimator(fitted, X[:3]).axes_.shape == (3, 2)
    named = MaskDisplay.from_estimator(fitted, X[:1], class_names={1: "square"})
    assert [text.get_text() for text in named.figure_.legends[0].texts] == ["square"]
    with pytest.raises(TypeError, match="predicts no masks"):
        MaskDisplay.from_estimator(ImageEmbedder(), X)


def test_the_display_names_what_does_not_fit(fitted):
    with pytest.raises(TargetError, match="2 masks for 3 images"):
        MaskDisplay.from_estimator(fitted, X[:3], Y[:2])
    with pytest.raises(TargetError, match=r"row 0 of y: a mask of \(63, 64\)"):
        MaskDisplay.from_estimator(fitted, X[:2], Y[:2, 1:])
    with pytest.raises(ValueError, match="1 names for the 2 classes"):
        MaskDisplay.from_estimator(fitted, X[:2], class_names=["square"])
    with pytest.raises(ValueError, match="no image to show"):
        MaskDisplay([], [], np.array([0, 1])).plot()


def test_the_display_leaves_out_images_that_cannot_be_used(fitted):
    segmenter = clone(fitted).set_params(on_error="nan").fit(X, Y)
    with pytest.warns(BadCellWarning, match="1 of 2 rows are None in the result"):
        display = MaskDisplay.from_estimator(segmenter, [None, X[0]], [None, Y[0]])
    assert display.axes_.shape == (1, 4)


def test_the_display_shows_flattened_images():
    flat = X.reshape(16, -1)
    segmenter = ImageSegmenter(**SHORT, image_shape=(64, 64, 3)).fit(flat, Y)
    assert MaskDisplay.from_estimator(segmenter, flat[:2], Y[:2]).axes_.shape == (2, 4)
