"""Every line of the page on errors and edge cases names existing tests."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tools.site_links import NAME

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "what_can_go_wrong.md"

LINES = [
    line
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("| What |", "|---"))
]


def named(line):
    """Return the file, test and parameter id of each test named in a line."""
    cell = line.rstrip("| ").rpartition(" | ")[2]
    file, test, found = None, None, []
    for name in cell.split(", `"):
        match = NAME.fullmatch(name.removeprefix("`").removesuffix("`"))
        assert match, f"{name} is not `file::test[kind]`"
        file, test = match["file"] or file, match["test"] or test
        assert None not in (file, test), f"{name} is not behind a whole name"
        found.append((file, test, match["kind"]))
    return found


@cache
def _parsed(path):
    return ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])


@cache
def _functions(path):
    return {node.name for node in ast.walk(_parsed(path)) if isinstance(node, ast.FunctionDef)}


@cache
def _strings(path):
    """Return the strings of a module and of the test modules that it imports from."""
    tree = _parsed(path)
    found = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests."):
            found |= _strings(ROOT.joinpath(*node.module.split(".")).with_suffix(".py"))
    return found


def _missing(file, test, kind):
    path = ROOT / "tests" / file
    if test not in _functions(path):
        return f"{file}::{test}"
    # several parameters are joined by a dash
    if kind and not any(kind.split("-", start)[-1] in _strings(path) for start in range(3)):
        return f"{file}::{test}[{kind}]"
    return None


def test_the_page_has_tables():
    assert len(LINES) > 120


def test_every_line_names_existing_tests():
    names = [name for line in LINES for name in named(line)]
    assert [missing for name in names if (missing := _missing(*name))] == []


@pytest.mark.parametrize(
    "cell", ["", "`cells/test_image.py`, test_x", "`test_x`", "see `[a]` there"]
)
def test_a_line_without_a_test_is_detected(cell):
    with pytest.raises(AssertionError, match="is not"):
        named(f"| what | happens | {cell} |")


def test_a_missing_test_is_detected():
    assert _missing("test_what_can_go_wrong.py", "test_no_such", None)
