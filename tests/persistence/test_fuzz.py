"""Mutated files are refused or load equal, and nothing in them is executed."""

import os

import pytest

from benchmarks._artefact_fuzz import fuzz


def check(trials, seed):
    found = fuzz(trials, seed)
    for counts in found.values():
        assert counts.tried == trials
        assert counts.refused + counts.equal + counts.other == trials
        assert counts.executed == counts.wrong == counts.crashed == 0
        assert counts.refused > trials / 2
    assert found["accident"].other == 0
    assert found["attack"].refused == trials


def test_some_mutated_files():
    check(trials=60, seed=0)


@pytest.mark.slow
def test_thousands_of_mutated_files():
    check(trials=2_000, seed=1)


def test_what_is_executed_would_be_seen(monkeypatch):
    monkeypatch.setattr("benchmarks._artefact_fuzz.load", lambda file: os.system("true"))
    assert [counts.executed for counts in fuzz(3).values()] == [3, 3, 3]
