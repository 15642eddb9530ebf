"""Digests of image cells, for tests."""

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import ImageModality
from tests.modalities._memos import NoMemo


def digests(cells, memo=None, **options):
    """Return the digest or the error of each cell."""
    return ImageModality(**options).digest(cells, memo or NoMemo())[1]


def digest(cell, memo=None):
    """Return the digest of a cell, or raise its error."""
    (found,) = digests([cell], memo)
    if isinstance(found, BadCellError):
        raise found
    assert isinstance(found, bytes)
    assert len(found) == 16
    return found
