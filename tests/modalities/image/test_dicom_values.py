"""Pixels of DICOM files are those of pydicom with its tables and windows applied."""

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLossless,
    JPEGLosslessSV1,
)

from sktransfer import read_volume
from sktransfer._warnings import warnings_ignored
from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import as_window, decode_image
from tests.modalities.image._bad_images import NOISE
from tests.modalities.image._medical import RAMP, compressed, dicom, item, pydicom_files, written

#: What is refused of pydicom's files, and why.
REFUSED = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "do not have the size",
    "MR_truncated.dcm": "damaged",
    "badVR.dcm": "damaged",
    "nested_priv_SQ.dcm": "damaged",
    "meta_missing_tsyntax.dcm": "without a transfer syntax",
}

#: Files that pydicom has no decoder for, and files of the same pixels.
SAME = {"SC_rgb_jpeg_gdcm.dcm": "SC_rgb_rle.dcm"}
ONLY_HERE = ("JPEG-lossy.dcm", "JPGExtended.dcm")

WIDE = {"RescaleSlope": 2, "RescaleIntercept": -100}
BYTES = np.arange(256, dtype=np.uint8).reshape(16, 16)
FLOATS = RAMP.astype(np.float32) / 8


def as_float(pixels):
    return pixels / 255 if pixels.dtype == np.uint8 else pixels


def by_pydicom(path):
    """Return what pydicom's functions give, from 0 to 1."""
    path = path.with_name(SAME.get(path.name, path.name))
    with warnings_ignored(module="pydicom"):
        dataset = pydicom.dcmread(path)
        pixels = pixel_array(dataset)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, dataset)
            return pixels / np.iinfo(pixels.dtype).max
        if dataset.SamplesPerPixel == 3:
            return pixels / (2.0**dataset.BitsStored - 1)
        found = apply_voi_lut(apply_modality_lut(pixels, dataset), dataset)
        low, high = float(found.min()), float(found.max())
        if "WindowWidth" in dataset:  # the range of its function, whatever is in the picture
            low = -(2.0 ** (dataset.BitsStored - 1)) * dataset.PixelRepresentation
            slope, start = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
            high = (low + 2.0**dataset.BitsStored - 1) * slope + start
            low = low * slope + start
        found = (found - low) / (high - low)
        return 1 - found if dataset.PhotometricInterpretation == "MONOCHROME1" else found


@pytest.mark.parametrize("name", [n for n in pydicom_files() if Path(n).name not in ONLY_HERE])
def test_every_file_of_pydicom_has_the_pixels_that_pydicom_gives_or_is_refused(name):
    path = pydicom_files()[name]
    match = REFUSED.get(path.name)
    with warnings_ignored(module="pydicom"):
        if match is None and pydicom.dcmread(path).get("NumberOfFrames", 1) > 1:
            match = "several frames .*read_volume"
    if match:
        with pytest.raises(BadCellError, match=match):
            decode_image(path)
        return
    expected = by_pydicom(path)
    expected = expected if expected.ndim == 3 else expected[..., np.newaxis]
    np.testing.assert_allclose(
        as_float(decode_image(path)),
        np.broadcast_to(expected, (*expected.shape[:2], 3)),
        atol=1 / 255,
    )
    np.testing.assert_array_equal(decode_image(path.read_bytes()), decode_image(path))


def test_most_files_of_pydicom_are_read():
    assert len(pydicom_files()) > 95
    assert len(REFUSED) == 5


def test_jpeg_of_12_bits_has_the_pixels_of_its_decoder():
    for name in ONLY_HERE:
        content = next(p for p in pydicom_files().values() if p.name == name).read_bytes()
        coded = content[content.index(b"\xff\xd8\xff") :]
        expected = imagecodecs.jpeg8_decode(coded)
        np.testing.assert_allclose(
            decode_image(content)[..., 0],
            between(expected, expected.min(), expected.max()),
            atol=1e-6,
        )


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_lossless_jpeg_of_any_depth_is_exact(bits, syntax):
    pixels = (RAMP.astype(int) + 1024) * 2**bits // 2048
    pixels = pixels.astype(np.uint8 if bits == 8 else np.uint16)
    coded = imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=bits)
    values = {"BitsStored": bits, **WIDE}
    np.testing.assert_array_equal(
        decode_image(compressed(coded, syntax, pixels, **values)),
        decode_image(dicom(pixels, **values)),
    )
    # Signed numbers are coded as the same bits.
    signed = (pixels.astype(int) - 2 ** (bits - 1)).astype(np.int8 if bits == 8 else np.int16)
    as_bits = (signed.astype(int) & (2**bits - 1)).astype(pixels.dtype)
    coded = imagecodecs.jpeg8_encode(as_bits, lossless=True, bitspersample=bits)
    found = decode_image(compressed(coded, syntax, signed, **values))
    np.testing.assert_array_equal(found, decode_image(dicom(signed, **values)))


def test_lossless_jpeg_in_colours_and_frames():
    coded = [imagecodecs.jpeg8_encode(p, lossless=True) for p in (NOISE, NOISE[::-1].copy())]
    values = {"PhotometricInterpretation": "RGB"}
    content = compressed(coded[0], JPEGLosslessSV1, NOISE, **values)
    np.testing.assert_array_equal(decode_image(content), NOISE)
    content = compressed(coded, JPEGLosslessSV1, np.stack([NOISE, NOISE]), **values)
    found = read_volume(content)["image"]
    np.testing.assert_array_equal(np.stack(found), np.stack([NOISE, NOISE[::-1]]))


def shown(*args, window=None, **values):
    return as_float(decode_image(dicom(*args, **values), window=as_window(window)))[..., 0]


def between(values, low, high):
    return ((values.astype(float) - low) / (high - low)).clip(0, 1)


def test_without_a_window_all_values_are_shown_without_clipping():
    np.testing.assert_allclose(shown(), between(RAMP, -1024, 1023), atol=1e-6)
    assert len(np.unique(shown())) == RAMP.size  # 11 bits, not 8
    np.testing.assert_allclose(shown(**WIDE), shown(), atol=1e-6)
    words = (RAMP + 1024).astype(np.uint16)
    np.testing.assert_allclose(shown(words, BitsStored=12), shown(), atol=1e-6)
    assert not shown(np.full((4, 4), 7, np.int16)).any()


def test_pictures_of_8_bits_are_shown_as_they_are():
    dark = BYTES // 4
    for values in ({}, {"RescaleSlope": 1, "RescaleIntercept": 0}):
        np.testing.assert_array_equal(decode_image(dicom(dark, **values))[..., 0], dark)
    np.testing.assert_array_equal(shown(dark, BitsStored=6), dark / np.float32(63))
    np.testing.assert_allclose(shown(dark, **WIDE), between(dark, 0, 63), atol=1e-6)
    inverted = decode_image(dicom(dark, PhotometricInterpretation="MONOCHROME1"))
    assert inverted.dtype == np.uint8
    np.testing.assert_array_equal(inverted[..., 0], 255 - dark)


def test_the_window_of_the_file_is_shown_and_the_parameter_comes_first():
    values = {"WindowCenter": [40, 99], "WindowWidth": [400, 9], "RescaleIntercept": -100}
    values["RescaleSlope"] = 2
    expected = between(2.0 * RAMP - 100, 40 - 0.5 - 399 / 2, 40 - 0.5 + 399 / 2)
    np.testing.assert_allclose(shown(**values), expected, atol=1e-6)
    np.testing.assert_allclose(shown(**WIDE, window=(40, 400)), expected, atol=1e-6)
    np.testing.assert_allclose(
        shown(**values, window=(100, 11)), between(2.0 * RAMP - 100, 94.5, 104.5), atol=1e-6
    )
    inverted = shown(**values, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(inverted, 1 - expected, atol=1e-6)
    # The image is as bright whatever the sign of the slope: it is the values that are shown.
    falling = {**values, "RescaleSlope": -2, "RescaleIntercept": -100}
    np.testing.assert_allclose(shown(-RAMP, **falling), expected, atol=1e-6)


def test_the_function_of_the_window_is_that_of_the_file():
    window = {"WindowCenter": 40, "WindowWidth": 400}
    np.testing.assert_allclose(
        shown(**window, VOILUTFunction="LINEAR_EXACT"), between(RAMP, -160, 240), atol=1e-6
    )
    np.testing.assert_allclose(
        shown(**window, VOILUTFunction="SIGMOID"),
        1 / (1 + np.exp(-4 * (RAMP - 40.0) / 400)),
        atol=1e-6,
    )
    with pytest.raises(BadCellError, match="cannot decode"):
        shown(**window, VOILUTFunction="NONE")


def test_windows_that_are_narrow_or_none():
    for values in ({"WindowCenter": 40, "WindowWidth": 0}, {"WindowCenter": 40}):
        np.testing.assert_array_equal(shown(**values), shown())
    narrow = {"RescaleSlope": 0.001, "RescaleIntercept": 0}
    expected = between(RAMP * 0.001, -0.2, 0.3)
    for values in ({"WindowCenter": 0.05, "WindowWidth": 0.5}, {"window": (0.05, 0.5)}):
        np.testing.assert_allclose(shown(**narrow, **values), expected, atol=1e-6)


def test_look_up_tables_are_applied():
    small = BYTES.astype(np.uint16) // 64
    modality = item(LUTDescriptor=[4, 0, 16], ModalityLUTType="HU", LUTData=[9, 5, 3, 7])
    modality[0]["LUTData"].VR = "US"
    of_values = np.array([9, 5, 3, 7])[small]
    np.testing.assert_allclose(shown(small, ModalityLUTSequence=modality), between(of_values, 3, 9))
    table = item(LUTDescriptor=[4, 0, 12], LUTData=[0, 1000, 4095, 2000])
    table[0]["LUTData"].VR = "US"
    expected = np.array([0, 1000, 4095, 2000])[small] / 4095
    np.testing.assert_allclose(shown(small, VOILUTSequence=table), expected, atol=1e-6)
    by_number = shown(small, VOILUTSequence=table, window=(2, 2))
    np.testing.assert_allclose(by_number, between(small, 1, 2), atol=1e-6)
    # An item without a table is as if there were none.
    empty = {"VOILUTSequence": item(LUTExplanation="?"), "WindowCenter": 2, "WindowWidth": 2}
    np.testing.assert_allclose(shown(small, **empty), by_number, atol=1e-6)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_padding_is_not_part_of_the_range(syntax):
    padded = RAMP.copy()
    padded[:5] = -2000
    padded[5:9] = -1990
    values = {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1990, "syntax": syntax}
    expected = between(padded, padded[9:].min(), padded.max())
    np.testing.assert_allclose(shown(padded, **values), expected, atol=1e-6)
    np.testing.assert_allclose(
        shown(padded, **values, window=(0, 400)), between(padded, -200, 199), atol=1e-6
    )
    assert not shown(np.full((4, 4), -2000, np.int16), **values).any()


def test_pixels_of_floating_point():
    dataset = pydicom.dcmread(io.BytesIO(dicom()))
    dataset.FloatPixelData = FLOATS.tobytes()
    for name in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        del dataset[name]
    dataset.BitsAllocated = 32
    found = decode_image(written(dataset))[..., 0]
    np.testing.assert_allclose(found, between(FLOATS, FLOATS.min(), FLOATS.max()), atol=1e-6)
    found = decode_image(written(dataset), window=as_window((0, 0.5)))[..., 0]
    np.testing.assert_allclose(found, between(FLOATS, -0.25, 0.25), atol=1e-6)


def test_colours():
    rgb = decode_image(dicom(NOISE, PhotometricInterpretation="RGB"))
    np.testing.assert_array_equal(rgb, NOISE)
    words = NOISE.astype(np.uint16) * 16
    found = decode_image(dicom(words, PhotometricInterpretation="RGB", BitsStored=12))
    np.testing.assert_allclose(found, words / 4095, atol=1e-6)
    table = np.arange(256, dtype=np.uint16)
    names = {f"{c}PaletteColorLookupTable": n for n, c in enumerate(("Red", "Green", "Blue"))}
    values = {f"{name}Descriptor": [256, 0, 16] for name in names}
    values |= {f"{name}Data": (table * 257 >> n).tobytes() for name, n in names.items()}
    found = decode_image(dicom(BYTES, PhotometricInterpretation="PALETTE COLOR", **values))
    expected = np.stack([(table * 257 >> n)[BYTES] for n in range(3)], axis=-1) / 65535
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(BadCellError, match=r"unusual colours|unusual form"):
        decode_image(dicom(NOISE, PhotometricInterpretation="RGB").replace(b"RGB ", b"HSV "))


def test_grey_pixels_that_are_called_otherwise_are_refused():
    for kind in ("RGB", "ANYTHING"):
        with pytest.raises(BadCellError, match=r"unusual form|neither grey nor in colours"):
            decode_image(dicom(BYTES, PhotometricInterpretation=kind))


def test_a_segmented_palette_is_refused():
    values = {"RedPaletteColorLookupTableDescriptor": [256, 0, 16]}
    values["SegmentedRedPaletteColorLookupTableData"] = b"\0\0\1\0\0\0"
    with pytest.raises(BadCellError, match="a segmented palette; convert it to RGB"):
        decode_image(dicom(BYTES, PhotometricInterpretation="PALETTE COLOR", **values))
