"""DICOM files, decoded by pydicom.

A file holds data of a person beside its pixels. Only the elements named here are read, and no
value of any element is in a message: the errors of pydicom are replaced, its warnings ignored.
"""

from __future__ import annotations

import io
import logging
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING

from sktransfer._warnings import warnings_ignored
from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image._content_limits import (
    check_coded_size,
    check_content,
    check_pixels,
    most_bytes,
)
from sktransfer.modalities.image._dicom_jpeg import decompress
from sktransfer.modalities.image._dicom_values import frame_of
from sktransfer.modalities.image._frame import Frame
from sktransfer.modalities.image._window import Window

if TYPE_CHECKING:
    import numpy as np
    from pydicom import Dataset

_PIXELS = ["PixelData", "FloatPixelData", "DoubleFloatPixelData"]
_TAGS = [
    *("Modality", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "ModalityLUTSequence", "VOILUTSequence"),
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue", "Alpha")
        for part in ("Descriptor", "Data")
    ),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths", *_PIXELS),
    # Which slices are of one series, and where they lie.
    *("SeriesInstanceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
]
_INFLATED_TOGETHER = 16 << 20

# The plugin of pydicom that decodes each compressed transfer syntax, or else the library. GDCM and
# pylibjpeg-rle are not used because damaged files crash them, nor is pylibjpeg-libjpeg: its licence
# is the GPL. What decodes without loss returns the same pixels as they do.
_DECODERS = {
    "JPEGBaseline8Bit": "pillow",
    "JPEGExtended12Bit": "pillow",  # of 8 bits
    "JPEGLossless": "imagecodecs",
    "JPEGLosslessSV1": "imagecodecs",
    "JPEGLSLossless": "pyjpegls",
    "JPEGLSNearLossless": "pyjpegls",
    "JPEG2000Lossless": "pylibjpeg",
    "JPEG2000": "pylibjpeg",
    "HTJ2KLossless": "pylibjpeg",
    "HTJ2KLosslessRPCL": "pylibjpeg",
    "HTJ2K": "pylibjpeg",
    "RLELossless": "pydicom",
}


# Whether this thread reads a file; loggers of pydicom are filtered by it.
_reading = threading.local()
_LOGGERS = ("pydicom", "pydicom.pixels.decoders.base")


def _is_said(record: logging.LogRecord) -> bool:
    return not getattr(_reading, "is_on", False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Ignore pydicom's warnings and log records of this thread: they hold values of elements."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_said)  # once, however often it is called
    _reading.is_on = True
    try:
        with warnings_ignored(module="pydicom"):
            yield
    finally:
        _reading.is_on = False


def is_dicom(data: bytes | bytearray) -> bool:
    """Return whether this is the content of a DICOM file, by its signature."""
    return data[128:132] == b"DICM"


def dicom_pixels(
    data: bytes | bytearray, max_pixels: int | None, window: Window | None
) -> np.ndarray:
    """Return the pixels of a DICOM file of one frame as an image array."""
    try:
        dataset = open_dicom(data, max_pixels)
    except ImportError as error:
        raise BadCellError(str(error).rstrip(".")) from error
    if dataset is None:
        raise BadCellError("a DICOM file without pixels; drop the row")
    if n_frames(dataset) > 1:
        raise BadCellError(
            "a DICOM file of several frames is not one image; pass the column 'image' of "
            "sktransfer.read_volume(path), which has a row per frame"
        )
    (frame,) = frames(dataset, window)
    return frame.shown()


def open_dicom(data: bytes | bytearray, max_pixels: int | None) -> Dataset | None:
    """Return the elements of a file that concern its pixels; None if it has no pixels.

    The pixels are not decoded yet.

    Raises
    ------
    BadCellError
        If it has more pixels than the limit, or cannot be read.
    """
    problem = ""
    try:
        with _quiet():
            dataset = _read(data, max_pixels)
            if not any(name in dataset for name in _PIXELS):
                return None
            problem = _problem_of(dataset)
            if not problem:
                size = int(dataset.Columns), int(dataset.Rows)
                n_frames(dataset), series_of(dataset)  # may have other values than they should
    except (BadCellError, ImportError):
        raise
    except Exception as error:
        problem = _unreadable(error)
    # Not within `except`: a traceback would show pydicom's error, with values of elements in it.
    if problem:
        raise BadCellError(problem)
    if 0 in size:
        raise BadCellError(f"an image of {size[0]}x{size[1]} pixels has no pixels")
    check_pixels(size, max_pixels)
    return dataset


def n_frames(dataset: Dataset) -> int:
    """Return the number of frames of an open file."""
    return int(dataset.get("NumberOfFrames") or 1)


def series_of(dataset: Dataset) -> str:
    """Return the identifier of the series of an open file, to compare it with others."""
    return str(dataset.get("SeriesInstanceUID"))


def frames(dataset: Dataset, window: Window | None) -> Iterator[Frame]:
    """Yield the frames of an open file.

    Parameters
    ----------
    dataset : Dataset
        From `open_dicom`.
    window : Window or None
        Shown in place of that of the file.
    """
    problem, found = "", _frames(dataset, window)
    while True:
        try:
            with _quiet():
                frame = next(found, None)
        except BadCellError:
            raise
        except Exception as error:
            problem = _unreadable(error)
        if problem:
            raise BadCellError(problem)
        if frame is None:
            return
        yield frame


def _read(data: bytes | bytearray, max_pixels: int | None) -> Dataset:
    try:
        import pydicom
    except ImportError as error:
        raise ImportError(
            "A DICOM file is read by pydicom: pip install 'sktransfer[medical]'."
        ) from error
    _check_deflated(data, most_bytes(max_pixels))
    return pydicom.dcmread(io.BytesIO(data), specific_tags=[*_TAGS])


def _check_deflated(data: bytes | bytearray, limit: int | None) -> None:
    """Refuse a file whose deflated data set is larger than its pixels explain."""
    start = 144 + int.from_bytes(data[140:144], "little")
    if limit is None or b"1.2.840.10008.1.2.1.99" not in data[:start]:
        return
    inflate, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    left: bytes | bytearray = data[start:]
    while left:
        size += len(inflate.decompress(left, _INFLATED_TOGETHER))
        if size > limit:
            raise BadCellError(f"a deflated DICOM file holds more than the limit of {limit} bytes")
        left = inflate.unconsumed_tail


def _unreadable(error: Exception) -> str:
    return (
        f"a DICOM file that pydicom cannot decode ({type(error).__name__}): it is damaged, or of "
        "an unusual form; get it anew, or drop the row"
    )


def _problem_of(dataset: Dataset) -> str:
    """Return why the pixels of a file cannot be decoded; empty if they perhaps can be."""
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.get("TransferSyntaxUID")
    try:
        decoder = get_decoder(syntax)
    except Exception:
        return "a DICOM file without a transfer syntax that pydicom decodes; convert it"
    if not decoder.is_encapsulated:
        return ""
    name = _decoder(dataset)
    if name in decoder.available_plugins or (name == "imagecodecs" and find_spec(name)):
        return ""
    return (
        f"the pixels of this DICOM file are compressed as {syntax.name!r}, for which {name} is not "
        "installed: pip install 'sktransfer[medical]'"
    )


def _decoder(dataset: Dataset) -> str:
    syntax = dataset.file_meta.TransferSyntaxUID.keyword
    if syntax == "JPEGExtended12Bit" and dataset.BitsStored != 8:
        return "imagecodecs"
    return _DECODERS[syntax]


def _frames(dataset: Dataset, window: Window | None) -> Iterator[Frame]:
    from pydicom.pixels import iter_pixels

    plugin, count = "", n_frames(dataset)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        coded, plugin = _coded_frames(dataset, count), _decoder(dataset)
        if plugin == "imagecodecs":
            decompress(dataset, coded)
            plugin = ""
    pixels = iter_pixels(dataset, decoding_plugin=plugin)
    if count > 1:  # it is that of the first
        dataset.pop("ImagePositionPatient", None)
    index = -1
    for index, values in enumerate(islice(pixels, count)):
        yield frame_of(values, dataset, index, window)
    if index + 1 < count:
        raise BadCellError("a DICOM file with fewer frames than it says")


def _coded_frames(dataset: Dataset, count: int) -> list[bytes]:
    """Return compressed frames, or refuse them if they are larger than the header says."""
    from pydicom.encaps import generate_frames

    names = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
    offsets = tuple(dataset[name].value for name in names if name in dataset)
    found = generate_frames(
        dataset.PixelData,
        number_of_frames=count,
        extended_offsets=offsets if len(offsets) == 2 else None,
    )
    coded = [*islice(found, count)]
    size = int(dataset.Columns), int(dataset.Rows), int(dataset.SamplesPerPixel)
    most = 2 * size[0] * size[1] * size[2] * max(1, dataset.BitsAllocated // 8) + (64 << 10)
    for frame in coded:
        if len(frame) > most:
            raise BadCellError("a compressed DICOM image is far larger than its pixels")
        check_content(frame, None)
        if dataset.file_meta.TransferSyntaxUID.keyword != "RLELossless":
            check_coded_size(frame, size)
    return coded
