"""The page about persistence says what is so."""

import re
from pathlib import Path

import pytest

import sktransfer

PAGE = (Path(__file__).parents[2] / "docs" / "persistence.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_examples_of_the_page_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.py").write_text("\n".join(SNIPPETS))
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("page")
    assert len(SNIPPETS) == 3


@pytest.mark.parametrize("name", ["UntrustedError", "VersionWarning", "WeightsError"])
def test_the_errors_of_the_page_exist(name):
    assert name in PAGE
    assert hasattr(sktransfer.exceptions, name)
