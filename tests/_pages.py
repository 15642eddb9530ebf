"""Code blocks of a documentation page."""

import re
import runpy
from collections.abc import Sequence
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page: str, language: str = "python") -> list[str]:
    """Return the code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def blocks_with_output(page: str) -> list[tuple[str, str]]:
    """Return the code blocks of Python, each with the text block directly below it."""
    return re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", page, flags=re.DOTALL)


def run_in_order(codes: Sequence[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run blocks of Python one after the other, in a folder."""
    monkeypatch.chdir(folder)
    (folder / "page.py").write_text("\n".join(codes))
    # Not imported: the import lock would stop imports in other threads until the end.
    runpy.run_path("page.py", run_name="page")
