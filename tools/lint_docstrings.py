"""Validate the docstrings of the public names with numpydoc.

Run ``python -m tools.lint_docstrings``. The checks are those of ``[tool.numpydoc_validation]`` in
pyproject.toml.
"""

from __future__ import annotations

import inspect
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from numpydoc.validate import validate

import sktransfer

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def main() -> int:
    """Print what is wrong, and return the exit status."""
    # The first is "all", the others are left out: numpydoc's own reading of the list.
    checks = tomllib.loads(PYPROJECT.read_text())["tool"]["numpydoc_validation"]["checks"]
    assert checks[0] == "all", checks
    status = 0
    for name in public_names():
        for code, message in validate(name)["errors"]:
            if code not in checks:
                print(f"{name}: {code} {message}")
                status = 1
    return status


def public_names() -> Iterator[str]:
    """Yield the import paths of the public names, and of the methods that classes define."""
    yield "sktransfer"
    for name in sktransfer.__all__:
        yield f"sktransfer.{name}"
        value = getattr(sktransfer, name)
        for member, function in inspect.getmembers(value, inspect.isfunction):
            if not member.startswith("_") and function.__module__.startswith("sktransfer."):
                yield f"sktransfer.{name}.{member}"


if __name__ == "__main__":
    sys.exit(main())
