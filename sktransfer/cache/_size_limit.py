"""The limit of the cache."""

import os
import re

LIMIT_VARIABLE = "SKTRANSFER_CACHE_LIMIT"
DEFAULT_LIMIT = 10 * 1000**3  # bytes

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
    number, prefix, binary = match.groups("") if match else ("0", "", "")
    power = " kmgt".index(prefix.lower() or " ")
    size = int(float(number) * (1024 if binary else 1000) ** power)
    if size < 1:
        raise ValueError(
            f'{LIMIT_VARIABLE} must be a size such as "10GB", "500 MB" or a number of bytes, '
            f"more than 0; got {text!r}. To use no cache at all, pass cache=False."
        )
    return size
