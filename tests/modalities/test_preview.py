"""Previews: small pictures of cells, or short texts, for every good and bad cell."""

import io

import numpy as np
import pytest
from PIL import Image

from sktransfer.modalities import MODALITIES, modality_of
from sktransfer.modalities.audio import AudioModality
from sktransfer.modalities.image import ImageModality, as_window
from sktransfer.modalities.text import TextModality
from sktransfer.modalities.text._word_modality import WordModality
from tests.modalities.audio._bad_sounds import CELLS as SOUNDS
from tests.modalities.audio._sound_files import RATE, encoded, sine
from tests.modalities.image._bad_images import CELLS as IMAGES
from tests.modalities.image._bad_images import FILES as IMAGE_FILES
from tests.modalities.text._bad_texts import GOOD, MISSING, NO_TEXTS

CELLS = [cell for cell, _ in (*IMAGES.values(), *SOUNDS.values(), *NO_TEXTS.values())]
CELLS += [*MISSING.values(), *GOOD.values()]


@pytest.mark.parametrize("name", MODALITIES)
def test_every_cell_has_a_preview_whatever_it_is(name):
    for cell in CELLS:
        found = modality_of(name)().preview(cell, pixels=20, characters=30)
        if isinstance(found, str):
            assert len(found) <= 30
            assert found.isprintable()
        else:
            assert found.dtype == np.uint8
            assert found.shape[2:] == (3,)
            assert max(found.shape[:2]) <= 20


@pytest.mark.parametrize("make", [make for make, _ in IMAGE_FILES.values()], ids=IMAGE_FILES)
def test_a_bad_file_has_a_text_for_a_preview(make, tmp_path):
    assert isinstance(ImageModality().preview(make(tmp_path)), str)


def test_a_large_image_is_shown_whole_and_keeps_its_proportions():
    image = np.zeros((300, 600, 3), dtype=np.uint8)
    image[:, :300] = 200
    found = ImageModality().preview(image, pixels=64)
    assert found.shape == (32, 64, 3)
    assert (found[:, :30] == 200).all()
    assert (found[:, 34:] == 0).all()


def test_a_small_image_is_shown_pixel_for_pixel():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(ImageModality().preview(image), image)


def test_extreme_proportions_keep_one_pixel():
    assert ImageModality().preview(np.zeros((1, 5000), np.uint8), pixels=64).shape == (1, 64, 3)


def test_floats_and_a_window_become_8_bits():
    ramp = np.linspace(0, 1, 5)[None]
    assert ImageModality().preview(ramp)[0, :, 0].tolist() == [0, 64, 128, 191, 255]
    scan = np.array([[-1000, 40, 1000]], dtype=np.int16)
    found = ImageModality(window=as_window("brain")).preview(scan)
    assert found[0, [0, 2], 0].tolist() == [0, 255]


def test_transparent_pixels_are_white_and_exif_rotation_is_applied():
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert (ImageModality().preview(clear) == 255).all()
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.new("RGB", (400, 200)).save(stream, "JPEG", exif=exif)
    assert ImageModality().preview(stream.getvalue(), pixels=40).shape == (40, 20, 3)


def test_a_text_is_cut_and_stands_on_one_visible_line():
    preview = TextModality().preview
    assert preview("  one\n two\u202e\x00 three ") == "one two three"
    assert preview("a" * 100, characters=10) == "a" * 9 + "…"
    assert preview("ab " * 10**6, characters=10) == "ab ab ab…"
    assert preview(" " * 10**6 + "a") == "…"
    assert preview("") == ""
    assert preview(None) == "None"


def test_a_list_of_words_is_shown_as_a_text():
    assert WordModality().preview(["New", "York"]) == "New York"
    assert WordModality().preview("New York") == "New York"


def test_a_waveform_is_high_where_it_is_loud():
    quiet, loud = 0.1 * sine(440, 0.5), sine(440, 0.5)
    found = AudioModality().preview(encoded(np.concatenate([quiet, loud])), pixels=40)
    assert found.shape == (20, 40, 3)
    inked = (found != 255).any(axis=2).sum(axis=0)
    assert inked[:18].max() <= 4
    assert inked[22:38].min() >= 18


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.ones(1), np.zeros(7)], ids=len)
def test_silence_and_single_samples_are_drawn(samples):
    cell = {"array": samples, "sampling_rate": RATE}
    assert AudioModality().preview(cell, pixels=40).shape == (20, 40, 3)
