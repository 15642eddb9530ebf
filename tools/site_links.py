"""Sphinx extension: links that Markdown shows as plain code elsewhere.

A public name becomes a link to its page of the reference. A test that docs/what_can_go_wrong.md
names becomes a link to a page of the site that shows its file, at the line of the test.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from sktransfer._public import HOMES

ROOT = Path(__file__).parents[1]
PAGE = "what_can_go_wrong"
# A test, another test in the same file, or another parameter id of the same test.
NAME = re.compile(r"(?P<file>[\w/]+\.py)?(::(?P<test>\w+))?(\[(?P<kind>[^`]+)\])?")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.connect("doctree-read", link_public_names)
    app.connect("doctree-read", link_tests)
    app.connect("html-collect-pages", source_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def link_public_names(app: Sphinx, doctree: nodes.document) -> None:
    """Replace code that is a public name by a link to its page."""
    linked = (nodes.reference, nodes.title, pending_xref)
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext()
        if name in HOMES and not isinstance(literal.parent, linked):
            target = f"sktransfer.{name}"
            code = literal.deepcopy()
            literal.replace_self(
                pending_xref("", code, refdomain="py", reftype="obj", reftarget=target)
            )


def link_tests(app: Sphinx, doctree: nodes.document) -> None:
    """Replace the names of tests in the last column of tables by links."""
    if app.env.docname != PAGE:
        return
    for row in doctree.findall(nodes.row):
        file, test = None, None
        for literal in list(row.children[-1].findall(nodes.literal)):
            name = NAME.fullmatch(literal.astext())
            if name:
                file, test = name["file"] or file, name["test"] or test
                literal.replace_self(link(file, test, name["kind"]))


def link(file: str, test: str, kind: str | None) -> nodes.reference:
    """Return a link to a test, with its full name as title."""
    case = f"[{kind}]" if kind else ""
    target = f"tests/{file.removesuffix('.py')}.html#line-{lines(file)[test]}"
    return nodes.reference("", "test", refuri=target, reftitle=f"{file}::{test}{case}")


@cache
def lines(file: str) -> dict[str, int]:
    """Return the first line of each function of a file of tests."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {f.name: min(node.lineno for node in (f, *f.decorator_list)) for f in functions}


def source_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield a page with the source of each file of tests that is named."""
    text = (ROOT / "docs" / f"{PAGE}.md").read_text(encoding="utf-8")
    for file in sorted(set(re.findall(r"`([\w/]+\.py)::", text))):
        code = (ROOT / "tests" / file).read_text(encoding="utf-8")
        shown = app.builder.highlighter.highlight_block(code, "python", lineanchors="line")
        title = f"tests/{file}"
        body = f"<h1>{title}</h1>{shown}"
        context = {"parents": [], "title": title, "body": body}
        yield title.removesuffix(".py"), context, "page.html"
