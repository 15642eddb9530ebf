"""The site: its guide runs, its reference is whole, and its gallery shows the examples as they are."""

import hashlib
import runpy
from contextlib import redirect_stdout
from io import StringIO

import pytest

import sktransfer
from sktransfer._public import HOMES
from tests._pages import DOCS, blocks_with_output

GUIDE = sorted((DOCS / "guide").glob("*.md"))
EXAMPLES = sorted((DOCS / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_the_code_of_a_guide_page_prints_the_output_below_it(
    page, tmp_path, monkeypatch, cache_folder
):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code, output in blocks_with_output(page.read_text(encoding="utf-8")):
        with redirect_stdout(StringIO()) as printed:
            exec(compile(code, page.name, "exec"), names)
        assert printed.getvalue() == output, code


def test_every_public_name_is_in_the_reference():
    conf = runpy.run_path(str(DOCS / "conf.py"))
    sections = conf["autosummary_context"]["sections"]
    assert sorted(name for _, names in sections for name in names) == sktransfer.__all__
    assert {f"sktransfer.{room}" for room in conf["TITLES"]} == set(HOMES.values())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_the_gallery_has_the_output_of_an_example_as_it_is_now(example):
    digest = hashlib.md5(example.read_text(encoding="utf-8").encode()).hexdigest()
    found = DOCS / "gallery" / f"{example.name}.md5"  # written by `make gallery`
    assert found.exists(), "run `make gallery`"
    assert found.read_text() == digest, "run `make gallery`"
    # What `make docs` writes for an example that has changed has no output.
    page = found.with_name(f"{example.stem}.rst").read_text(encoding="utf-8")
    assert "Total running time" in page, "run `make gallery`"
