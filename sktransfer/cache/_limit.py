"""How large the cache may grow, and sizes as people write them."""

import math
import os
import re

LIMIT_VARIABLE = "SKTRANSFER_CACHE_LIMIT"
DEFAULT_LIMIT = 10 * 1000**3  # bytes

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?b?", re.IGNORECASE)


def size_limit() -> int:
    """Return the limit of the cache in bytes, from the environment or the default."""
    text = os.environ.get(LIMIT_VARIABLE, "").strip()
    return parse_size(text) if text else DEFAULT_LIMIT


def parse_size(text: str) -> int:
    """Return the bytes that ``text`` such as "10GB", "500 MB", "1.5GiB" or "4096" means.

    Raises
    ------
    ValueError
        If it is not such a size, or not more than nothing.
    """
    match = _SIZE.fullmatch(text.strip())
    size = _bytes(*match.groups()) if match else 0
    if size < 1:
        raise ValueError(
            f'{LIMIT_VARIABLE} must be a size such as "10GB", "500 MB" or a number of bytes, '
            f"more than 0; got {text!r}. To use no cache at all, pass cache=False."
        )
    return size


def format_size(size: int) -> str:
    """Return a number of bytes as people write it, such as "1.2 GB".

    Examples
    --------
    >>> format_size(999), format_size(1_250_000), format_size(10_000_000_000)
    ('999 bytes', '1.2 MB', '10 GB')
    """
    if size < 1000:
        return f"{size} bytes"
    power = min(int(math.log10(size * 1.0005)) // 3, 4)
    amount = size / 1000**power
    return f"{amount:.0f} {_UNITS[power]}" if amount >= 9.95 else f"{amount:.2g} {_UNITS[power]}"


def _bytes(number: str, prefix: str | None, binary: str) -> int:
    power = " kmgt".index(prefix.lower()) if prefix else 0
    return int(float(number) * (1024 if binary else 1000) ** power)
