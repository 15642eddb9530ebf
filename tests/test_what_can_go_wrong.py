"""Every line of the page on what can go wrong names a test that is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "what_can_go_wrong.md"

LINES = [
    line
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("| What |", "|---"))
]
NAME = re.compile(r"`(?P<file>[\w/]+\.py)::(?P<test>\w+)(\[(?P<kind>.+)\])?` \|$")


@cache
def _parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def _functions(path):
    return {node.name for node in ast.walk(_parsed(path)) if isinstance(node, ast.FunctionDef)}


def _strings(path):
    """Return the strings of a module, and of the modules of tests that it imports from."""
    tree = _parsed(path)
    found = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests."):
            module = TESTS.parent / Path(*node.module.split(".")).with_suffix(".py")
            found |= _strings(module) if module.exists() else set()
    return found


def test_the_page_has_tables():
    assert len(LINES) > 50


@pytest.mark.parametrize("line", LINES)
def test_a_line_names_a_test_that_is_there(line):
    named = NAME.search(line)
    assert named, "no `file::test` at its end"
    path = TESTS / named["file"]
    assert named["test"] in _functions(path)
    if named["kind"]:  # several parameters are joined by a dash
        kinds = _strings(path)
        assert any(named["kind"].split("-", start)[-1] in kinds for start in range(3))
