"""The README's code gives the output shown in the README."""

import os
import re
import subprocess
import sys

import pytest

from tests._pages import DOCS, blocks_with_output

README = (DOCS.parent / "README.md").read_text(encoding="utf-8")
SEARCH, *OTHERS = [(code, output) for code, output in blocks_with_output(README) if output]


def test_the_readme_has_snippets_with_output():
    assert len(OTHERS) == 3


def test_the_search_prints_the_output_shown_below_it(tmp_path):
    code, output = SEARCH
    environment = {**os.environ, "SKTRANSFER_CACHE": str(tmp_path)}
    # in a fresh process, because it counts the rows that its process has asked for
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == output


@pytest.mark.parametrize(("code", "output"), OTHERS, ids=["backbones", "tuning", "saving"])
def test_a_snippet_prints_the_output_shown_below_it(code, output, capsys, cache_folder):
    exec(code, {})
    assert _any_machine(capsys.readouterr().out) == _any_machine(output)


def _any_machine(table: str) -> list[str]:
    """Remove whether weights are on this machine."""
    return re.sub(r" (yes|no)$", "", table, flags=re.MULTILINE).split()
