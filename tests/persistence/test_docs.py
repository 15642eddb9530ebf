"""The documentation page about persistence is correct."""

import pytest

import sktransfer
from tests._pages import DOCS, blocks, run_in_order

PAGE = (DOCS / "persistence.md").read_text()
SNIPPETS = blocks(PAGE)


def test_the_examples_of_the_page_run_in_order(tmp_path, monkeypatch):
    with pytest.warns(sktransfer.exceptions.UntrustedWarning, match="page.doubled"):
        run_in_order(SNIPPETS, tmp_path, monkeypatch)
    assert len(SNIPPETS) == 3


@pytest.mark.parametrize(
    "name", ["UntrustedError", "UntrustedWarning", "VersionWarning", "WeightsError"]
)
def test_the_errors_of_the_page_exist(name):
    assert name in PAGE
    assert hasattr(sktransfer.exceptions, name)
