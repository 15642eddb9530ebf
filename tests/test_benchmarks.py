"""The page of measurements follows from the seconds of the rounds."""

import csv
import importlib

import pytest

from benchmarks import _table
from benchmarks._machine import about
from benchmarks._table import Case, take_turns
from benchmarks.speed.__main__ import GROUPS, page

TIMES = {
    "sktransfer": [1.0, 2.0, 4.0],
    "other": [3.0, 4.0, 20.0],
    "slower machine": [1.0, 1.0, 1.0],
}
CASE = Case("rows", TIMES, least={"other": 2.5}, limit=0.5)


def test_a_ratio_is_the_median_of_ratios_within_rounds():
    assert CASE.ratio("other") == (3.0, 2.0, 5.0)  # not the ratio of the medians, which is 2
    assert CASE.ratio("sktransfer") == (1.0, 1.0, 1.0)


def test_the_table_shows_ratio_range_target_and_share_of_the_limit():
    lines = CASE.lines()
    assert "| other | 3.00 | 2.00 to 5.00 | 2.5 |" in lines
    assert "| share of peak throughput | 0.25 | | |" in lines


def test_ratios_below_their_target_are_listed():
    assert CASE.shortfalls() == []
    case = Case("rows", TIMES, least={"other": 3.5, "slower machine": 0.1})
    assert case.shortfalls() == ["- rows, other: 3.00, target 3.5"]
    # Targets of alternatives that a case does not have are ignored.
    assert case.only("sktransfer", "slower machine").shortfalls() == []


def test_a_subset_of_alternatives_is_a_case():
    case = CASE.only("other", "sktransfer", name="the other way round", least={}, limit=None)
    assert case.ratio("sktransfer")[0] == pytest.approx(1 / 3)
    assert case.lines()[0] == "### the other way round"
    assert CASE.ours == "sktransfer"


def test_alternatives_take_turns_after_a_warm_up_round():
    order = []
    alternatives = {name: lambda n=name: order.append(n) for name in "ab"}
    times = take_turns(alternatives, repeats=2)
    assert order == list("ababab")
    assert {name: len(runs) for name, runs in times.items()} == {"a": 2, "b": 2}


def test_seconds_are_saved_with_machine_and_versions(tmp_path, monkeypatch):
    monkeypatch.setattr(_table, "RESULTS", tmp_path / "results")
    _table.write("rows", [CASE])
    (path,) = (tmp_path / "results").iterdir()
    assert path.name == f"rows-{about().slug}.csv"
    with path.open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == 9
    assert found[3] == {"case": "rows", "way": "other", "round": "1", "seconds": "3.0"}


def test_the_page_names_every_group_and_the_machine(monkeypatch):
    monkeypatch.setattr("benchmarks.speed.__main__.peaks", lambda: {"memory copy": 5e9})
    text = page({group: [CASE] for group in GROUPS})
    assert about().processor in text
    assert "| memory copy | 5 |" in text
    assert "- rows, other" not in text
    assert all(f"## {title}" in text for title in GROUPS.values())


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_a_measure_function(group):
    assert callable(importlib.import_module(f"benchmarks.speed.{group}").measure)
