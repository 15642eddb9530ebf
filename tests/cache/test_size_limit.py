"""The limit of the cache, and sizes as people write them."""

import pytest

from sktransfer.cache import cache_info, open_cache
from sktransfer.cache._size_limit import parse_size

MB = 1000**2


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10GB", 10**10),
        ("500 MB", 500 * MB),
        ("1.5 gb", 1_500_000_000),
        ("2GiB", 2 * 1024**3),
        ("64k", 64_000),
        ("4096", 4096),
        ("4096 B", 4096),
        (" 1TB ", 10**12),
    ],
)
def test_sizes_are_parsed(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["much", "10 apples", "-1", "0", "1e9", "GB", "1,5GB", "nan"])
def test_an_invalid_limit_raises(folder, monkeypatch, text):
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", text)
    with pytest.raises(ValueError, match="SKTRANSFER_CACHE_LIMIT must be a size"):
        open_cache(folder)
    assert not folder.exists()


def test_the_limit_is_10_gb_and_can_be_set_in_the_environment(folder, monkeypatch):
    open_cache(folder)
    assert cache_info(folder).limit == 10**10
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", "20 GB")
    assert open_cache(folder).database.limit == 2 * 10**10
    assert cache_info(folder).limit == 2 * 10**10


def test_an_empty_limit_is_the_default(folder, monkeypatch):
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", "  ")
    assert cache_info(folder).limit == 10**10
