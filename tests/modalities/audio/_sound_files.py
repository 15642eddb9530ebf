"""Sounds, and sound files of every format and encoding that is decoded."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import soundfile

RATE = 16_000

_PCM = ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW")
FORMATS = [
    *(("WAV", s) for s in (*_PCM, "IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32")),
    *(("WAVEX", s) for s in _PCM),
    *(("RF64", s) for s in _PCM),
    *(("W64", s) for s in (*_PCM, "MS_ADPCM")),
    *(("AIFF", s) for s in (*_PCM, "PCM_S8", "IMA_ADPCM", "GSM610")),
    *(("AU", s) for s in (*_PCM[:3], "PCM_S8", *_PCM[4:], "G721_32", "G723_24", "G723_40")),
    *(("CAF", s) for s in (*_PCM[:3], "PCM_S8", *_PCM[4:], "ALAC_16", "ALAC_24", "ALAC_32")),
    *(("FLAC", s) for s in ("PCM_S8", "PCM_16", "PCM_24")),
    *(("OGG", s) for s in ("VORBIS", "OPUS")),
    ("MP3", "MPEG_LAYER_III"),
]
"""Format and encoding, as libsndfile names them."""

ID3 = b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)
"""An empty tag, as many MP3 files begin with one."""

_MONO = {"GSM610", "G721_32", "G723_24", "G723_40"}


def sine(frequency: float, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """Return a sine of amplitude 0.5."""
    times = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def noise(samples: int, channels: int = 0, seed: int = 0) -> np.ndarray:
    """Return noise (samples,) or (samples, channels)."""
    shape = (samples, channels) if channels else samples
    return np.random.default_rng(seed).normal(scale=0.1, size=shape).astype(np.float32)


def encoded(
    samples: np.ndarray,
    rate: int = RATE,
    format: str = "WAV",
    subtype: str = "PCM_16",
    **options: Any,
) -> bytes:
    """Return samples as the bytes of a file; of one channel where the encoding has only one."""
    if samples.ndim == 2 and subtype in _MONO:
        samples = samples[:, 0]
    stream = io.BytesIO()
    options |= {"samplerate": rate, "channels": 1 if samples.ndim == 1 else samples.shape[1]}
    with soundfile.SoundFile(stream, "w", format=format, subtype=subtype, **options) as file:
        for start in range(0, len(samples), 50_000):  # libvorbis crashes on a minute at once
            file.write(samples[start : start + 50_000])
    return stream.getvalue()


def wav(
    code: int = 1, rate: int = RATE, channels: int = 1, bits: int = 16, align: int = 2
) -> bytes:
    """Return a wav file of any header, with 5,120 bytes of data."""
    data = bytes(range(256)) * 20
    per_second = min(2**32 - 1, rate * align)
    header = struct.pack("<HHIIHH", code, channels, rate, per_second, align, bits)
    size = struct.pack("<I", 20 + len(header) + len(data))
    chunks = b"fmt " + struct.pack("<I", len(header)) + header
    return b"RIFF" + size + b"WAVE" + chunks + b"data" + struct.pack("<I", len(data)) + data


def wav_of_size(content: bytes, size: int, riff_size: int | None = None) -> bytes:
    """Return a wav file whose header announces `size` bytes of data."""
    place = content.index(b"data") + 4
    riff = struct.pack("<I", min(2**32 - 1, size + 36) if riff_size is None else riff_size)
    return content[:4] + riff + content[8:place] + struct.pack("<I", size) + content[place + 4 :]


def mpeg_frames(content: bytes) -> list[bytes]:
    """Return the frames of a layer III stream of MPEG 1 at 44.1 kHz, or MPEG 2 at 16 kHz."""
    is_mpeg_1 = content[1] & 8
    rates = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
    rates_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    found = []
    while content:
        bits = 1_000 * (rates if is_mpeg_1 else rates_2)[content[2] >> 4]
        size = 144 * bits // 44_100 if is_mpeg_1 else 72 * bits // 16_000
        size += content[2] >> 1 & 1
        found.append(content[:size])
        content = content[size:]
    return found
