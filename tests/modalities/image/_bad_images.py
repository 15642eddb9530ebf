"""Every kind of cell that is not a usable image, and its error message."""

from __future__ import annotations

import base64
import io
import os
import pathlib
import socket
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

NOISE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def encoded(image: Any, format: str = "PNG", **options: Any) -> bytes:
    """Return a Pillow image or an array, encoded as the bytes of a file."""
    stream = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(stream, format, **options)
    return stream.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    checksum = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + checksum


def png_file(width: int, height: int, pixels: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """Return a PNG file from given parts, including sizes that do not match its data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def icon_with_wrong_size() -> bytes:
    """Return an icon whose directory says 16 x 16 and whose image has 32 x 32 pixels."""
    picture = encoded(NOISE)
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(picture), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + picture


def jpeg_with_repeated_scans(count: int) -> bytes:
    """Return a JPEG file in which the last scan and its tables are repeated."""
    content = encoded(NOISE, "JPEG", progressive=True)
    tables = content.rindex(b"\xff\xc4", 0, content.rindex(b"\xff\xda"))
    return content[:-2] + count * content[tables:-2] + content[-2:]


def _changed(content: bytes, position: int, *values: int) -> bytes:
    return content[:position] + bytes(values) + content[position + len(values) :]


def _open_lazily(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def _tar(content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("a.png")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


class BrokenPath(os.PathLike):
    """A path whose methods raise."""

    def __fspath__(self) -> str:
        raise RuntimeError("no path today")

    def __repr__(self) -> str:
        raise RuntimeError("no name either")


HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
JPEG = encoded(NOISE, "JPEG")
PNG = encoded(NOISE)
GIF = encoded(NOISE, "GIF")
MISSING = "the image is missing; drop the row"
UNKNOWN = "of an unknown format; the formats are PNG, JPEG"

CELLS: dict[str, tuple[Any, str]] = {
    # Missing values
    "None": (None, "None: " + MISSING),
    "nan": (float("nan"), MISSING),
    "NA": (pd.NA, MISSING),
    "NaT": (pd.NaT, MISSING),
    "numpy NaT": (np.datetime64("NaT"), MISSING),
    "empty str": ("", MISSING),
    "blank": ("  ", MISSING),
    "blank unicode": ("\u00a0\u200b\ufeff", MISSING),
    # Values of other types
    "int": (3, "a value of type int is not an image; pass a path"),
    "bool": (True, "a value of type bool is not an image"),
    "numpy scalar": (np.float64(3), "a value of type float64 is not an image"),
    "list": ([[0, 1]], "a value of type list is not an image; pass a path"),
    "dict": ({"image": b"", "label": 1}, "a dict with the keys 'image', 'label' is not an image"),
    "empty dict": ({}, r"a dict with the keys \(none\) is not an image"),
    "dict of None": ({"bytes": None, "path": None}, MISSING),
    "dict of no bytes": ({"bytes": b"", "path": "a.png"}, "it seems to be empty"),
    "dict of a path": ({"bytes": None, "path": "no/such.png"}, "no such file"),
    "dict of a dict": ({"bytes": {"path": "a.png"}}, "a dict within a dict is not an image"),
    "open file": (io.BytesIO(PNG), r"an open file is not an image; pass its path, or .* read\(\)"),
    # Texts that are not paths
    "http": ("https://example.org/a.png", "URLs are never fetched; download the image"),
    "file URL": ("file:///a.png", "URLs are never fetched"),
    "data URI": ("data:image/png;base64,AAAA", r"a data URI .* pass its bytes, e.g. base64.b64"),
    "base64": (base64.b64encode(PNG).decode(), r"base64 text .* base64.b64decode\(cell\)"),
    "base64 of JPEG": (base64.b64encode(JPEG).decode(), "base64 text is not a path"),
    "base64 of GIF": (base64.encodebytes(GIF).decode(), "base64 text is not a path"),
    "base64 bytes": (base64.b64encode(PNG), r"base64 text \(pass base64.b64decode\(cell\)\)"),
    "bytes of a data URI": (
        b"data:image/png;base64," + base64.b64encode(PNG),
        r"seems .* data URI",
    ),
    "s3": ("s3://bucket/a.png", "URLs are never fetched"),
    "absent": ("no/such.png", r"'no/such\.png': no such file"),
    "absent Path": (pathlib.Path("no/such.png"), r"'no/such\.png': no such file"),
    "tilde": ("~/a.png", r"no such file \('~' is not expanded\)"),
    "NUL": ("a\0.png", "the file cannot be read"),
    "surrogate": ("a\ud800.png", "the file cannot be read"),
    "too long": ("a" * 5000, r"the file cannot be read \(File name too long\)"),
    "broken PathLike": (BrokenPath(), "BrokenPath>: cannot be read as a path .no path today"),
    # Content that is not an image
    "no bytes": (b"", "it seems to be empty"),
    "zero bytes": (bytes(1000), UNKNOWN),
    "html": (HTML, "a web page, perhaps a failed download"),
    "svg": (b"<?xml version='1.0'?><svg></svg>", "an SVG drawing"),
    "pdf": (b"%PDF-1.7 ...", "a PDF document"),
    "zip": (b"PK\x03\x04....", "a zip archive"),
    "tar": (_tar(PNG), UNKNOWN),
    "lfs": (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC image"),
    "heic of another brand": (b"\0\0\0\x18ftypmif1\0\0\0\0", "a HEIC image"),
    "nifti": (
        bytes(344) + b"n+1\0",
        r"a NIfTI volume \(pass the column 'image' of sktransfer.read_volume\(path\)\)",
    ),
    "DICOM without its start": (
        b"\x08\0\x05\0CS\x0a\0ISO_IR 100",
        "a DICOM file without its first 132 bytes",
    ),
    "DICOM without pixels": (bytes(128) + b"DICM", "a DICOM file without pixels; drop the row"),
    "one byte of a format": (b"P", UNKNOWN),
    "noise": (b"\x07\x08\x09" * 99, UNKNOWN),
    # Unsupported formats
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript document"),
    "tga": (encoded(NOISE, "TGA"), UNKNOWN),
    "pcx": (encoded(NOISE, "PCX"), UNKNOWN),
    "icns": (encoded(Image.new("RGB", (32, 32)), "ICNS"), UNKNOWN),
    "qoi": (encoded(NOISE, "QOI"), UNKNOWN),
    "dds": (encoded(NOISE, "DDS"), UNKNOWN),
    # Damaged files
    "cut JPEG": (JPEG[:-200], "cannot be decoded .* a damaged JPEG image; get the image anew"),
    "JPEG without its end": (JPEG[:-1], "a damaged JPEG image"),
    "JPEG damaged at its start": (_changed(JPEG, 0, 0, 0), UNKNOWN),
    "JPEG with broken tables": (
        JPEG.replace(b"\xff\xc4\x00", b"\xff\xc4\xff", 1),
        "a damaged JPEG image",
    ),
    "cut PNG": (PNG[:-500], "cannot be decoded .* a damaged PNG image"),
    "cut header": (PNG[:20], "a damaged PNG image"),
    "PNG damaged at its start": (_changed(PNG, 20, 1), "a damaged PNG image"),
    "PNG damaged in the middle": (_changed(PNG, 1500, 1, 2, 3), "a damaged PNG image"),
    "cut GIF": (GIF[:-300], "a damaged GIF image"),
    "cut lazy": (_open_lazily(PNG[:-500]), r"PIL image RGB 32x32>: cannot .*load\(\)"),
    # Bombs
    "bomb": (png_file(10_000, 10_000, b""), r"10000x10000 pixels is above the limit of 80000000"),
    "JPEG of many scans": (
        jpeg_with_repeated_scans(100),
        "more than 100 scans would be decoded for very",
    ),
    "bomb for Pillow": (png_file(20_000, 20_000, b""), "both max_pixels and PIL.*MAX_IMAGE_PIXELS"),
    # Arrays and Pillow images
    "0 wide": (np.zeros((0, 5, 3), np.uint8), r"shape \(0, 5, 3\) has no pixels"),
    "0x0 PIL": (Image.new("RGB", (0, 5)), "an image of 0x5 pixels has no pixels"),
    "1-D": (np.zeros(9), r"shape \(9,\) is not an image; pass \(H, W\)"),
    "4-D": (np.zeros((1, 4, 4, 3)), r"shape \(1, 4, 4, 3\) is not an image"),
    "2 channels": (np.zeros((5, 4, 2)), r"shape \(5, 4, 2\) is not an image"),
    "channels first": (np.zeros((3, 8, 9)), r"channels first; .*moveaxis\(image, 0, -1\)"),
    "tensor": (torch.zeros(3, 8, 9), r"<Tensor of shape .*channels first"),
    "gradient": (torch.zeros(8, 9, requires_grad=True), r"cannot be read.*detach\(\)"),
    "above 1": (
        np.array([[0.0, 255.0]]),
        r"\[0, 1\], found 0 to 255; pass X / 255 if 255 is white",
    ),
    "below 0": (np.array([[-1.0, 1.0]]), r"\[0, 1\], found -1 to 1; scale all images alike"),
    "nan pixels": (np.array([[0, np.nan]]), "NaN or infinite values"),
    "inf pixels": (np.array([[0, np.inf]]), "NaN or infinite values"),
    "int above": (np.array([[0, 256]]), r"int64 pixels must lie in 0\.\.255, found 0 to 256"),
    "int below": (np.array([[-1, 9]]), r"must lie in 0\.\.255, found -1 to 9"),
    "int16 above": (np.array([[0, 300]], np.int16), "found 0 to 300; scale all images alike"),
    "int16 below": (
        np.array([[-300, 300]], np.int16),
        r"found -300 to 300; scale all images alike to floats in \[0, 1\]",
    ),
    "int8 below": (np.array([[-1, 9]], np.int8), r"int8 pixels must lie in 0\.\.255"),
    "uint32 above": (np.array([[70_000]], np.uint32), r"must lie in 0\.\.255"),
    "object": (np.array([["a"]], dtype=object), "dtype object is not an image"),
    "strings": (np.array([["a"]]), "dtype <U1 is not an image"),
    "complex": (np.zeros((2, 2), complex), "dtype complex128 is not an image"),
    "masked": (np.ma.MaskedArray(NOISE, mask=True), "mask of a masked array would be lost"),
    "PIL float above 1": (Image.new("F", (1, 1), 99), r"\[0, 1\], found 99 to 99"),
    "PIL int above 65535": (Image.new("I", (1, 1), 70_000), r"0\.\.65535, found 70000 to 70000"),
}


def _written(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _linked(name: str, target: str) -> Callable[[Path], Path]:
    def link(folder: Path) -> Path:
        (folder / name).symlink_to(target)
        return folder / name

    return link


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.png")
    return folder / "pipe.png"


def _link_to_pipe(folder: Path) -> Path:
    _pipe(folder)
    return _linked("link.png", "pipe.png")(folder)


def _socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s.png"))
    return folder / "s.png"


def _huge(folder: Path) -> Path:
    with (folder / "film.mp4").open("wb") as file:
        file.truncate(1 << 40)
    return folder / "film.mp4"


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "directory": (lambda folder: folder, "is a directory, not a file; pass the path"),
    "device": (lambda folder: Path("/dev/zero"), "is a device, not a file"),
    "named pipe": (_pipe, "is a named pipe, not a file"),
    "link to a pipe": (_link_to_pipe, "is a named pipe, not a file"),
    "socket": (_socket, "is a socket, not a file"),
    "loop of links": (_linked("loop.png", "loop.png"), "cannot be read .*symbolic links"),
    "broken link": (_linked("link.png", "gone.png"), "no such file"),
    "file as a folder": (
        lambda folder: _written("a.png", b"x")(folder) / "b.png",
        r"cannot be read \(Not a directory\)",
    ),
    "empty file": (_written("a.png", b""), "it seems to be empty"),
    "html named jpg": (_written("a.jpg", HTML), "a web page, perhaps a failed download"),
    "cut file": (_written("a.jpg", JPEG[:-200]), "a damaged JPEG image"),
    "a terabyte": (_huge, r"a file of 1099511627776 bytes is above the limit"),
}
