"""Run the table of faults, and fail if a row was wrong or a process crashed.

``python -m tests.faults [--quick] [--only WORDS] [--seed 0] [--no-memory]``

A trial is survived if all rows read were right or missing, writes could be read back, and there
was one warning instead of one per row; for a saved file, if it was refused or loaded correctly.
Execution of code from a file counts as a crash and is reported separately. "not hit" counts trials
in which the fault did not happen, for instance because a kill came too late; they do not count as
survived.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.faults.memory import print_peaks
from tests.faults.table import FAULTS, Fault
from tests.faults.trials import CRASHED, NOT_HIT, RIGHT, WRONG

_QUICK = 20  # divisor of the number of trials
_COLUMNS = ("trials", NOT_HIT, RIGHT, WRONG, CRASHED)


def _print_row(name: str, counts: Counter[str], seconds: float) -> None:
    cells = "".join(f"{counts[column]:{len(column) + 2}}" for column in _COLUMNS)
    more = ", ".join(f"{n} {what}" for what, n in counts.items() if what not in _COLUMNS)
    print(f"{name:38}{cells}{seconds:9.1f}  {more}".rstrip(), flush=True)


def run_all(faults: list[Fault], *, part: int, seed: int) -> Counter[str]:
    """Run all faults, print one line per fault, and return the sums."""
    print(f"{'fault':38}" + "".join(f"  {column}" for column in _COLUMNS) + "  seconds")
    total: Counter[str] = Counter()
    begun = time.perf_counter()
    for fault in faults:
        if not fault.needs():
            print(f"{fault.name:38}  not supported on this machine or by this user")
            continue
        start = time.perf_counter()
        counts = fault.run(max(2, fault.trials // part), seed)
        _print_row(fault.name, counts, time.perf_counter() - start)
        total.update(counts)
    _print_row("all", total, time.perf_counter() - begun)
    return total


def main() -> None:
    """Run the selected faults; exit with 1 if a row was wrong or a process crashed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} times fewer trials")
    parser.add_argument("--only", default="", help="faults whose names contain this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-memory", action="store_true", help="do not measure memory")
    options = parser.parse_args()
    chosen = [fault for fault in FAULTS if options.only in fault.name]
    total = run_all(chosen, part=_QUICK if options.quick else 1, seed=options.seed)
    if not options.no_memory and not options.only:
        print_peaks(part=_QUICK if options.quick else 1)
    sys.exit(1 if total[WRONG] or total[CRASHED] else 0)


if __name__ == "__main__":
    main()
