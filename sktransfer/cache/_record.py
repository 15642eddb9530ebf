"""One value of the cache: a checksum, then the payload.

The checksum covers the key too, so a flipped bit, a value cut short and a value under
the wrong key all read as "not there".
"""

from collections.abc import Mapping, Sequence

import xxhash

CHECKSUM_SIZE = 8  # bytes


def seal(key: bytes, payload: bytes) -> bytes:
    """Return the value to store under ``key``."""
    return xxhash.xxh3_64_digest(key + payload) + payload


def unseal_all(
    values: Mapping[bytes, bytes], keys: Sequence[bytes], size: int
) -> list[bytes | None]:
    """Return the payload of ``size`` bytes for each key; None where there is no sound one."""
    return [_unseal(key, values.get(key), size) for key in keys]


def _unseal(key: bytes, value: bytes | None, size: int) -> bytes | None:
    if value is None or len(value) != CHECKSUM_SIZE + size:
        return None
    payload = value[CHECKSUM_SIZE:]
    return payload if xxhash.xxh3_64_digest(key + payload) == value[:CHECKSUM_SIZE] else None
