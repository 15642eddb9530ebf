"""The README's code gives the output shown in the README."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, flags=re.DOTALL)


def test_the_readme_has_snippets_with_output():
    assert len(SNIPPETS) == 4


@pytest.mark.parametrize(
    ("code", "output"), SNIPPETS, ids=["search", "backbones", "tuning", "saving"]
)
def test_a_snippet_prints_the_output_shown_below_it(code, output, tmp_path):
    environment = {**os.environ, "SKTRANSFER_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert _any_machine(done.stdout) == _any_machine(output)


def _any_machine(table: str) -> list[str]:
    """Remove whether weights are on this machine."""
    return re.sub(r" (yes|no)$", "", table, flags=re.MULTILINE).split()
