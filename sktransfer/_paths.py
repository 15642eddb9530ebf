"""Paths that users pass."""

import os
from pathlib import Path


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with a leading "~" replaced by the home folder, if that is known."""
    # With an empty HOME, `expanduser` takes the root of the file system for the home folder.
    if os.environ.get("HOME") == "" and os.fspath(path).startswith("~"):
        return Path(path)
    return Path(os.path.expanduser(path))  # noqa: PTH111 - that of Path raises without a home
