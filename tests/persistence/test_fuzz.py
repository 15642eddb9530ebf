"""Mutated files are refused or give equal models, and nothing in them is executed."""

import os

import pytest

from tests.faults.artefact_fuzz import KINDS, fuzz


def check(kind, trials, seed):
    counts = fuzz(kind, trials, seed)
    assert counts.total() == trials
    assert counts["executed"] == counts["wrong"] == counts["crashed"] == 0
    assert counts["refused"] > trials / 2
    assert counts["other"] == 0 or kind == "forgery"
    assert counts["refused"] == trials or kind != "attack"


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_refused_or_equal_and_nothing_is_executed(kind):
    check(kind, trials=60, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_mutated_files_are_refused_or_equal_and_nothing_is_executed(kind):
    check(kind, trials=2_000, seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_execution_would_be_detected(kind, monkeypatch):
    monkeypatch.setattr("tests.faults.artefact_fuzz.load", lambda file: os.system("true"))
    assert fuzz(kind, 3)["executed"] == 3
