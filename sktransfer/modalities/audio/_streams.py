"""What libsndfile misses in MPEG and Ogg streams."""

from __future__ import annotations

import io

# An ID3v2 tag of 10 empty bytes: without any, libsndfile tells MPEG streams by their file name only.
_TAG = b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)
# Pages of Ogg have at most 65,307 bytes.
_LAST_PAGE = 1 << 16

_RATES = 44_100, 48_000, 32_000, 32_000  # the last is none, which libsndfile refuses


def tag_size(file: io.BufferedIOBase) -> int:
    """Return the size of the ID3v2 tag that a file begins with, and of the zeros behind it."""
    header = file.read(10)
    if len(header) < 10 or header[:3] != b"ID3":
        return 0
    size = 0
    for byte in header[6:10]:
        size = size << 7 | byte & 127
    file.seek(10 + size)
    behind = file.read(4096)
    return 10 + size + len(behind) - len(behind.lstrip(b"\0")) if behind else 0


def mpeg_file(file: io.BufferedIOBase, start: int) -> tuple[MpegFile, bool]:
    """Return an MPEG stream that libsndfile reads to its end, and whether it says its length.

    Without an index, libsndfile takes the length from the size of the file and the bit rate of the
    first frame, and reads no further. Here, an index of more frames than there are comes first.
    """
    file.seek(start)
    frame = file.read(64)
    has_index = b"Xing" in frame or b"Info" in frame
    is_layer_3 = frame[1] >> 1 & 3 == 1
    head = _TAG if has_index or not is_layer_3 else _TAG + _open_index(frame)
    return MpegFile(head, file, start), has_index


def _open_index(frame: bytes) -> bytes:
    """Return an index (a Xing frame) of 2^31 - 1 frames of the kind of a layer III frame."""
    is_mpeg_1, is_mono = frame[1] & 8, frame[3] >> 6 == 3
    halvings = 0 if is_mpeg_1 else 1 if frame[1] & 16 else 2
    rate = _RATES[frame[2] >> 2 & 3] >> halvings
    size = 144 * 128_000 // rate if is_mpeg_1 else 72 * 80_000 // rate  # at bit rate number 9
    side = (17 if is_mono else 32) if is_mpeg_1 else (9 if is_mono else 17)
    header = bytes([255, frame[1] | 1, 0x90 | frame[2] & 12, frame[3]])
    index = header + bytes(side) + b"Xing" + bytes([0, 0, 0, 1]) + b"\x7f\xff\xff\xff"
    return index.ljust(size, b"\0")


def ends_within_a_page(file: io.BufferedIOBase) -> bool:
    """Return whether an Ogg file is cut within a page; libsndfile takes the pages before it."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _LAST_PAGE))
    last = file.read()
    page = last[last.rfind(b"OggS") :]
    if not page.startswith(b"OggS"):  # something else behind the last page
        return False
    segments = page[26] if len(page) > 26 else 0
    return len(page) < 27 + segments + sum(page[27 : 27 + segments])


class MpegFile(io.RawIOBase):
    """A part of a file, with a head before it."""

    def __init__(self, head: bytes, file: io.BufferedIOBase, start: int) -> None:
        self._head, self._file, self._start = head, file, start
        self._size = len(head) + file.seek(0, io.SEEK_END) - start
        self._place = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place and return it."""
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Read into a buffer and return the number of bytes."""
        head = self._head[self._place : self._place + len(buffer)]
        buffer[: len(head)] = head
        self._place += len(head)
        self._file.seek(self._start + max(0, self._place - len(self._head)))
        rest = self._file.readinto(memoryview(buffer)[len(head) :])
        self._place += rest
        return len(head) + rest
