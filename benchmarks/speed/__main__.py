"""``python -m benchmarks.speed [groups] [--repeats 3] [--page]``: measure, print, write.

Seconds of all rounds go to ``benchmarks/results/``; with ``--page``, the ratios to
``docs/speed.md``.
"""

from __future__ import annotations

import argparse
import warnings
from importlib import import_module

from benchmarks._machine import about, peaks
from benchmarks._table import PAGE, Case, write

#: By their module, what they are called on the page.
GROUPS = {
    "texts": "Texts to features",
    "images": "Images to features",
    "search": "A grid search",
    "finetuning": "Fine-tuning",
    "one_row": "One row",
    "growth": "Cached rows",
    "start": "Imports, pickles, workers",
    "workers": "One job and two",
}


def page(found: dict[str, list[Case]]) -> str:
    """Return the page, in Markdown."""
    this = about()
    versions = ", ".join(f"{name} {number}" for name, number in this.versions.items())
    lines = [
        "# How fast it is, beside others",
        "",
        "Written by `make bench`. A figure is how many times as long another way takes as ours, "
        "the median of rounds in which all took turns; beside it the lowest and the highest. "
        'What is left of 1 is slower than another; "at least" is what we set out for.',
        "",
        f"{this.processor}, {this.cores} threads; {versions}.",
        "",
        "| the machine at its peak, in this run | 10⁹ a second |",
        "|---|--:|",
        *(f"| {name} | {value / 1e9:,.0f} |" for name, value in peaks().items()),
        "",
        "Where we fall short of it:",
        "",
        *(line for cases in found.values() for case in cases for line in case.shortfalls()),
        "",
    ]
    for group, cases in found.items():
        lines += [f"## {GROUPS[group]}", ""]
        for case in cases:
            lines += case.lines()
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Measure the groups that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("groups", nargs="*", metavar="group")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()

    warnings.filterwarnings("ignore", category=FutureWarning)
    found: dict[str, list[Case]] = {}
    for group in options.groups or GROUPS:
        print(f"## {GROUPS[group]}\n", flush=True)
        found[group] = import_module(f"benchmarks.speed.{group}").measure(options.repeats)
        write(group, found[group])
    if options.page:
        PAGE.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
