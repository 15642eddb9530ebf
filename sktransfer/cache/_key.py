"""The keys of the cache: what computed a row, as 16 bytes."""

import json

import xxhash

# Part of every key and the name of the folder on disk. Raise it whenever rows written
# by an older sktransfer must not be read any more, or the layout on disk changes.
FORMAT_VERSION = 3


def space_key(**parts: str | int | float | bool | None) -> bytes:
    """Return the key of the space of features that ``parts`` describe.

    Parameters
    ----------
    **parts : str, int, float, bool or None
        Everything that decides the value of a feature: fingerprint, layer, pooling,
        precision and so on. Their order is of no importance; ``1``, ``1.0``, ``"1"``
        and ``True`` are four different values.

    Returns
    -------
    bytes
        16 bytes.

    Raises
    ------
    TypeError
        If a part is of another type.
    ValueError
        If a part is NaN or infinite.

    Examples
    --------
    >>> from sktransfer.cache import space_key
    >>> len(space_key(fingerprint="abc", layer="pooled"))
    16
    >>> space_key(a=1, b=2) == space_key(b=2, a=1)
    True
    >>> space_key(a=1) == space_key(a="1")
    False
    """
    for name, part in parts.items():
        if not isinstance(part, str | int | float | None):
            raise TypeError(f"{name} must be str, int, float, bool or None, got {type(part)}.")
    text = json.dumps([FORMAT_VERSION, parts], sort_keys=True, allow_nan=False)
    return xxhash.xxh3_128_digest(text.encode())
