"""The documentation page about persistence is correct."""

import pytest

import sktransfer
from tests._pages import DOCS, blocks, run_in_order

PAGE = (DOCS / "persistence.md").read_text()
SNIPPETS = blocks(PAGE)


def test_the_examples_of_the_page_run_in_order(tmp_path, monkeypatch):
    kind = sktransfer.exceptions.UntrustedWarning
    with pytest.warns(kind, match="page.doubled"), pytest.warns(kind, match="own network"):
        run_in_order(SNIPPETS, tmp_path, monkeypatch)
    assert len(SNIPPETS) == 6


@pytest.mark.parametrize(
    "name", ["UntrustedError", "UntrustedWarning", "VersionWarning", "WeightsError"]
)
def test_the_errors_of_the_page_exist(name):
    assert name in PAGE
    assert hasattr(sktransfer.exceptions, name)
