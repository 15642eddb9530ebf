"""The store of feature rows: each row goes through a network once."""

from sktransfer.cache._blobs import Blobs
from sktransfer.cache._counts import record
from sktransfer.cache._key import FORMAT_VERSION, space_key
from sktransfer.cache._limit import format_size, size_limit
from sktransfer.cache._open import open_cache
from sktransfer.cache._report import CacheInfo, cache_info, clear_cache
from sktransfer.cache._store import FeatureCache, LmdbCache, NoCache
from sktransfer.cache._trouble import warn_once

__all__ = [
    "FORMAT_VERSION",
    "Blobs",
    "CacheInfo",
    "FeatureCache",
    "LmdbCache",
    "NoCache",
    "cache_info",
    "clear_cache",
    "format_size",
    "open_cache",
    "record",
    "size_limit",
    "space_key",
    "warn_once",
]
