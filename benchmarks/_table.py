"""Ratios of alternating measurements: printed, saved as CSV, and written to a page."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks._machine import about
from benchmarks._measure import seconds

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "speed.md"
OURS = "sktransfer"

Alternatives = Mapping[str, Callable[[], object]]


@dataclass
class Case:
    """One comparison: the seconds of each alternative, and the target ratios.

    Attributes
    ----------
    name : str
        Heading on the page.
    times : dict of str to list of float
        Seconds of each round; all alternatives of a round are measured one after the other.
    least : dict of str to float
        Target of an alternative: the least relative time.
    ours : str
        The alternative whose relative time is 1.
    limit : float, optional
        Seconds at the machine's peak throughput, measured in the same run.
    remark : str
        Note printed above the table.
    """

    name: str
    times: dict[str, list[float]]
    least: Mapping[str, float] = field(default_factory=dict)
    ours: str = OURS
    limit: float | None = None
    remark: str = ""

    def ratio(self, way: str) -> tuple[float, float, float]:
        """Return the relative time of an alternative: median, lowest, highest."""
        pairs = zip(self.times[way], self.times[self.ours], strict=True)
        ratios = [other / own for other, own in pairs]
        return statistics.median(ratios), min(ratios), max(ratios)

    def only(self, *alternatives: str, **changed: Any) -> Case:
        """Return a case with a subset of the alternatives, from the same rounds."""
        times = {way: self.times[way] for way in alternatives}
        return replace(self, **{"times": times, "ours": alternatives[0], **changed})

    def shortfalls(self) -> list[str]:
        """Return a line for each alternative whose ratio is below its target."""
        found = {way: self.ratio(way)[0] for way in self.least if way in self.times}
        return [
            f"- {self.name}, {way}: {ratio:.2f}, target {self.least[way]:g}"
            for way, ratio in found.items()
            if ratio < self.least[way]
        ]

    def lines(self) -> list[str]:
        """Return the table of this case, in Markdown."""
        table = [f"### {self.name}", ""]
        if self.remark:
            table += [self.remark, ""]
        table += ["| | relative time | lowest to highest | target |", "|---|--:|:-:|--:|"]
        for way in self.times:
            middle, low, high = self.ratio(way)
            wanted = f"{self.least[way]:g}" if way in self.least else ""
            spread = "" if way == self.ours else f"{low:.2f} to {high:.2f}"
            table.append(f"| {way} | {middle:.2f} | {spread} | {wanted} |")
        if self.limit is not None:
            share = self.limit / statistics.median(self.times[self.ours])
            table.append(f"| share of peak throughput | {share:.2f} | | |")
        return [*table, ""]


def compare(name: str, alternatives: Alternatives, repeats: int, **about_it: Any) -> Case:
    """Measure alternatives in turn, and print their case; see `take_turns` and `Case`."""
    case = Case(name, take_turns(alternatives, repeats), **about_it)
    print("\n".join(case.lines()), flush=True)
    return case


def take_turns(alternatives: Alternatives, repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each alternative in each round, after one warm-up round.

    The warm-up covers imports, first allocations and per-shape initialization of the libraries.
    """
    for way in alternatives.values():
        way()
    times: dict[str, list[float]] = {way: [] for way in alternatives}
    for _ in range(repeats):
        for way, work in alternatives.items():
            times[way].append(seconds(work))
    return times


def write(group: str, cases: list[Case]) -> None:
    """Write the seconds of all rounds as CSV: ``results/<group>-<machine>-<versions>.csv``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{group}-{about().slug}.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["case", "way", "round", "seconds"])
        for case in cases:
            for way, runs in case.times.items():
                rows.writerows((case.name, way, number, run) for number, run in enumerate(runs, 1))
