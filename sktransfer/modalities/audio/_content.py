"""What bytes that are no sound seem to be, for messages."""

import re

from sktransfer.modalities.audio._streams import is_mpeg

# How the files begin that are given to libsndfile: it has parsers of other formats too, some of
# which take nearly anything for a sound.
_FORMATS = {
    "WAV": rb"(RIFF|RIFX|RF64)....WAVE|riff\x2e\x91\xcf\x11",
    "FLAC": rb"fLaC",
    "OGG": rb"OggS",
    "MP3": rb"\xff",  # and see `is_mpeg`
    "AIFF": rb"FORM....AIF[FC]",
    "AU": rb"\.snd|dns\.",
    "CAF": rb"caff",
}

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
    (28, b"\x7fFLAC", "FLAC in an Ogg file"),
    (28, b"Speex", "a Speex recording"),
    (28, b"\x80theora", "a Theora video"),
    (28, b"fishead", "an Ogg file with a Skeleton track"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"MAC ", "a Monkey's Audio file"),
    (0, b".RMF", "a RealMedia file"),
    (0, b"NIST_1A", "a NIST SPHERE file"),
    (0, b"Creative Voice File", "a VOC file"),
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
    (0, b"ID3", "a tag of an MP3 file without a sound; get the recording anew, or drop the row"),
    (0, b"data:", "a data URI (pass base64.b64decode(cell.partition(b',')[2]))"),
    (0, b"<", "a page or an XML document, perhaps a failed download"),
)
# Codes of encodings in wav files: what libsndfile decodes, and names of some that it does not.
_DECODED_CODES = {0x0001, 0x0003, 0x0006, 0x0007, 0x0002, 0x0011, 0x0031, 0x0040, 0x0055}
_WAV_CODES = {
    0x0008: "DTS",
    0x0050: "MPEG layer 2",
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
        return f"{found}, which is not decoded; convert it to wav, e.g. with ffmpeg"
    if found := _named(start, _OTHERS):
        return found
    if found := format_of(start):
        code = _wav_code(start) if found == "WAV" else None
        if code:
            return f"a wav file with {code}, which is not decoded; convert it to PCM"
        return f"a damaged {found} file; get the recording anew, or drop the row"
    if not start.translate(None, bytes(range(32, 127)) + b"\t\r\n"):
        return (
            "a text; if it is a path, pass it as a str, and if it is base64, base64.b64decode(cell)"
        )
    known = ", ".join(_FORMATS)
    return f"of an unknown format; the formats are {known}; open others yourself and pass arrays"


def format_of(start: bytes) -> str | None:
    """Return the format of a sound file, from its beginning behind an ID3 tag."""
    found = (name for name, sign in _FORMATS.items() if re.match(sign, start, re.DOTALL))
    name = next(found, None)
    return None if name == "MP3" and not is_mpeg(start) else name


def _named(start: bytes, table: tuple[tuple[int, bytes, str], ...]) -> str | None:
    found = (name for place, sign, name in table if start[place : place + len(sign)] == sign)
    return next(found, None)


def _wav_code(start: bytes) -> str | None:
    """Return the encoding of a wav file, where it is one that libsndfile does not decode."""
    place = start.find(b"fmt ") + 8
    code = int.from_bytes(start[place : place + 2], "little")
    if code == 0xFFFE:  # an extended header, which has the code further on
        code = int.from_bytes(start[place + 24 : place + 26], "little")
    if place < 8 or len(start) < place + 16 or code in _DECODED_CODES:
        return None
    return _WAV_CODES.get(code, f"an encoding of number {code:#06x}")
