"""The store of feature rows, so that each row goes through a network once."""

from sktransfer.cache._counts import record
from sktransfer.cache._errors import warn_once
from sktransfer.cache._feature_cache import FeatureCache, NoCache
from sktransfer.cache._info import CacheInfo, cache_info, clear_cache
from sktransfer.cache._key import FORMAT_VERSION, space_key
from sktransfer.cache._open import open_cache
from sktransfer.cache._size_limit import size_limit
from sktransfer.cache._sqlite_cache import SqliteCache

__all__ = [
    "FORMAT_VERSION",
    "CacheInfo",
    "FeatureCache",
    "NoCache",
    "SqliteCache",
    "cache_info",
    "clear_cache",
    "open_cache",
    "record",
    "size_limit",
    "space_key",
    "warn_once",
]
