"""What libsndfile misses in MPEG and Ogg streams."""

from __future__ import annotations

import io

# An ID3v2 tag of 10 empty bytes: only behind one does libsndfile look for an MPEG stream.
_TAG = b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)
_MOST_TAGS = 8  # at the start of a file; more would be no sound file
_HAS_FOOTER = 16  # flag of a tag that ends with a copy of its header
# Pages of Ogg have at most 65,307 bytes.
_LAST_PAGE = 1 << 16
_FIRST_PAGE = b"OggS\0\2"  # of a stream

_RATES = 44_100, 48_000, 32_000
# Bit rates in kbit/s by their number from 1: MPEG 1 layer II, MPEG 1 layer III, and the others.
_LAYER_2 = 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384
_LAYER_3 = 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320
_OTHERS = 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160


def tag_size(file: io.BufferedIOBase) -> int:
    """Return the size of the ID3v2 tags that a file begins with, and of the zeros behind them."""
    start = 0
    for _ in range(_MOST_TAGS):
        file.seek(start)
        header = file.read(10)
        if len(header) < 10 or header[:3] != b"ID3":
            break
        size = 20 if header[5] & _HAS_FOOTER else 10
        for place, byte in enumerate(header[9:5:-1]):
            size += (byte & 127) << 7 * place
        file.seek(start + size)
        behind = file.read(4096)
        if not behind:
            break
        start += size + len(behind) - len(behind.lstrip(b"\0"))
    return start


def mpeg_head(start: bytes) -> tuple[bytes, bool]:
    """Return what an MPEG stream needs before it, and whether it has an index of its length.

    Without an index, libsndfile takes the length from the size of the file and the bit rate of the
    first frame, and reads no further. So an index of more frames than there are goes before it.
    """
    has_index = b"Xing" in start[:64] or b"Info" in start[:64]
    is_layer_3 = start[1] >> 1 & 3 == 1
    return _TAG + (b"" if has_index or not is_layer_3 else _open_index(start)), has_index


def is_mpeg(start: bytes) -> bool:
    """Return whether bytes begin with a frame of MPEG layer II or III, and another if any follow.

    Two bytes alone would make a sound of any noise that begins with them.
    """
    size = _frame_size(start)
    return size > 0 and start[size : size + 2] in (start[:2], b"")


def _frame_size(header: bytes) -> int:
    """Return the number of bytes of a frame; 0 for what is none."""
    if len(header) < 4 or header[0] != 255 or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    number, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer not in (2, 3) or number in (0, 15) or rate == 3:
        return 0
    kilobits = (_OTHERS if version != 3 else _LAYER_2 if layer == 2 else _LAYER_3)[number - 1]
    samples = 576 if version != 3 and layer == 3 else 1_152
    per_second = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    return samples * kilobits * 125 // per_second + (header[2] >> 1 & 1)


def _open_index(frame: bytes) -> bytes:
    """Return an index (a Xing frame) of 2^31 - 1 frames of the kind of a layer III frame."""
    is_mpeg_1, is_mono = frame[1] & 8, frame[3] >> 6 == 3
    header = bytes([255, frame[1] | 1, 0x90 | frame[2] & 12, frame[3]])  # at bit rate number 9
    side = (17 if is_mono else 32) if is_mpeg_1 else (9 if is_mono else 17)
    index = header + bytes(side) + b"Xing" + bytes([0, 0, 0, 1]) + b"\x7f\xff\xff\xff"
    return index.ljust(_frame_size(header), b"\0")


def ends_within_a_page(file: io.BufferedIOBase) -> bool:
    """Return whether an Ogg file is cut within a page; libsndfile takes the pages before it."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _LAST_PAGE))
    last = file.read()
    page = last[last.rfind(b"OggS") :]
    # Something else may be behind the last page.
    return page.startswith(b"OggS") and len(page) < _page_size(page)


def _page_size(page: bytes) -> int:
    segments = page[26] if len(page) > 26 else 0
    return 27 + segments + sum(page[27 : 27 + segments])


def has_second_start(file: PartOfFile) -> bool:
    """Return whether streams of an Ogg file start behind another, which libsndfile leaves out."""
    place = file.seek(0)
    while (page := file.read(_LAST_PAGE)).startswith(_FIRST_PAGE):
        place = file.seek(place + _page_size(page))
    before = b""
    while page:
        if _FIRST_PAGE in before + page:
            return True
        before, page = page[1 - len(_FIRST_PAGE) :], file.read(_LAST_PAGE)
    return False


class PartOfFile(io.RawIOBase):
    """A file from a place on, with a head before it.

    Places before its start are its start: libsndfile seeks there in damaged files.
    """

    def __init__(self, head: bytes, file: io.BufferedIOBase, start: int) -> None:
        self._head, self._file, self._start = head, file, start
        self._size = len(head) + file.seek(0, io.SEEK_END) - start
        self._place = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place and return it."""
        self._place = max(0, offset + (0, self._place, self._size)[whence])
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Read into a buffer and return the number of bytes."""
        head = self._head[self._place : self._place + len(buffer)]
        buffer[: len(head)] = head
        self._file.seek(self._start + max(0, self._place + len(head) - len(self._head)))
        size = len(head) + self._file.readinto(memoryview(buffer)[len(head) :])
        self._place += size
        return size
