"""Masks from every kind of cell, with the values that they have there."""

import io
import pathlib
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import read_mask

MASK = np.random.default_rng(0).integers(0, 4, (5, 7), dtype=np.uint8)


def low_bits(bits):
    """Return a grey PNG file with so few bits per pixel, which Pillow cannot write."""
    rows = "".join("0" * 8 + "".join(f"{v:0{bits}b}" for v in row).ljust(32, "0") for row in MASK)
    data = bytes(int(rows[i : i + 8], 2) for i in range(0, len(rows), 8))
    header = struct.pack(">IIBBBBB", 7, 5, bits, 0, 0, 0, 0)
    rows = b"".join(data[i : i + 5][: 1 + -(-7 * bits // 8)] for i in range(0, 25, 5))
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(rows), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks.items()
    )


def turned(image):
    """Return an image that is shown a quarter turned, as its EXIF data says."""
    image.getexif()[ExifTags.Base.Orientation] = 6
    return image


def encoded(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def palette():
    image = Image.fromarray(MASK, "P")
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200, 9, 9, 9])
    return image


GOOD = {
    "uint8": MASK,
    "int64": MASK.astype(np.int64),
    "whole floats": MASK.astype(np.float32),
    "one channel": MASK[:, :, None],
    "one channel first": MASK[None],
    "grey": Image.fromarray(MASK),
    "palette": palette(),
    "16 bits": Image.fromarray(MASK.astype(np.uint16)),
    "png": encoded(Image.fromarray(MASK)),
    "png with a palette": encoded(palette()),
    "tiff": encoded(Image.fromarray(MASK), "TIFF"),
    "nested lists": MASK.tolist(),
    "rows in an array of objects": np.array([*map(list, MASK), None], dtype=object)[:-1],
    "grey pgm": b"P5 7 5 255\n" + MASK.tobytes(),
    "plain pgm": b"P2 7 5 255\n" + " ".join(map(str, MASK.ravel())).encode(),
    "dict": {"bytes": encoded(Image.fromarray(MASK)), "path": None},
}


@pytest.mark.parametrize("name", GOOD)
def test_values_are_those_of_the_cell(name):
    np.testing.assert_array_equal(read_mask(GOOD[name]), MASK)


def test_bool_stays_bool():
    assert read_mask(MASK > 1).dtype == bool
    assert read_mask(Image.fromarray(MASK > 1)).dtype == bool


@pytest.mark.parametrize("mode", ["1", "L", "P", "I", "I;16"])
def test_a_mask_is_turned_as_its_exif_data_says(mode):
    assert read_mask(turned(Image.new(mode, (7, 5)))).shape == (7, 5)
    data = encoded(Image.fromarray(MASK), exif=turned(Image.new("L", (1, 1))).getexif())
    np.testing.assert_array_equal(read_mask(data), np.rot90(MASK, -1))


def test_one_row_with_a_channel_keeps_its_direction():
    assert read_mask(np.zeros((1, 7, 1), dtype=np.uint8)).shape == (1, 7)


def test_max_pixels_limits_files_and_none_does_not():
    data = encoded(Image.fromarray(MASK))
    assert read_mask(data, None).shape == (5, 7)
    with pytest.raises(BadCellError, match="7x5 pixels is above the limit of 34"):
        read_mask(data, 34)


def test_a_path_is_read(tmp_path):
    palette().save(tmp_path / "mask.png")
    for path in (tmp_path / "mask.png", str(tmp_path / "mask.png")):
        np.testing.assert_array_equal(read_mask(path), MASK)


BAD = {
    "missing": (None, "the mask is missing"),
    "jpeg": (encoded(Image.fromarray(MASK), "JPEG"), "JPEG file may have lost its values"),
    "colours": (encoded(Image.new("RGB", (7, 5))), "mode RGB has colours"),
    "alpha": (Image.new("LA", (7, 5)), "mode LA has colours"),
    "one-hot": (np.zeros((5, 7, 4), dtype=np.uint8), "numpy.argmax"),
    "vector": (np.zeros(7), r"the shape \(H, W\)"),
    "empty": (np.zeros((0, 7)), r"the shape \(H, W\)"),
    "infinite": (np.full((5, 7), np.inf), "inf is no class number"),
    "half": (np.full((5, 7), np.float16(0.5)), "0.5 is no class number"),
    "large float": (np.full((5, 7), 1e30), r"1e\+30 is no class number"),
    "large int": (np.full((5, 7), 2**64 - 1, dtype=np.uint64), "18446744073709551615 is no class"),
    "dates": (MASK.astype("datetime64[s]"), "is not a mask; pass bool or whole numbers"),
    "ragged lists": ([[1, 2], [3]], "cannot be read as a NumPy array"),
    "a number": (3, "a value of type int is not a mask"),
    "other keys": ({"mask": MASK}, "a dict with the keys 'mask' is not a mask"),
    "jpeg in tiff": (
        encoded(Image.fromarray(MASK), "TIFF", compression="jpeg"),
        "TIFF file may have lost its values",
    ),
    "2 bits": (low_bits(2), "would be scaled"),
    "4 bits": (low_bits(4), "would be scaled"),
    "pgm up to 3": (b"P5 7 5 3\n" + MASK.tobytes(), "would be scaled"),
    "numpy file": (b"\x93NUMPY" + bytes(50), "seems to be a NumPy file"),
    "damaged": (encoded(Image.fromarray(MASK))[:40], "cannot be decoded as a mask"),
    "text": ("no such mask.png", "no such mask.png.: no such file"),
    "masked": (np.ma.MaskedArray(MASK, mask=MASK > 1), "mask of a masked array"),
}


@pytest.mark.parametrize("name", BAD)
def test_other_cells_are_refused(name):
    cell, message = BAD[name]
    with pytest.raises(BadCellError, match=message):
        read_mask(cell)


def test_a_path_that_is_no_file_is_refused():
    with pytest.raises(BadCellError):
        read_mask(pathlib.Path("no such file.png"))
