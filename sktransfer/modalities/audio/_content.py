"""What bytes that are no sound seem to be, for messages."""

import soundfile

_FORMATS = ("WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF")

# The bytes that begin a file, from a position on, and what such files are.
_FIRST_BYTES: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "an MP4, M4A or MOV file with AAC or ALAC sound"),
    (0, b"\x1a\x45\xdf\xa3", "a WebM or Matroska video or sound"),
    (0, b"\x30\x26\xb2\x75", "a WMA or WMV file"),
    (8, b"AVI ", "an AVI video"),
    (0, b"FLV", "a Flash video"),
    (0, b"\x00\x00\x01\xba", "an MPEG video"),
    (0, b"#!AMR", "an AMR recording"),
    (0, b"\xff\xf1", "an AAC stream"),
    (0, b"\xff\xf9", "an AAC stream"),
    (0, b"MThd", "a MIDI file, which holds notes and no sound"),
)
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\x93NUMPY", "a NumPy file (load it with numpy.load and pass the arrays)"),
    (0, b"version https://git-lfs", "a Git LFS pointer (run `git lfs pull`)"),
    (0, b"<", "a page or an XML document, perhaps a failed download"),
)
_DAMAGED: tuple[tuple[int, bytes, str], ...] = (
    (8, b"WAVE", "WAV"),
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "OGG"),
    (0, b"ID3", "MP3"),
    (0, b"\xff\xfb", "MP3"),
    (8, b"AIF", "AIFF"),
    (0, b".snd", "AU"),
    (0, b"caff", "CAF"),
)

# Codes of encodings in wav files that libsndfile does not decode.
_WAV_CODES = {
    0x0008: "DTS",
    0x0050: "MPEG",
    0x0055: "MP3",
    0x0092: "AC-3",
    0x00FF: "AAC",
    0x0160: "WMA",
    0x0161: "WMA 2",
    0x0162: "WMA Pro",
    0x2000: "AC-3",
}


def guess_content(start: bytes) -> str:
    """Return what a file that cannot be decoded seems to be, from its beginning, and what to do."""
    if not start:
        return "empty; drop the row"
    if found := _named(start, _FIRST_BYTES):
        return f"{found}, which libsndfile does not read; convert it, e.g. with ffmpeg, to wav"
    if found := _named(start, _OTHERS):
        return found
    if found := _named(start, _DAMAGED):
        code = _wav_code(start) if found == "WAV" else None
        if code:
            return f"a wav file with {code}, which libsndfile does not decode; convert it to PCM"
        return f"a damaged {found} file; get the recording anew, or drop the row"
    if not start.translate(None, bytes(range(32, 127)) + b"\t\r\n"):
        return "a text"
    known = ", ".join(name for name in _FORMATS if name in soundfile.available_formats())
    return f"of an unknown format; the formats are {known}; open others yourself and pass arrays"


def _named(start: bytes, table: tuple[tuple[int, bytes, str], ...]) -> str | None:
    found = (name for place, sign, name in table if start[place : place + len(sign)] == sign)
    return next(found, None)


def _wav_code(start: bytes) -> str | None:
    """Return the encoding of a wav file, where it is one that libsndfile does not decode."""
    place = start.find(b"fmt ")
    code = int.from_bytes(start[place + 8 : place + 10], "little") if place >= 0 else 0
    return _WAV_CODES.get(code)
