"""The store of feature rows, so that each row goes through a network once."""

from sktransfer.cache._errors import warn_once as warn_once
from sktransfer.cache._feature_cache import FeatureCache as FeatureCache
from sktransfer.cache._feature_cache import NoCache as NoCache
from sktransfer.cache._info import cache_info as cache_info
from sktransfer.cache._info import clear_cache as clear_cache
from sktransfer.cache._info import record as record
from sktransfer.cache._key import FORMAT_VERSION as FORMAT_VERSION
from sktransfer.cache._key import space_key as space_key
from sktransfer.cache._open import open_cache as open_cache
from sktransfer.cache._reading_only import reading_only as reading_only
from sktransfer.cache._size_limit import size_limit as size_limit
from sktransfer.cache._sqlite_cache import SqliteCache as SqliteCache
