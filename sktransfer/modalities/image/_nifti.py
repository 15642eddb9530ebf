"""NIfTI volumes, read by nibabel."""

from __future__ import annotations

import gzip
import io
import zlib
from math import prod
from typing import Any, NamedTuple

import numpy as np

from sktransfer.exceptions import BadCellError

# Bytes before the voxels: the header, and extensions that are not used.
_MOST_BYTES_BEFORE = 16 << 20
_HEADERS = {348: "Nifti1", 540: "Nifti2"}


def is_nifti(data: bytes | bytearray) -> bool:
    """Return whether this is the beginning of a NIfTI file, compressed or not."""
    if data.startswith(b"\x1f\x8b"):
        try:
            data = zlib.decompressobj(31).decompress(data[:4096], 352)
        except zlib.error:
            return False
    return b"n+1\0" in data[344:348] or data[4:8] == b"n+2\0"


class Voxels(NamedTuple):
    """A volume; its axes go to the patient's left, to the back and to the head, as in DICOM.

    Attributes
    ----------
    values : ndarray of shape (X, Y, Z)
        As the file scales them.
    affine : ndarray of shape (4, 4)
        From indices to mm, in the directions of the axes.
    shown : tuple of float
        Values that the file says are to be shown as black and white; equal if it does not.
    """

    values: np.ndarray
    affine: np.ndarray
    shown: tuple[float, float]


def open_nifti(data: bytes | bytearray, max_voxels: int | None) -> Voxels:
    """Return the volume of a NIfTI file.

    Parameters
    ----------
    data : bytes
        Content of a file that `is_nifti`.
    max_voxels : int or None
        Most voxels of a volume.

    Raises
    ------
    BadCellError
        If it is damaged, above the limit, or not one volume of numbers.
    """
    problem = ""
    try:
        image = _image(data, max_voxels)
        values = np.asanyarray(image.dataobj)
    except (BadCellError, ImportError):
        raise
    except Exception as error:  # the header may hold a name, and messages a part of it
        problem = f"a NIfTI file that nibabel cannot read ({type(error).__name__}): it is damaged"
    if problem:
        raise BadCellError(problem)
    values = values.reshape(values.shape[:3])[::-1, ::-1]
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    flip[:2, 3] = values.shape[0] - 1, values.shape[1] - 1
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine @ flip
    return Voxels(values, affine, (float(image.header["cal_min"]), float(image.header["cal_max"])))


def _image(data: bytes | bytearray, max_voxels: int | None) -> Any:
    """Return nibabel's image, its axes to the patient's right, to the front and to the head."""
    try:
        import nibabel
    except ImportError as error:
        raise ImportError(
            "A NIfTI file is read by nibabel: pip install 'sktransfer[medical]'."
        ) from error
    kind, content = _content(data, max_voxels)
    return nibabel.as_closest_canonical(getattr(nibabel, f"{kind}Image").from_bytes(content))


def _content(data: bytes | bytearray, max_voxels: int | None) -> tuple[str, bytes]:
    """Return the class of the header, and the file as far as it is used, decompressed."""
    import nibabel

    stream: Any = io.BytesIO(data)
    if data.startswith(b"\x1f\x8b"):
        stream = gzip.GzipFile(fileobj=stream)
    start = stream.read(544)
    sizes = {int.from_bytes(start[:4], order): order for order in ("little", "big")}
    size = next(size for size in _HEADERS if size in sizes)
    header = getattr(nibabel, f"{_HEADERS[size]}Header")(start[:size])
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    _check_shape(shape, dtype, max_voxels)
    before = int(header.get_data_offset())
    if not size <= before <= _MOST_BYTES_BEFORE:
        raise BadCellError("a NIfTI file whose header is damaged")
    wanted = before + prod(shape) * dtype.itemsize
    content = start + stream.read(max(0, wanted - len(start)))
    if len(content) < wanted:
        raise BadCellError("a NIfTI file that ends early; get it anew")
    return _HEADERS[size], content


def _check_shape(shape: tuple[int, ...], dtype: np.dtype, max_voxels: int | None) -> None:
    if len(shape) < 3 or min(shape) < 1:
        raise BadCellError(f"a NIfTI file of shape {shape} is not a volume")
    if prod(shape[3:]) > 1:
        raise BadCellError(
            f"a NIfTI file of shape {shape} holds several volumes; write one to a file, e.g. "
            "nibabel.save(nibabel.load(path).slicer[..., 0], other_path)"
        )
    if dtype.kind not in "uif":
        raise BadCellError(f"voxels of type {dtype} are not grey values")
    if max_voxels is not None and prod(shape) > max_voxels:
        raise BadCellError(
            f"a volume of shape {shape} is above the limit of {max_voxels} voxels; raise "
            "max_voxels if you trust where it comes from"
        )
