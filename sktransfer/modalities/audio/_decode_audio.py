"""Sounds decoded to one channel at one sampling rate."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr

from sktransfer.columns import name_cell
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._digests import file_digest
from sktransfer.modalities._files import open_file
from sktransfer.modalities.audio._audio_cells import Samples, Source, audio_source, checked_rate
from sktransfer.modalities.audio._content import format_of, guess_content
from sktransfer.modalities.audio._streams import (
    PartOfFile,
    ends_within_a_page,
    has_second_start,
    is_mpeg,
    mpeg_head,
    tag_size,
)

#: Longest recording without `max_duration`, in seconds: at 16 kHz its samples take 0.9 GB.
LONGEST = 4 * 3600.0

# Samples of all channels that are decoded at a time.
_BLOCK = 1 << 20
# Largest magnitude of a sample that is a number: more would overflow when it is squared.
_LARGEST = 1e15

# The number of samples that libsndfile gives where a header says none.
_NO_LENGTH = (1 << 63) - 1

# Formats whose encodings are lossy: decoded, a loud sound may lie outside [-1, 1].
_OVERSHOOTING = "MP3", "OGG"
# Encodings that libsndfile cannot seek in, or writes to standard output of.
_NOT_DECODED = "DWVW", "NMS_ADPCM"
# Sizes in headers that libsndfile has found to be wrong, and those by which programs say that they
# did not know the size when they wrote the header.
_CHUNKS = "RIFF|RIFX|data|SSND|Data Size|Riff size|riff"
_WRONG_SIZE = re.compile(rf"^\s*(?:{_CHUNKS})\s*: (\d+) \(should be", re.MULTILINE)
_UNKNOWN_SIZES = {*range(0x7FFF_F000, 0x8000_0100), *range(0xFFFF_FF00, 0x1_0000_0000)}

_ANEW = "get the recording anew, or drop the row"


class Decoded(NamedTuple):
    """A decoded sound.

    Attributes
    ----------
    samples : ndarray of shape (samples,), float32
    peak : float
        Largest magnitude before resampling, by which a sound of full scale may overshoot; 1 of
        lossy encodings, which overshoot as well.
    has_more : bool
        Whether the file holds another recording behind this one.
    """

    samples: np.ndarray
    peak: float
    has_more: bool = False


class _ForwardFile(soundfile.SoundFile):
    """A sound file that may be without a length, as FLAC written to a pipe.

    soundfile then seeks behind each block that it has read, which fails at the end.
    """

    @property
    def says_length(self) -> bool:
        """Whether the header says the number of samples."""
        return self.frames < _NO_LENGTH

    def seekable(self) -> bool:
        """Return whether soundfile may seek."""
        return self.says_length and super().seekable()


def decode_audio(
    cell: object,
    rate: int,
    *,
    sampling_rate: int | None = None,
    max_duration: float | None = None,
    digest: bytes | None = None,
) -> Decoded:
    """Return the samples of a cell.

    Parameters
    ----------
    cell : object
        See `audio_source`.
    rate : int
        Samples per second of the result.
    sampling_rate : int, optional
        Samples per second of arrays that come without a rate.
    max_duration : float, optional
        Longest recording in seconds; None for `LONGEST`.
    digest : bytes, optional
        Digest that a file must still have.

    Returns
    -------
    Decoded
        The mean of the channels, resampled by soxr at its high quality. Integers, and files of
        integers, are scaled to [-1, 1); floats stay as they are.

    Raises
    ------
    BadCellError
        If the cell is missing, cannot be read, has no samples, is too long, or has samples that
        are not finite. The message says the cell and what to do; the caller adds its row.
    """
    try:
        source = audio_source(cell, sampling_rate)
        longest = LONGEST if max_duration is None else max_duration
        return _decode(source, rate, longest, is_default=max_duration is None, digest=digest)
    except BadCellError as error:
        raise name_cell(cell, error) from error.__cause__


def _decode(
    source: Source, rate: int, longest: float, *, is_default: bool, digest: bytes | None
) -> Decoded:
    if isinstance(source, Samples):
        _check_duration(len(source.array) / source.rate, longest, is_default)
        return _resampled(_blocks(source.array), source.rate, rate)
    if isinstance(source, (bytes, bytearray)):
        return _read(io.BytesIO(source), rate, longest, is_default)
    with open_file(source, None) as file:
        if digest is not None:
            if file_digest(file) != digest:
                raise BadCellError("the file has changed since this call began; run it again")
            file.seek(0)
        return _read(file, rate, longest, is_default)


def _check_duration(seconds: float, longest: float, is_default: bool, *, more: str = "") -> None:
    if seconds > longest:
        fix = "set max_duration=" if is_default else "raise max_duration="
        raise BadCellError(
            f"a recording of {more}{seconds:,.7g} seconds is longer than {longest:,.7g}; see "
            f"whether it is the right one, cut it into rows, or {fix}{int(seconds) + 1}"
        )


def _read(file: Any, rate: int, longest: float, is_default: bool) -> Decoded:
    start, head, says_length = tag_size(file), b"", True
    file.seek(start)
    content = file.read(4096)
    format = format_of(content)
    if format is None:
        raise BadCellError(f"cannot be decoded, it seems to be {guess_content(content)}")
    if format == "OGG" and ends_within_a_page(file):
        raise BadCellError(f"is a truncated OGG file; {_ANEW}")
    if format == "MP3":
        head, says_length = mpeg_head(content)
    part = PartOfFile(head, file, start)
    try:
        with _ForwardFile(part) as sound:
            own = checked_rate(sound.samplerate)
            says_length = says_length and sound.says_length
            if says_length:
                _check_sound(sound, longest, is_default)
            blocks = _file_blocks(sound, says_length, longest, is_default)
            decoded = _resampled(blocks, own, rate)
            # More of it than an index says is another recording.
            has_more = format == "MP3" and is_mpeg(rest := part.read(4096)) and len(rest) == 4096
    except BadCellError:
        raise
    except Exception as error:  # damaged data makes libsndfile raise nearly anything
        raise BadCellError(_problem(error, content)) from error
    has_more = has_more or (format == "OGG" and has_second_start(part))
    peak = 1.0 if format in _OVERSHOOTING else decoded.peak
    return decoded._replace(peak=peak, has_more=has_more)


def _check_sound(sound: soundfile.SoundFile, longest: float, is_default: bool) -> None:
    """Refuse what a header announces: a long recording, other sizes than those of the file."""
    _check_duration(sound.frames / sound.samplerate, longest, is_default)
    if sound.subtype.startswith(_NOT_DECODED):
        raise BadCellError(
            f"a {sound.format} file with {sound.subtype}, which is not decoded; convert it to PCM"
        )
    sizes = map(int, _WRONG_SIZE.findall(sound.extra_info))
    if any(size not in _UNKNOWN_SIZES for size in sizes):
        raise BadCellError(
            f"is a truncated or damaged {sound.format} file: its header announces another size "
            f"than it has; {_ANEW}"
        )


def _file_blocks(
    sound: soundfile.SoundFile, says_length: bool, longest: float, is_default: bool
) -> Iterator[np.ndarray]:
    """Yield samples (n,); a header may announce any number, so memory follows what is there."""
    size, found = max(1, _BLOCK // sound.channels), 0
    while len(block := sound.read(size, dtype="float32", always_2d=True)):
        found += len(block)
        _check_duration(found / sound.samplerate, longest, is_default, more="more than ")
        yield _mono(block)
    if found == 0:
        raise BadCellError("the recording has no samples; drop the row")
    if says_length and found < sound.frames:
        raise BadCellError(
            f"is a truncated or damaged {sound.format} file: {found} of {sound.frames} samples "
            f"can be read; {_ANEW}"
        )


def _blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    size = max(1, _BLOCK // (1 if array.ndim == 1 else array.shape[1]))
    for start in range(0, len(array), size):
        yield _mono(_scaled(array[start : start + size]))


def _mono(block: np.ndarray) -> np.ndarray:
    if block.ndim == 1 or block.shape[1] == 1:
        return block.reshape(-1)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused
        return block.mean(axis=1, dtype=np.float32)


def _scaled(block: np.ndarray) -> np.ndarray:
    if block.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            return block.astype(np.float32)
    bits = 8 * block.dtype.itemsize
    middle = 2.0 ** (bits - 1) if block.dtype.kind == "u" else 0.0
    return ((block.astype(np.float64) - middle) / 2.0 ** (bits - 1)).astype(np.float32)


def _resampled(blocks: Iterator[np.ndarray], own: int, rate: int) -> Decoded:
    """Return blocks at another rate, one after another through one filter."""
    stream = soxr.ResampleStream(own, rate, 1, dtype="float32", quality="HQ")
    content, peak = bytearray(), 0.0  # which grows without a second copy of a long recording
    for block in blocks:
        peak = max(peak, _peak(block))
        content += (block if own == rate else stream.resample_chunk(block)).tobytes()
    if own != rate:
        content += stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True).tobytes()
    samples = np.frombuffer(content, dtype=np.float32)
    if not len(samples):
        raise BadCellError(f"the recording is shorter than one sample at {rate} Hz; drop the row")
    return Decoded(samples, peak)


def _peak(block: np.ndarray) -> float:
    peak = float(np.abs(block).max())
    if not peak <= _LARGEST:  # also NaN
        raise BadCellError(
            "some samples are NaN or infinite; repair the recording, or drop the row"
        )
    return peak


def _problem(error: Exception, start: bytes) -> str:
    reason = str(getattr(error, "error_string", error)).strip().rstrip(".") or type(error).__name__
    if "not exist" in reason:  # what libsndfile says of sounds without a beginning
        reason = "no sound is found"
    return f"cannot be decoded ({reason}), it seems to be {guess_content(start)}"
