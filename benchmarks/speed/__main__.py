"""``python -m benchmarks.speed [groups] [--repeats 3] [--page]``: measure, print, write.

Writes the seconds of all rounds to ``benchmarks/results/`` and, with ``--page``, the ratios to
``docs/speed.md``.
"""

from __future__ import annotations

import argparse
import warnings
from importlib import import_module

from benchmarks._machine import about, peaks
from benchmarks._table import PAGE, Case, write

#: Heading on the page for each module.
GROUPS = {
    "texts": "Texts to features",
    "images": "Images to features",
    "sounds": "Sounds to features",
    "search": "A grid search",
    "finetuning": "Fine-tuning",
    "one_row": "Single rows",
    "growth": "Cached rows",
    "start": "Imports, pickles, workers",
    "workers": "One and two jobs",
}


def page(found: dict[str, list[Case]]) -> str:
    """Return the page, in Markdown."""
    this = about()
    versions = ", ".join(f"{name} {number}" for name, number in this.versions.items())
    lines = [
        "# Speed compared with other libraries",
        "",
        "Written by `make bench`. The relative time of an alternative is its time divided by the "
        "time of sktransfer: the median over rounds in which all alternate, with the lowest and "
        'the highest. Below 1, the alternative is faster; "target" is the ratio that we aim for.',
        "",
        f"{this.processor}, {this.cores} threads; {versions}.",
        "",
        "| peak throughput of the machine, in this run | 10⁹ operations or bytes per second |",
        "|---|--:|",
        *(f"| {name} | {value / 1e9:,.0f} |" for name, value in peaks().items()),
        "",
        "Cases below their target:",
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
    """Measure the groups named on the command line."""
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
