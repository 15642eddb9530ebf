"""Write parameters.toml into the docstrings of the public estimators.

Run ``python -m tools.write_docstrings`` after changing a parameter or the table. With ``--check``,
change no file and exit with status 1 if a docstring differs.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

import sktransfer

TABLE = Path(__file__).with_name("parameters.toml")
WIDTH = 100
# Sections of a numpydoc docstring of a class, in their order.
SECTIONS = ["", "Parameters", "Attributes", "See Also", "Notes", "References", "Examples"]


def main() -> int:
    """Write or check the docstrings, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change no file")
    check = parser.parse_args().check
    table = tomllib.loads(TABLE.read_text())
    report_unused(table)
    stale = []
    for cls in estimators():
        path = Path(sys.modules[cls._module_source].__file__)
        text = path.read_text()
        new = with_sections(text, cls.__name__, written_sections(cls, table))
        if new != text:
            stale.append(path)
            if not check:
                path.write_text(new)
    for path in stale:
        print("differs from parameters.toml:" if check else "written:", path)
    return int(check and bool(stale))


def estimators() -> Iterator[type]:
    """Yield the public estimators of the package."""
    for name in sktransfer.__all__:
        value = getattr(sktransfer, name)
        if isinstance(value, type) and issubclass(value, BaseEstimator):
            yield value


def declared(cls: type) -> tuple[dict[str, Field[Any]], dict[str, Field[Any]]]:
    """Return the parameters and the public fitted attributes of an estimator, by name."""
    public = {f.name: f for f in fields(cls) if not f.name.startswith("_")}
    parameters = {name: f for name, f in public.items() if f.init}
    return parameters, {name: f for name, f in public.items() if not f.init}


def report_unused(table: dict[str, Any]) -> None:
    """Raise if the table describes what no estimator has."""
    used = [declared(cls) for cls in estimators()]
    for index, section in enumerate(("parameters", "attributes")):
        unused = set(table[section]).difference(*(names[index] for names in used))
        if unused:
            raise SystemExit(f"{TABLE.name}: no estimator has the {section} {sorted(unused)}")


def written_sections(cls: type, table: dict[str, Any]) -> dict[str, str]:
    """Return the bodies of the Parameters and Attributes sections of an estimator."""
    parameters, attributes = declared(cls)
    return {
        "Parameters": body(cls.__name__, parameters, table["parameters"]),
        "Attributes": body(cls.__name__, attributes, table["attributes"]),
    }


def body(estimator: str, items: dict[str, Field[Any]], table: dict[str, Any]) -> str:
    """Return the entries of a section, in the order of the table."""
    missing = sorted(set(items) - set(table))
    if missing:
        raise SystemExit(f"{TABLE.name} does not describe {missing} of {estimator}")
    names = [name for name in table if name in items]
    return "\n".join(entry(estimator, items[name], table[name]) for name in names)


def entry(estimator: str, item: Field[Any], described: dict[str, Any]) -> str:
    """Return one entry: the type line, then the paragraph."""
    chosen = dict(described)
    for pattern, variant in described.items():
        if isinstance(variant, dict) and fnmatch(estimator, pattern):
            chosen |= variant
    has_default = item.init and item.default is not MISSING
    default = f", default={literal(item.default)}" if has_default else ""
    text = textwrap.fill(
        " ".join(chosen["text"].split()),
        WIDTH,
        initial_indent=" " * 8,
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"    {item.name} : {chosen['type']}{default}\n{text}"


def literal(value: Any) -> str:
    """Return a default as it is written in code."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:_}" if value >= 10_000 else str(value)
    return repr(value)


def with_sections(text: str, class_name: str, sections: dict[str, str]) -> str:
    """Return a module's source with sections of the docstring of one class replaced or added."""
    node = next(
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and node.name == class_name
    )
    lines = text.splitlines(keepends=True)
    start, end = node.body[0].lineno - 1, node.body[0].end_lineno
    docstring = "".join(lines[start:end]).rstrip().removesuffix('"""').rstrip()
    found = dict(split_sections(docstring)) | sections
    unknown = set(found) - set(SECTIONS)
    if unknown:
        raise SystemExit(f"{class_name}: sections {sorted(unknown)} have no place in the order")
    new = "\n\n".join(section(title, found[title]) for title in SECTIONS if title in found)
    return "".join([*lines[:start], f'{new}\n    """\n', *lines[end:]])


def split_sections(docstring: str) -> Iterable[tuple[str, str]]:
    """Yield the title and body of each section; the part before the first has the title ""."""
    parts = re.split(r"\n\n    (\w[\w ]*)\n    -+\n", docstring)
    yield "", parts[0]
    yield from zip(parts[1::2], parts[2::2], strict=True)


def section(title: str, text: str) -> str:
    """Return a section with its title underlined."""
    return f"    {title}\n    {'-' * len(title)}\n{text}" if title else text


if __name__ == "__main__":
    sys.exit(main())
