"""DICOM files as image cells: limits, damage, missing packages, and what is never read."""

import logging
import sys
import traceback
import warnings
import zlib
from functools import partial

import numpy as np
import pytest
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from sktransfer import ImageEmbedder, read_image_folder, read_volume
from sktransfer._warnings import warnings_ignored
from sktransfer.exceptions import BadCellError, BadCellWarning, ColumnError
from sktransfer.modalities.image import Geometry, _dicom, decode_image
from tests._tiny import tiny_network
from tests.faults.image_fuzz import run
from tests.modalities.image._bad_images import NOISE, encoded
from tests.modalities.image._medical import PERSON, RAMP, compressed, dicom, pydicom_files, slice_at

GREY = NOISE[..., 0]
BY_NAME = {path.name: path for path in pydicom_files().values()}


def test_a_path_bytes_and_a_dict_of_them_are_one_cell(tmp_path):
    (tmp_path / "scan").write_bytes(content := slice_at(3.0))
    cells = [tmp_path / "scan", content, bytearray(content), {"bytes": content, "path": "x"}]
    rows = ImageEmbedder(tiny_network()).fit_transform(cells)
    np.testing.assert_array_equal(rows, rows[[0, 0, 0, 0]])


def test_a_folder_per_class_may_hold_dicom_files(tmp_path):
    for name in ("ill/1.dcm", "well/2.DCM"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(dicom())
    assert read_image_folder(tmp_path)["label"].tolist() == ["ill", "well"]


def test_a_file_that_also_begins_as_another_format_is_read_as_dicom():
    content = BY_NAME["MR_small.dcm"].read_bytes()
    assert content.startswith(b"II*\0")
    np.testing.assert_array_equal(decode_image(content), decode_image(bytes(128) + content[128:]))


def test_the_pixel_limit_applies_before_decoding():
    for content in (dicom(), BY_NAME["MR_small_RLE.dcm"].read_bytes()):
        assert decode_image(content, max_pixels=1 << 13).ndim == 3
        with pytest.raises(BadCellError, match="pixels is above the limit of 1023 pixels"):
            decode_image(content, max_pixels=1023)
    huge = dicom().replace(b"\x28\0\x10\0US\2\0\x20\0", b"\x28\0\x10\0US\2\0\xff\xff")
    with pytest.raises(BadCellError, match="64x65535 pixels is above the limit of 1000000"):
        decode_image(huge, max_pixels=1_000_000)


def test_compressed_pixels_of_another_size_are_not_decoded():
    large = np.zeros((64, 64), np.uint8)
    for format, syntax in (("JPEG", JPEGBaseline8Bit), ("JPEG2000", JPEG2000)):
        options = {"no_jp2": True} if format == "JPEG2000" else {}
        fits, other, colours = (encoded(p, format, **options) for p in (GREY, large, NOISE))
        assert decode_image(compressed(fits, syntax, GREY)).shape == (32, 32, 3)
        for frame in (other, colours, fits[:6], fits[2:]):
            with pytest.raises(BadCellError, match="do not have the size that the file says"):
                decode_image(compressed(frame, syntax, GREY))
    with pytest.raises(BadCellError, match="do not have the size"):  # which of them is decoded?
        decode_image(compressed(fits + fits, JPEG2000, GREY))
    with pytest.raises(BadCellError, match="far larger than its pixels"):
        decode_image(compressed(bytes(70_000), RLELossless, GREY))
    content = BY_NAME["MR_small_jpeg_ls_lossless.dcm"].read_bytes()
    start = content.index(b"\xff\xf7")
    with pytest.raises(BadCellError, match="do not have the size"):
        decode_image(content[: start + 5] + b"\xff\xff\xff\xff" + content[start + 9 :])
    assert JPEGLSLossless in content[:1000].decode("latin-1")


def test_a_deflated_file_is_not_inflated_without_limit():
    content = BY_NAME["image_dfl.dcm"].read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    assert DeflatedExplicitVRLittleEndian in content[:start].decode("latin-1")
    bomb = zlib.compressobj(wbits=-15)
    body = bomb.compress(bytes(100 << 20)) + bomb.flush()
    with pytest.raises(BadCellError, match="holds more than the limit of 67108864 bytes"):
        decode_image(content[:start] + body, max_pixels=1_000_000)
    assert decode_image(content, max_pixels=1_000_000).shape == (512, 512, 3)


def test_files_without_pixels_and_without_signature_are_refused():
    with pytest.raises(BadCellError, match="a DICOM file without pixels; drop the row"):
        decode_image(dicom().replace(b"\xe0\x7f\x10\0", b"\xe0\x7f\x11\0"))
    for cut in (132, 144):
        with pytest.raises(
            BadCellError, match=r"without its first 132 bytes \(write it with pydicom"
        ):
            decode_image(dicom()[cut:] if cut == 132 else b"\x08\0\x05\0" + dicom()[cut:])


@pytest.mark.parametrize("package", ["pydicom", "jpeg_ls"])
def test_the_error_of_a_missing_package_says_what_installs_it(package, monkeypatch):
    content = BY_NAME["MR_small_jpeg_ls_lossless.dcm"].read_bytes()
    if package == "pydicom":
        monkeypatch.setitem(sys.modules, "pydicom", None)
        with pytest.raises(ImportError, match=r"pip install 'sktransfer\[medical\]'"):
            read_volume(content)
    else:
        from pydicom.pixels import get_decoder

        monkeypatch.setattr(get_decoder(JPEGLSLossless), "_available", {})
    with pytest.raises(BadCellError, match=r"pip install 'sktransfer\[medical\]'\.$"):
        decode_image(content)


def test_a_syntax_without_a_decoder_is_refused_by_its_name(monkeypatch):
    monkeypatch.setattr(_dicom, "find_spec", lambda name: None)
    match = r"'JPEG Lossless, .*', for which imagecodecs is not installed: .*\[medical\]"
    with pytest.raises(BadCellError, match=match):
        decode_image(BY_NAME["SC_rgb_jpeg_gdcm.dcm"])
    with pytest.raises(BadCellError, match=r"'JPEG Extended .*', for which imagecodecs"):
        decode_image(BY_NAME["JPGExtended.dcm"])
    private = (
        BY_NAME["CT_small.dcm"]
        .read_bytes()
        .replace(b"1.2.840.10008.1.2.1\0", b"1.2.3.4.5.6.7.8.9.0\0")
    )
    with pytest.raises(BadCellError, match="without a transfer syntax that pydicom decodes"):
        decode_image(private)


def _read(content):
    try:
        pixels = decode_image(content, Geometry(8, (8, 8)), max_pixels=1_000_000)
    except BadCellError:
        return "refused"
    return "pixels" if pixels.shape == (8, 8, 3) and np.isfinite(pixels).all() else "wrong"


@pytest.mark.parametrize("n", [150, pytest.param(2_000, marks=pytest.mark.slow)])
def test_damaged_files_give_pixels_or_a_bad_cell(n):
    files = [(name, path.read_bytes()) for name, path in pydicom_files().items()]
    counts = run(n, seed=1, read=_read, files=[f for f in files if len(f[1]) < 300_000])
    assert counts.total() == n
    assert min(counts["pixels"], counts["refused"]) > n // 7
    assert (counts["wrong"], counts["crashed"], counts["hung"]) == (0, 0, 0)


def everything_said(read, content, caplog, capfd):
    """Return all that a call with this content says."""
    caplog.clear()
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        try:
            found = repr(read(content))
        except Exception as error:
            found = "".join(traceback.format_exception(error))
    said = [str(warning.message) for warning in caught]
    return "\n".join([found, *said, caplog.text, *capfd.readouterr()])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("whole", {}),
        ("misplaced", {"PhotometricInterpretation": PERSON}),
        ("misplaced", {"WindowCenter": 1, "WindowWidth": 1, "VOILUTFunction": PERSON}),
        ("misplaced", {"Modality": PERSON, "NumberOfFrames": 3}),
        ("damaged", {}),
        ("cut", {}),
        ("compressed", {}),
    ],
)
def test_nothing_of_a_person_is_said_or_stored(kind, values, tmp_path, caplog, capfd):
    make = partial(compressed, encoded(GREY, "JPEG")[:-40], JPEGBaseline8Bit, GREY)
    with warnings_ignored(module="pydicom"):
        content = make() if kind == "compressed" else slice_at(0, **values)
    assert content.count(b"SENTINEL") >= 4
    if kind == "damaged":  # the name is where a number is expected
        content = content.replace(b"\x28\0\x10\0US\2\0", b"\x28\0\x10\0IS\2\0")
        content = content.replace(b"0.5 ", b"SENT")
    content = content[:-100] if kind == "cut" else content
    (tmp_path / "scan").mkdir()
    (tmp_path / "scan" / "1.dcm").write_bytes(content)
    cache = tmp_path / "cache"

    def embed(cell):
        embedder = ImageEmbedder(tiny_network(), window=(40, 400), cache=cache, on_error="nan")
        return embedder, embedder.fit_transform([cell]), embedder.get_feature_names_out()

    def table(cell):
        return read_volume(cell), read_volume(cell).to_csv()

    for read in (decode_image, embed, table):
        assert "SENT" not in everything_said(read, content, caplog, capfd)
    assert "SENT" not in everything_said(read_volume, tmp_path / "scan", caplog, capfd)
    for file in cache.rglob("*"):
        assert file.is_dir() or b"SENT" not in file.read_bytes()


def test_a_bad_file_in_a_column_is_a_bad_row():
    cells = [dicom(), dicom()[:-100], RAMP.astype(np.float32) / 4096 + 0.5]
    embedder = ImageEmbedder(tiny_network(), on_error="nan", cache=False)
    with pytest.warns(BadCellWarning, match="1 of 3"):
        rows = embedder.fit_transform(cells)
    assert np.isnan(rows).all(axis=1).tolist() == [False, True, False]
    with pytest.raises(ColumnError, match=r"<.* bytes>: a DICOM file that pydicom cannot decode"):
        read_volume(cells[1])
