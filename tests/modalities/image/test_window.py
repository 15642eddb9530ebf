"""Windows of grey values, of every kind of image cell."""

import itertools

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sktransfer import (
    ImageClassifier,
    ImageEmbedder,
    ImagePretrainer,
    ImageRegressor,
    load,
    save,
)
from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import PRESETS, ImageModality, as_window, decode_image
from tests._tiny import tiny_network
from tests.modalities.image._bad_images import NOISE, encoded
from tests.modalities.image._digests import digests
from tests.modalities.image._medical import RAMP, dicom, pydicom_files

CT = pydicom_files()["test_files/CT_small.dcm"]
WORDS = np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16


def shown(cell, window):
    return decode_image(cell, window=as_window(window))[..., 0]


def linear(values, center, width):
    return ((values.astype(float) - center) / width + 0.5).clip(0, 1)


def test_a_window_of_16_bit_pictures_applies_to_their_values():
    expected = linear(WORDS, 1000, 400)
    as_integers = Image.fromarray(WORDS.astype(np.int32))
    cells = [encoded(WORDS), encoded(WORDS, "TIFF"), WORDS, WORDS[..., None], as_integers]
    for cell in cells:
        np.testing.assert_allclose(shown(cell, (1000, 400)), expected, atol=1e-6)


def test_a_window_of_arrays_and_pictures_of_any_grey_type():
    for dtype in (np.uint8, np.int8, np.int16, np.int64, np.float32, np.float64):
        grey = np.array([[-3, 0, 3, 100]]).astype(dtype)
        np.testing.assert_allclose(shown(grey, (0, 8)), linear(grey, 0, 8))
    floats = Image.fromarray(RAMP.astype(np.float32))
    np.testing.assert_allclose(shown(floats, "lung"), linear(RAMP, *PRESETS["lung"]), atol=1e-6)
    np.testing.assert_allclose(
        shown(encoded(NOISE[..., 0]), [100, 50]), linear(NOISE[..., 0], 100, 50)
    )
    np.testing.assert_array_equal(shown(np.array([[True, False]]), (0.5, 1)), [[1, 0]])


def test_a_preset_equals_its_numbers():
    for name, numbers in PRESETS.items():
        for cell in (RAMP, dicom(Modality="CT", RescaleSlope=1, RescaleIntercept=0)):
            np.testing.assert_array_equal(shown(cell, name), shown(cell, numbers))


@pytest.mark.parametrize(
    ("cell", "window", "match"),
    [
        (NOISE, (100, 50), "a window applies to grey images, and this one has colours"),
        (encoded(NOISE), (100, 50), "leave window=None for a column with such images"),
        (encoded(Image.new("LA", (4, 4))), (100, 50), "colours or transparency"),
        (Image.new("P", (4, 4)), (100, 50), "colours or transparency"),
        (dicom(NOISE, PhotometricInterpretation="RGB"), (1, 2), "this DICOM image has colours"),
        (
            WORDS,
            "lung",
            r"window='lung' is in Hounsfield .*unsigned; pass window=\(center, width\)",
        ),
        (encoded(WORDS), "bone", "because they are unsigned"),
        (dicom(WORDS), "bone", "because they are unsigned"),
        (dicom(Modality="MR"), "brain", "this DICOM file is not of computed tomography"),
        (np.array([[np.nan, 1.0]]), (0, 1), "NaN or infinite"),
    ],
)
def test_a_window_that_does_not_apply_is_refused(cell, window, match):
    with pytest.raises(BadCellError, match=match):
        shown(cell, window)


@pytest.mark.parametrize(
    "window", [(1,), (1, 2, 3), (1, 0), (1, -1), ("a", 1), (1, np.nan), (True, 1)]
)
def test_what_is_no_window_is_refused_when_fitted(window):
    with pytest.raises(ValueError, match=r"is no window: pass one of 'abdomen', .* positive width"):
        ImageEmbedder(tiny_network(), window=window).fit([RAMP])
    with pytest.raises(ValueError, match="The 'window' parameter"):
        ImageEmbedder(tiny_network(), window="lungs").fit([RAMP])


def test_rows_of_two_windows_are_two_rows_of_the_cache():
    cells = [CT, CT.read_bytes(), RAMP, Image.fromarray(RAMP.astype(np.float32))]
    embedder = ImageEmbedder(tiny_network())
    for window in ("lung", "bone", (40, 400), (40, 401)):
        cached = embedder.set_params(window=window).fit_transform(cells)
        np.testing.assert_array_equal(embedder.transform(cells), cached)
        fresh = ImageEmbedder(tiny_network(), window=window, cache=False).fit_transform(cells)
        np.testing.assert_array_equal(cached, fresh)
    rows = [embedder.set_params(window=w).fit_transform([CT])[0] for w in (None, "lung", "bone")]
    assert all((one != other).any() for one, other in itertools.pairwise(rows))


def test_without_a_window_keys_of_the_cache_are_as_before_there_were_windows():
    assert ImageModality().preparation() == f"pillow {Image.__version__}"
    assert "window" in ImageModality(window=as_window("lung")).preparation()
    assert digests([NOISE, CT]) == digests([NOISE, CT], window=as_window("lung"))


def test_all_image_estimators_have_windows():
    # Two classes that differ only within the window.
    cells = [np.full((8, 8), value, np.int16) for value in (-20, 100) * 4]
    cells += [cell + np.int16(0) for cell in cells]
    options = {"window": (40, 80), "image_size": 16, "max_epochs": 1, "random_state": 0}
    for kind in (ImageClassifier, ImageRegressor):
        fitted = kind(tiny_network(), **options).fit(cells, [0, 1] * 8)
        assert np.ptp(fitted.transform(cells)[:2], axis=0).any()
    ImagePretrainer(tiny_network(), **options).fit(cells)
    with pytest.raises(BadCellError, match=r"must lie in 0\.\.255, found -20"):
        ImageClassifier(tiny_network(), **options | {"window": None}).fit(cells, [0, 1] * 8)


def test_windows_are_saved_cloned_and_searched_over(tmp_path):
    cells = [np.full((8, 8), value, np.int16) for value in (-20, 100) * 8]
    for window in ("lung", (40, 400), [40.5, 400]):
        fitted = ImageEmbedder(window=window, cache=False).fit(cells)
        save(fitted, tmp_path / "a.skt")
        loaded = load(tmp_path / "a.skt")
        assert loaded.window == window
        np.testing.assert_array_equal(loaded.transform(cells[:2]), fitted.transform(cells[:2]))
        assert clone(fitted).window == window
    model = make_pipeline(ImageEmbedder(tiny_network()), LogisticRegression())
    windows = {"imageembedder__window": [(900, 10), (40, 80)]}
    search = GridSearchCV(model, windows, cv=2).fit(cells, [0, 1] * 8)
    assert search.best_params_ == {"imageembedder__window": (40, 80)}
    assert search.best_score_ == 1
