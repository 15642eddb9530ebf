"""Damaged images and mutated saved files, counted like all faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from tests.faults.trials import CRASHED, RIGHT, WRONG

#: Outcome in the table of all faults per outcome of the two fuzzers, and its label.
_OUTCOMES = {
    "pixels": (RIGHT, "decoded"),
    "refused": (RIGHT, "refused"),
    "equal": (RIGHT, "loaded equal"),
    "other": (RIGHT, "loaded as what they say"),
    "wrong": (WRONG, None),
    "executed": (CRASHED, "with code executed"),
    "crashed": (CRASHED, None),
    "hung": (CRASHED, None),
}


def images(trials: int, seed: int) -> Counter[str]:
    """Damage files of every format that Pillow opens."""
    from tests.faults.image_fuzz import run

    return _counted(run(trials, seed))


def artefacts(kind: str) -> Callable[[int, int], Counter[str]]:
    """Mutate saved files in one of the ways of `tests.faults.artefact_fuzz`."""

    def run(trials: int, seed: int) -> Counter[str]:
        # In a child: torch must not be imported here, where other faults fork.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            try:
                return _counted(pool.submit(_fuzz, kind, trials, seed).result())
            except BrokenProcessPool:
                return Counter({CRASHED: trials, "trials": trials})

    return run


def _fuzz(kind: str, trials: int, seed: int) -> Counter[str]:
    from tests.faults.artefact_fuzz import fuzz

    return fuzz(kind, trials, seed)


def _counted(outcomes: Mapping[str, int]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for outcome, number in outcomes.items():
        column, beside = _OUTCOMES[outcome]
        counts[column] += number
        if beside:
            counts[beside] = number
    counts["trials"] = sum(outcomes.values())
    return counts
