"""Every kind of cell that is not a usable sound, and its error message."""

from __future__ import annotations

import base64
import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch

from tests.modalities.audio._sound_files import ID3, RATE, encoded, noise, sine, wav, wav_of_size
from tests.modalities.image._bad_images import HTML, JPEG, PNG, BrokenPath

SINE = sine(440, 0.1)
WAV = encoded(SINE)
FLAC = encoded(noise(RATE), format="FLAC")
OGG = encoded(noise(RATE), format="OGG", subtype="VORBIS")
OPUS = encoded(noise(RATE), format="OGG", subtype="OPUS")
MP3 = encoded(noise(RATE), format="MP3", subtype="MPEG_LAYER_III")
AIFF = encoded(SINE, format="AIFF")
AU = encoded(SINE, format="AU")
CAF = encoded(SINE, format="CAF")
RF64 = encoded(SINE, format="RF64")
W64 = encoded(SINE, format="W64")

MISSING = "the recording is missing; drop the row"
UNKNOWN = "of an unknown format; the formats are WAV, FLAC, OGG, MP3, AIFF, AU, CAF; open others"
CUT = "is a truncated or damaged .* file: .*get the recording anew, or drop the row"
NO_RATE = "is not a sampling rate; it is a whole number of samples per second, such as 16000"
NO_SAMPLES = "the recording has no samples; drop the row"
NOT_FINITE = "some samples are NaN or infinite; repair the recording, or drop the row"
CONVERT = "which is not decoded; convert it to wav, e.g. with ffmpeg"


def _ogg_of(codec: bytes) -> bytes:
    return OGG[:28] + codec + OGG[28 + len(codec) :]


def _decoder(result: Any) -> SimpleNamespace:
    return SimpleNamespace(get_all_samples=result)


def _fail() -> None:
    raise RuntimeError("no such codec")


CELLS: dict[str, tuple[Any, str]] = {
    # Missing values
    "None": (None, "None: " + MISSING),
    "nan": (float("nan"), MISSING),
    "NA": (pd.NA, MISSING),
    "NaT": (pd.NaT, MISSING),
    "empty str": ("", MISSING),
    "blank": ("  ", MISSING),
    "dict of None": ({"bytes": None, "path": None}, MISSING),
    "decoder of None": (_decoder(lambda: None), MISSING),
    # Values of other types
    "int": (3, "a value of type int is not a sound; pass a path, encoded bytes, or .rate, samples"),
    "bool": (True, "a value of type bool is not a sound"),
    "numpy scalar": (np.float64(3), "a value of type float64 is not a sound"),
    "set": ({1, 2}, "a value of type set is not a sound"),
    "dict": ({"audio": b"", "label": 1}, "a dict with the keys 'audio', 'label' is not a sound"),
    "empty dict": ({}, r"a dict with the keys \(none\) is not a sound"),
    "dict of no bytes": ({"bytes": b"", "path": "a.wav"}, "it seems to be empty"),
    "dict of a path": ({"bytes": None, "path": "no/such.wav"}, "no such file"),
    "dict of a dict": ({"bytes": {"path": "a.wav"}}, "a dict in a dict is no path or bytes"),
    "dict of a list": ({"bytes": [1, 2]}, "a list in a dict is no path or bytes"),
    "dict without a rate": ({"array": SINE}, "a dict without 'sampling_rate'"),
    "dict of a str": ({"array": "a.wav", "sampling_rate": RATE}, "dtype <U5 is not a sound"),
    "open file": (io.BytesIO(WAV), r"an open file is not a sound; pass its path, or .* read\(\)"),
    "failing decoder": (_decoder(_fail), r"its decoder fails \(no such codec\)"),
    # Texts that are not paths
    "http": ("https://example.org/a.wav", "URLs are never fetched; download the recording"),
    "file URL": ("file:///a.wav", "URLs are never fetched"),
    "s3": ("s3://bucket/a.wav", "URLs are never fetched"),
    "data URI": ("data:audio/wav;base64,AAAA", r"a data URI .* pass its bytes, e.g. base64.b64"),
    "data URI bytes": (b"data:audio/wav;base64,AAAA", r"a data URI \(pass base64.b64"),
    "base64": (base64.b64encode(WAV).decode(), r"base64 text .* base64.b64decode\(cell\)"),
    "base64 of FLAC": (base64.b64encode(FLAC).decode(), "base64 text is not a path"),
    "base64 of Ogg": (base64.encodebytes(OGG).decode(), "base64 text is not a path"),
    "base64 of MP3": (base64.b64encode(ID3 + MP3).decode(), "base64 text is not a path"),
    "base64 of bare MP3": (base64.b64encode(MP3).decode(), "base64 text is not a path"),
    "base64 bytes": (base64.b64encode(WAV), r"a text; .* and if it is base64, base64.b64decode"),
    "path of bytes": (b"/data/a.wav", "a text; if it is a path, pass it as a str"),
    "tags alone": ((ID3 + ID3[:10]) * 9, "a tag of an MP3 file"),
    "absent": ("no/such.wav", r"'no/such\.wav': no such file"),
    "tilde": ("~/a.wav", r"no such file \('~' is not expanded\)"),
    "NUL": ("a\0.wav", "the file cannot be read"),
    "surrogate": ("a\ud800.wav", "the file cannot be read"),
    "too long": ("a" * 5000, r"the file cannot be read \(File name too long\)"),
    "broken PathLike": (BrokenPath(), "BrokenPath>: cannot be read as a path .no path today"),
    # Content that is not a sound
    "no bytes": (b"", "it seems to be empty; drop the row"),
    "zero bytes": (bytes(1000), UNKNOWN),
    "noise": (b"\x07\x08\x09" * 99, UNKNOWN),
    "all ones": (b"\xff" * 999, UNKNOWN),
    "text": (b"start,end\n0.1,0.2\n" * 99, "a text"),
    "text of UTF-16": ("no sound".encode("utf-16") * 99, UNKNOWN),
    "html": (HTML, "a page or an XML document, perhaps a failed download"),
    "png": (PNG, "a PNG image"),
    "jpeg": (JPEG, "a JPEG image"),
    "pdf": (b"%PDF-1.7 ...", "a PDF document"),
    "zip": (b"PK\x03\x04....", "a zip archive"),
    "gzip": (gzip.compress(WAV), "a gzip archive"),
    "numpy": (b"\x93NUMPY\x01\0", r"a NumPy file \(load it with numpy.load"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
    "tag alone": (ID3, "a tag of an MP3 file without a sound"),
    "tag of a text": (ID3 + b"no sound" * 9, "a text"),
    "tag without its end": (ID3[:6] + b"\x7f\x7f\x7f\x7f" + MP3, "a tag of an MP3 file"),
    # Video, and sounds that libsndfile does not decode
    "mp4": (b"\0\0\0\x18ftypmp42\0\0\0\0", f"an MP4, M4A or MOV file .* {CONVERT}"),
    "m4a": (b"\0\0\0\x18ftypM4A \0\0\0\0", "an MP4, M4A or MOV file with AAC or ALAC sound"),
    "mkv": (b"\x1a\x45\xdf\xa3" + bytes(99), "a WebM or Matroska video or sound"),
    "avi": (b"RIFF\0\1\0\0AVI LIST" + bytes(99), "an AVI video"),
    "wma": (b"\x30\x26\xb2\x75" + bytes(99), "a WMA or WMV file"),
    "mpeg video": (b"\0\0\1\xba" + bytes(99), "an MPEG video"),
    "amr": (b"#!AMR\n" + bytes(99), "an AMR recording"),
    "aac": (b"\xff\xf1" + bytes(99), "an AAC stream"),
    "midi": (b"MThd" + bytes(99), "a MIDI file, which holds notes and no sound"),
    "speex": (_ogg_of(b"Speex   "), "a Speex recording"),
    "theora": (_ogg_of(b"\x80theora"), "a Theora video"),
    "described Ogg": (_ogg_of(b"fishead\0"), "an Ogg file with a Skeleton track"),
    "FLAC in Ogg": (_ogg_of(b"\x7fFLAC"), "FLAC in an Ogg file"),
    "MATLAB": (b"MATLAB 5.0 MAT-file" + bytes(999), UNKNOWN),
    "WavPack": (b"wvpk" + bytes(99), "a WavPack file"),
    "NIST": (b"NIST_1A\n   1024\n" + bytes(2000), "a NIST SPHERE file"),
    "VOC": (b"Creative Voice File\x1a\x1a\0" + bytes(99), "a VOC file"),
    "8SVX": (encoded(SINE, format="SVX"), UNKNOWN),
    "AC-3 in wav": (wav(0x2000), "a wav file with AC-3, which is not decoded; convert it to PCM"),
    "AAC in wav": (wav(0xFF), "a wav file with AAC, which is not decoded"),
    "unknown in wav": (wav(0x1234), "a wav file with an encoding of number 0x1234"),
    "NMS in wav": (encoded(SINE, subtype="NMS_ADPCM_16"), "WAV file with NMS_ADPCM_16, .* to PCM"),
    "DWVW": (encoded(SINE, format="AIFF", subtype="DWVW_16"), "AIFF file with DWVW_16, .* to PCM"),
    # Damaged files
    "cut WAV": (WAV[:-100], CUT),
    "cut WAV by a byte": (WAV[:-1], CUT),
    "cut FLAC": (FLAC[:-100], "cannot be decoded .* a damaged FLAC file; get the recording anew"),
    "cut Ogg": (OGG[:-100], "is a truncated OGG file; get the recording anew, or drop the row"),
    "cut Opus": (OPUS[:-1], "is a truncated OGG file; get the recording anew, or drop the row"),
    "cut MP3": (MP3[:-1000], CUT),
    "cut MP3 with a tag": (ID3 + MP3[:-1000], CUT),
    "MP3 without its sound": (MP3[:200], "a damaged MP3 file"),
    "two WAV": (WAV + WAV, "a damaged WAV file"),
    "cut AIFF": (AIFF[:-100], CUT),
    "cut AU": (AU[:-100], CUT),
    "cut CAF": (CAF[:-100], CUT),
    "cut RF64": (RF64[:-100], CUT),
    "cut W64": (W64[:-100], CUT),
    "cut header": (WAV[:20], "a damaged WAV file"),
    "header only": (WAV[:44], "no samples|truncated"),
    "header of 2^30 samples": (wav_of_size(WAV, 1 << 31 | 1 << 16), CUT),
    "AU of 2^31 samples": (AU[:8] + b"\x80\0\0\0" + AU[12:], "AU file|no samples"),
    "empty WAV": (encoded(SINE[:0]), NO_SAMPLES),
    "0 channels": (wav(channels=0), r"cannot be decoded \(Channel count is zero\)"),
    "65,535 channels": (wav(channels=65_535), r"cannot be decoded \(Too many channels"),
    "rate 0 in wav": (wav(rate=0), "a damaged WAV file"),
    "rate 1 in wav": (wav(rate=1), "1 " + NO_RATE),
    "rate 2^31 - 1 in wav": (wav(rate=2**31 - 1), NO_RATE),
    "rate 2^31 in wav": (wav(rate=2**31), "a damaged WAV file"),
    "65,535 bits": (wav(bits=65_535), "a damaged WAV file"),
    "nan in wav": (encoded(np.array([0, np.nan]), subtype="FLOAT"), NOT_FINITE),
    "inf in AIFF": (encoded(np.array([0, np.inf]), format="AIFF", subtype="DOUBLE"), NOT_FINITE),
    # Rates
    "rate 0": ((0, SINE), "0 " + NO_RATE),
    "negative rate": ((SINE, -RATE), "-16000 " + NO_RATE),
    "rate nan": ((float("nan"), SINE), "nan " + NO_RATE),
    "rate inf": ((float("inf"), SINE), "inf " + NO_RATE),
    "rate 10^12": ((10**12, SINE), "1000000000000 " + NO_RATE),
    "rate 10^400": ((10**400, SINE), NO_RATE),
    "rate 1": ((1, SINE), "1 " + NO_RATE),
    "rate 16000.5": ((16000.5, SINE), NO_RATE),
    "rate True": ((True, SINE), "True " + NO_RATE),
    "rate None": ((None, SINE), "None " + NO_RATE),
    "rate of text": (("16000", SINE), "'16000' " + NO_RATE),
    "rate 0 in a dict": ({"array": SINE, "sampling_rate": 0}, "0 " + NO_RATE),
    # Arrays
    "no samples": (SINE[:0], NO_SAMPLES),
    "no samples of two channels": (np.zeros((0, 2), np.float32), NO_SAMPLES),
    "empty list": ([], NO_SAMPLES),
    "nan samples": (np.array([0, np.nan]), NOT_FINITE),
    "inf samples": ((RATE, np.array([0, -np.inf])), NOT_FINITE),
    "too large for float32": (np.array([0, 1e300]), NOT_FINITE),
    "0-D": (np.array(3.0), r"shape \(\) is not a sound; pass \(samples,\), \(samples, channels\)"),
    "3-D": (np.zeros((2, 3, 9)), r"shape \(2, 3, 9\) is not a sound"),
    "65 channels": (np.zeros((65, 99)), r"\(65, 99\) has no axis of at most 64 channels"),
    "bool samples": (SINE > 0, "dtype bool is not a sound; pass floats in .-1, 1., or integers"),
    "complex": (SINE + 0j, "dtype complex64 is not a sound"),
    "object": (SINE.astype(object), "dtype object is not a sound"),
    "strings": (np.array(["a"]), "dtype <U1 is not a sound"),
    "times": (np.array(["2020"], "M8[D]"), r"dtype datetime64\[D\] is not a sound"),
    "int64": (np.arange(99), "int64 does not say the range of its samples; pass .* such as int16"),
    "uint64": (np.arange(9, dtype=np.uint64), "uint64 does not say the range"),
    "list of ints": ([0, 300, -300], "int64 does not say the range"),
    "list with None": ([0.1, None, 0.2], "a list of float, NoneType, float is not a sound"),
    "bytes of a wav": (
        np.frombuffer(WAV, np.uint8),
        "array holds a WAV file, .* pass array.tobytes",
    ),
    "bytes of an MP3": ((RATE, np.frombuffer(ID3 + MP3, np.int8)), "the array holds a MP3 file"),
    "bytes in a tensor": (
        torch.frombuffer(bytearray(FLAC), dtype=torch.uint8),
        "the array holds a FLAC file",
    ),
    # Sequences
    "torchaudio item": ((torch.zeros(1, 99), RATE, "yes", 3), "a tuple of Tensor, int, str, int"),
    "path and rate": (("a.wav", RATE), "tuple of str, int is not a sound; .* a path or encoded b"),
    "rate and bytes": ([RATE, WAV], "a list of int, bytes is not a sound"),
    "rate and None": ((RATE, None), "a tuple of int, NoneType is not a sound"),
    "list of paths": (["a.wav", "b.wav"], "a list of str, str is not a sound"),
    "rate and ragged": ((RATE, [[0.1], [0.2, 0.3]]), "cannot be read as a NumPy array"),
    "ragged": ([[0.1, 0.2], [0.3]], "cannot be read as a NumPy array"),
    "masked": (np.ma.MaskedArray(SINE, mask=SINE > 0), "mask of a masked array would be lost"),
    "gradient": (torch.zeros(9, requires_grad=True), r"cannot be read.*detach\(\)"),
    "bfloat16": (torch.zeros(9, dtype=torch.bfloat16), r"cannot be read.*float\(\)"),
    "meta": (torch.zeros(9, device="meta"), "cannot be read as a NumPy array"),
}
"""Arrays are without a rate: give `sampling_rate=16000`."""


def _written(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.wav")
    return folder / "pipe.wav"


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "directory": (lambda folder: folder, "is a directory, not a file; pass the path"),
    "device": (lambda folder: Path("/dev/zero"), "is a device, not a file"),
    "named pipe": (_pipe, "is a named pipe, not a file"),
    "empty file": (_written("a.wav", b""), "it seems to be empty"),
    "text named wav": (_written("a.wav", b"no sound\n" * 99), "a text"),
    "raw samples": (_written("a.raw", SINE.tobytes()), UNKNOWN),
    "raw samples named mp3": (_written("a.mp3", SINE.tobytes()), UNKNOWN),
    "image named wav": (_written("a.wav", PNG), "a PNG image"),
    "html named mp3": (_written("a.mp3", HTML), "a page or an XML document"),
    "cut file": (_written("a.wav", WAV[:-100]), CUT),
}
