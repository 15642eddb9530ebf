"""A bad cell in a fit or a prediction raises with its row, or affects its own row only."""

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from skorch.callbacks import Callback

from sktransfer import (
    AudioClassifier,
    AudioRegressor,
    ImageClassifier,
    ImageRegressor,
    TextClassifier,
    TextRegressor,
    cache_info,
)
from sktransfer.exceptions import BadCellError, BadCellWarning, ColumnError, TargetError
from sktransfer.modalities.image._image_modality import ImagePreparer
from tests._tiny import images, sounds, tiny_network
from tests.backbones._huggingface_folders import WORDS, save
from tests.modalities.audio import _bad_sounds
from tests.modalities.image._bad_images import CELLS
from tests.modalities.text._bad_texts import MISSING, NO_TEXTS

QUICK = {"random_state": 0, "max_epochs": 2, "batch_size": 4}
N = 12
BAD_ROWS = [2, 7]
GOOD_ROWS = [row for row in range(N) if row not in BAD_ROWS]
# One is found when the column is read, the other only when its pixels are decoded.
BAD_IMAGES = [None, np.full((8, 8), np.nan)]


@pytest.fixture(autouse=True)
def _own_cache(cache_folder):
    """Start every test with an empty cache."""


@pytest.fixture(scope="module")
def folder_of_words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    save("bert", folder)
    return folder


ESTIMATORS = (
    *(ImageClassifier, ImageRegressor),
    *(TextClassifier, TextRegressor),
    *(AudioClassifier, AudioRegressor),
)


@pytest.fixture(params=ESTIMATORS)
def case(request, folder_of_words):
    """Return an estimator, a column with two bad cells, and the same column without them."""
    if request.param in (ImageClassifier, ImageRegressor):
        estimator, column, bad = request.param(tiny_network(), **QUICK), list(images(N)), BAD_IMAGES
    elif request.param in (AudioClassifier, AudioRegressor):
        estimator = request.param("log-mel", sampling_rate=16_000, **QUICK)
        column, bad = sounds(N), [None, np.full(99, np.nan)]
    else:
        estimator = request.param(folder_of_words, **QUICK)
        column, bad = [f"{w} {w}" for w in WORDS][:N], [3, b"x"]
    good = [column[row] for row in GOOD_ROWS]
    for row, cell in zip(BAD_ROWS, bad, strict=True):
        column[row] = cell
    return estimator, column, good


def _targets(estimator):
    numbers = np.arange(N) % 3
    return numbers if hasattr(estimator, "predict_proba") else numbers + 0.5


def _predict(estimator, column):
    shares = getattr(estimator, "predict_proba", None)
    return shares(column) if shares else estimator.predict(column)


@pytest.mark.parametrize("trainable", ["head", 1, "all"])
def test_a_fit_raises_at_the_first_bad_cell_and_stays_unfitted(case, trainable):
    estimator, column, _ = case
    with pytest.raises(BadCellError, match=r"row 2: .*on_error='nan'"):
        estimator.set_params(trainable=trainable).fit(column, _targets(estimator))
    assert not [name for name in vars(estimator) if name.endswith("_")]


@pytest.mark.parametrize("trainable", ["head", 1, "all"])
def test_a_fit_that_skips_bad_cells_equals_a_fit_on_the_good_cells(case, trainable):
    estimator, column, good = case
    estimator.set_params(trainable=trainable, on_error="nan")
    y = _targets(estimator)
    plain = clone(estimator).fit(good, y[GOOD_ROWS])
    message = r"2 of 12 rows are left out of the fit.*row 2: .*row 7: "
    with pytest.warns(BadCellWarning, match=message):
        estimator.fit(column, y)
    np.testing.assert_allclose(_predict(estimator, good), _predict(plain, good), atol=1e-5)


def test_a_bad_cell_does_not_change_the_weight_of_its_class(folder_of_words):
    column, y = [f"{w} {w}" for w in WORDS], np.array([0, 0, 0, 1] * 3)
    column[3] = None
    good = [cell for cell in column if cell is not None]
    options = {"class_weight": "balanced", "on_error": "nan", **QUICK}
    plain = TextClassifier(folder_of_words, **options).fit(good, np.delete(y, 3))
    with pytest.warns(BadCellWarning):
        fitted = TextClassifier(folder_of_words, **options).fit(column, y)
    np.testing.assert_allclose(
        fitted.predict_proba(good), plain.predict_proba(good), rtol=1e-4, atol=1e-5
    )


def test_a_column_without_usable_weighted_rows_raises():
    column = [*images(3), None]
    with pytest.raises(TargetError, match="no cell that has a weight can be used"):
        ImageRegressor(tiny_network(), on_error="nan", **QUICK).fit(
            column, [1.0, 2.0, 3.0, 4.0], sample_weight=[0, 0, 0, 1]
        )


def test_predictions_and_features_of_bad_cells_are_nan_and_others_unchanged(case):
    estimator, column, good = case
    estimator.set_params(on_error="nan").fit(good, _targets(estimator)[GOOD_ROWS])
    for give in (lambda X: _predict(estimator, X), estimator.transform):
        with pytest.warns(BadCellWarning, match=r"2 of 12 rows.*row 2: .*row 7: "):
            rows = give(column)
        assert len(rows) == N
        assert np.isnan(rows[BAD_ROWS]).all()
        np.testing.assert_allclose(rows[GOOD_ROWS], give(good), rtol=1e-5, atol=1e-6)
    with pytest.raises(BadCellError, match="row 2: "):
        estimator.set_params(on_error="raise").predict(column)


@pytest.mark.parametrize("case", [ImageClassifier, TextClassifier], indirect=True)
def test_predict_raises_for_bad_cells(case):
    estimator, column, good = case
    estimator.set_params(on_error="nan").fit(good, _targets(estimator)[GOOD_ROWS])
    with (
        pytest.warns(BadCellWarning),
        pytest.raises(BadCellError, match="row 2: there is no class"),
    ):
        estimator.predict(column)


def test_bad_cells_of_a_validation_set_are_skipped_too(case):
    estimator, column, good = case
    y = _targets(estimator)
    estimator.set_params(on_error="nan", early_stopping=True)
    plain = clone(estimator).fit(good, y[GOOD_ROWS], X_val=good, y_val=y[GOOD_ROWS])
    message = r"2 of 12 rows are left out of the validation.*row 2: .*row 7: "
    with pytest.warns(BadCellWarning, match=message):
        estimator.fit(good, y[GOOD_ROWS], X_val=column, y_val=y)
    np.testing.assert_allclose(
        [epoch["valid_loss"] for epoch in estimator.history_],
        [epoch["valid_loss"] for epoch in plain.history_],
        rtol=1e-4,
    )
    with pytest.raises(BadCellError, match="row 2: "):
        clone(estimator).set_params(on_error="raise").fit(good, y[GOOD_ROWS], X_val=column, y_val=y)


def test_cached_cells_are_not_decoded_again_to_find_bad_ones(cache_folder, monkeypatch):
    prepared = []
    plain = ImagePreparer.prepare

    def recorded(self, cell, digest):
        prepared.append(cell)
        return plain(self, cell, digest)

    column = [*images(5), b"no image"]
    estimator = ImageClassifier(tiny_network(), on_error="nan", max_epochs=1, random_state=0)
    with pytest.warns(BadCellWarning, match="row 5: "):
        expected = estimator.fit(column, [0, 1] * 3).predict_proba(column[:5])
    monkeypatch.setattr(ImagePreparer, "prepare", recorded)
    with pytest.warns(BadCellWarning, match="row 5: "):
        found = estimator.fit(column, [0, 1] * 3).predict_proba(column[:5])
    assert all(cell == b"no image" for cell in prepared)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_files_that_disappear_during_training_are_skipped_with_their_batches(tmp_path, batch_size):
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path, pixels in zip(paths, images(4), strict=True):
        Image.fromarray(pixels).save(path)

    class Vanish(Callback):
        def on_epoch_end(self, net, **kwargs):
            paths[3].unlink(missing_ok=True)

    estimator = ImageClassifier(
        tiny_network(),
        on_error="nan",
        reuse_activations=False,
        callbacks=[Vanish()],
        cache=False,
        max_epochs=3,
        batch_size=batch_size,
    )
    with pytest.warns(BadCellWarning, match=r"row 3: .*no such file"):
        estimator.fit([str(path) for path in paths], [0, 1, 0, 1])
    assert len(estimator.history_) == 3


def test_a_column_of_bad_cells_raises():
    estimator = ImageClassifier(tiny_network(), on_error="nan", **QUICK)
    with pytest.raises(ColumnError, match="no cell of the column can be used"):
        estimator.fit([np.full((8, 8), np.nan)] * 4, [0, 1, 0, 1])


@pytest.mark.parametrize("cell", [cell for cell, _ in CELLS.values()], ids=CELLS)
def test_every_kind_of_bad_image_raises_with_its_row(cell):
    classifier = ImageClassifier(tiny_network(), image_size=16, **QUICK)
    with pytest.raises(BadCellError, match=r"^row 1: .*on_error='nan'"):
        classifier.fit([images(1)[0], cell, *images(2)], [0, 1, 0, 1])


@pytest.mark.parametrize("cell", [*(c for c, _ in NO_TEXTS.values()), *MISSING.values()])
def test_every_kind_of_bad_text_raises_with_its_row(cell, folder_of_words):
    with pytest.raises(BadCellError, match=r"^row 1: "):
        TextClassifier(folder_of_words, **QUICK).fit(["alpha", cell, "beta"], [0, 1, 0])


SOUNDS = [cell for cell, _ in _bad_sounds.CELLS.values()]


@pytest.mark.parametrize("cell", SOUNDS, ids=_bad_sounds.CELLS)
def test_every_kind_of_bad_sound_raises_with_its_row(cell):
    classifier = AudioClassifier("log-mel", sampling_rate=16_000, **QUICK)
    with pytest.raises(BadCellError, match=r"^row 1: .*on_error='nan'"):
        classifier.fit([*sounds(1), cell, *sounds(2)], [0, 1, 0, 1])


def test_rows_computed_before_a_bad_cell_are_cached():
    column = list(images(200, size=8))
    good, column[190] = column[190], np.full((8, 8), np.nan)
    y = np.arange(200) % 2
    classifier = ImageClassifier(tiny_network(), image_size=8, **QUICK)
    before = cache_info().computed
    with pytest.raises(BadCellError, match="row 190: "):
        classifier.fit(column, y)
    assert 150 <= cache_info().computed - before <= 190
    column[190] = good
    classifier.fit(column, y)
    assert cache_info().computed - before == 200


def test_max_pixels_limits_the_size_of_images(tmp_path):
    from PIL import Image

    for row, pixels in enumerate(images(4)):
        Image.fromarray(pixels).save(tmp_path / f"{row}.png")
    column = sorted(tmp_path.iterdir())
    for kind in (ImageClassifier, ImageRegressor):
        estimator = kind(tiny_network(), image_size=16, max_pixels=255, cache=False, **QUICK)
        with pytest.raises(BadCellError, match=r"row 0: .*16x16 pixels is above the limit of 255"):
            estimator.fit(column, [0, 1, 0, 1])
        estimator.set_params(max_pixels=256).fit(column, [0, 1, 0, 1])
        assert len(estimator.predict(column)) == 4
