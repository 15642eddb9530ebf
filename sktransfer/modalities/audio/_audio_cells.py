"""Where the samples of a sound cell come from: an array with its rate, bytes or a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from sktransfer.columns import describe, is_missing
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._cell_sources import as_array, as_path, base64_of
from sktransfer.modalities.audio._content import format_of

# How wav, FLAC, Ogg, MP3 and AIFF files begin in base64.
BASE64 = base64_of("UklGR", "ZkxhQ", "T2dnUw", "SUQz", "//[tuvNOP]", "Rk9STQ")

#: Sampling rates of any recorder: from those of heart sounds and of infrasound to ultrasound.
LOWEST_RATE, HIGHEST_RATE = 100, 10_000_000
# Most channels of a recording. An array with more along both axes is not one.
_MOST_CHANNELS = 64

# Values of a sequence that show what it is.
_FIRST = 8

_SAMPLES_NAMES = ("array", "raw")
_PAIRS = "(rate, samples), or {'array': samples, 'sampling_rate': rate}"


class Samples(NamedTuple):
    """Samples of an array cell.

    Attributes
    ----------
    array : ndarray of shape (samples,) or (samples, channels)
        Floats, or integers of the whole range of their type.
    rate : int
        Samples per second.
    """

    array: np.ndarray
    rate: int


Source: TypeAlias = Samples | bytes | bytearray | str


def audio_source(cell: object, sampling_rate: int | None) -> Source:
    """Return what holds the samples of a cell, without reading any of them.

    Parameters
    ----------
    cell : object
        A path, the bytes of a file, ``(rate, samples)`` or ``(samples, rate)``, a dict with
        ``array`` and ``sampling_rate`` or with ``bytes`` and ``path``, or an array.
    sampling_rate : int, optional
        Samples per second of arrays that come without a rate.

    Raises
    ------
    BadCellError
        If the cell is missing or cannot hold a sound.
    """
    if isinstance(cell, (bytes, bytearray)):
        return cell
    if isinstance(cell, memoryview):
        return cell.tobytes()
    if isinstance(cell, (tuple, list)):
        return _of_sequence(cell, sampling_rate)
    if isinstance(cell, Mapping):
        return _of_mapping(cell)
    if hasattr(cell, "get_all_samples"):  # a decoder of torchcodec
        cell = _decoded(cell)
    if hasattr(cell, "sample_rate") and hasattr(cell, "data"):
        return _samples(cell.data, cell.sample_rate)
    if hasattr(cell, "__array__") and not isinstance(cell, (str, np.generic)):
        return _with_rate(cell, sampling_rate)
    if is_missing(cell):
        raise BadCellError("the recording is missing; drop the row")
    if isinstance(cell, (str, os.PathLike)):
        return as_path(cell, "recording", BASE64)
    if hasattr(cell, "read"):
        raise BadCellError("an open file is not a sound; pass its path, or what its read() gives")
    raise BadCellError(
        f"a value of type {type(cell).__name__} is not a sound; pass a path, encoded bytes, or "
        f"{_PAIRS}"
    )


def checked_rate(rate: Any) -> int:
    """Return a sampling rate as an int, or refuse it."""
    value = rate.item() if hasattr(rate, "item") and np.ndim(rate) == 0 else rate
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    # Compared before it becomes a float: an int may be larger than any.
    if not (is_number and LOWEST_RATE <= value <= HIGHEST_RATE and float(value).is_integer()):
        raise BadCellError(
            f"{describe(rate)} is not a sampling rate; it is a whole number of samples per "
            f"second, such as 16000, from {LOWEST_RATE} to {HIGHEST_RATE}"
        )
    return int(value)


def _of_sequence(cell: Sequence[Any], sampling_rate: int | None) -> Samples:
    """Return the samples of a pair with a rate, in either order, or of a list of numbers."""
    are_several = [_is_several(value) for value in cell[:_FIRST]]
    if len(cell) == 2 and sum(are_several) == 1:
        rate, samples = cell[::-1] if are_several[0] else cell  # as others, or as SciPy
        return _samples(samples, rate)
    are_alike = all(are_several) or all(hasattr(value, "__float__") for value in cell[:_FIRST])
    if not are_alike:
        names = [type(value).__name__ for value in cell[:_FIRST]]
        raise BadCellError(
            f"a {type(cell).__name__} of {', '.join(names)} is not a sound; pass {_PAIRS}; or a "
            "path or encoded bytes alone"
        )
    return _with_rate(cell, sampling_rate)


def _is_several(value: Any) -> bool:
    """Return whether a value in a sequence holds samples, and is no number, text or bytes."""
    is_text = isinstance(value, (str, bytes))
    return not is_text and hasattr(value, "__len__") and getattr(value, "ndim", 1) > 0


def _with_rate(cell: Any, sampling_rate: int | None) -> Samples:
    if sampling_rate is None:
        raise BadCellError(
            f"an array does not say its sampling rate; set sampling_rate=, or pass {_PAIRS}"
        )
    return _samples(cell, sampling_rate)


def _of_mapping(cell: Mapping[Any, Any]) -> Source:
    """Return the source in a dict, as the data sets of model hubs hold it."""
    name = next((name for name in _SAMPLES_NAMES if cell.get(name) is not None), None)
    if name is not None:
        if cell.get("sampling_rate") is None:
            raise BadCellError(
                f"a dict without 'sampling_rate' does not say its rate; pass {_PAIRS}"
            )
        return _samples(cell[name], cell["sampling_rate"])
    if not cell or not cell.keys() <= {"bytes", "path", "array", "sampling_rate"}:
        keys = ", ".join(repr(key) for key in cell) or "(none)"
        raise BadCellError(
            f"a dict with the keys {keys} is not a sound; pass {_PAIRS}, or {{'bytes': ..., "
            "'path': ...}, of which one may be None"
        )
    # The path is often only the name that the file had.
    content = cell.get("bytes")
    source = cell.get("path") if content is None else content
    if isinstance(source, (Mapping, tuple, list)) or hasattr(source, "__array__"):
        raise BadCellError(f"a {type(source).__name__} in a dict is no path or bytes of a file")
    return audio_source(source, None)


def _decoded(cell: Any) -> Any:
    try:
        return cell.get_all_samples()
    except Exception as error:  # whatever the decoder raises
        raise BadCellError(f"its decoder fails ({error})") from error


def _samples(array: Any, rate: Any) -> Samples:
    if isinstance(array, np.ma.MaskedArray):
        raise BadCellError("the mask of a masked array would be lost; pass array.filled(value)")
    array = as_array(array)
    if array.dtype.kind in "iu" and array.dtype.itemsize > 4:
        raise BadCellError(
            f"an array of dtype {array.dtype} does not say the range of its samples; pass them in "
            "the type that they were recorded in, such as int16, or as floats in [-1, 1]"
        )
    if array.dtype.kind not in "iuf":
        raise BadCellError(
            f"an array of dtype {array.dtype} is not a sound; pass floats in [-1, 1], or integers "
            "of 8, 16 or 32 bits as they are in a wav file"
        )
    _refuse_content(array)
    return Samples(_channels_last(array), checked_rate(rate))


def _refuse_content(array: np.ndarray) -> None:
    """Refuse the bytes of a sound file in an array, which would be noise as samples."""
    if array.ndim != 1 or array.dtype.itemsize > 1:
        return
    start = array[:4096].tobytes()
    name = "MP3" if start.startswith(b"ID3") else format_of(start)
    if name:
        raise BadCellError(f"the array holds a {name} file, and no samples; pass array.tobytes()")


def _channels_last(array: np.ndarray) -> np.ndarray:
    """Return samples (n,) or (n, channels); of a matrix, the shorter axis is that of channels."""
    if array.ndim not in (1, 2):
        raise BadCellError(
            f"an array of shape {array.shape} is not a sound; pass (samples,), (samples, "
            "channels) or (channels, samples)"
        )
    if 0 in array.shape:
        raise BadCellError("the recording has no samples; drop the row")
    if array.ndim == 2:
        if min(array.shape) > _MOST_CHANNELS:
            raise BadCellError(
                f"an array of shape {array.shape} has no axis of at most {_MOST_CHANNELS} "
                "channels; pass one recording per row"
            )
        array = array if array.shape[0] >= array.shape[1] else array.T
    return array
