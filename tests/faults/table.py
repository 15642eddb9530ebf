"""The table of faults: names, functions and numbers of trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from tests.faults import embedders, files, fuzz, machine, processes


class Fault(NamedTuple):
    """A kind of fault.

    Attributes
    ----------
    name : str
    run : callable
        Maps a number of trials and a seed to counts by "trials" and outcome; other entries of
        the counts are printed beside them.
    trials : int
    needs : callable, optional
        Whether this machine supports the fault.
    """

    name: str
    run: Callable[[int, int], Counter[str]]
    trials: int
    needs: Callable[[], bool] = lambda: True


def _machine(name: str, work: machine.Work, trials: int, *needs: Callable[[], bool]) -> Fault:
    return Fault(name, machine.trials_of(work), trials, *needs)


def _embedder(name: str, work: embedders.Outcomes, trials: int) -> Fault:
    return Fault(name, embedders.in_one_child(work), trials)


#: Faults of the cache alone, without a network.
CACHE_FAULTS = [
    Fault("kill -9 during a write", processes.killed_writers, 200),
    Fault("two processes write the same rows", processes.writers(2), 20),
    Fault("eight processes write the same rows", processes.writers(8), 20),
    Fault("readers killed during a read", processes.killed_readers, 20),
    Fault("processes fork while threads write", processes.forks, 20),
    Fault("a writer stopped during a write", processes.stopped_writers, 20),
    Fault("folder removed or cleared while in use", processes.removed_folders, 20),
    Fault("one bit flipped in the file", files.damaged(files.one_bit), 400),
    Fault("a hundred bits flipped", files.damaged(files.many_bits), 200),
    Fault("SQLite structures changed", files.damaged(files.bits_of_structure), 400),
    Fault("pages overwritten", files.damaged(files.garbage_pages), 400),
    Fault("pages overwritten while in use", files.damaged(files.garbage_pages, in_use=True), 200),
    Fault("pages swapped", files.damaged(files.swapped_pages), 200),
    Fault("file truncated", files.damaged(files.cut_short), 200),
    Fault("file truncated while in use", files.damaged(files.cut_short, in_use=True), 200),
    Fault("file replaced by noise", files.damaged(files.all_garbage), 20),
    Fault(
        "file replaced by noise while in use",
        files.damaged(files.all_garbage, in_use=True),
        20,
    ),
    Fault("damaged log of a killed process", files.damaged_logs, 200),
    Fault("truncated, swapped and malformed rows", files.odd_rows, 40),
    Fault("folders and tables of other versions", files.other_versions, 40),
    Fault("links, folders, pipes planted", files.planted, 100),
    _machine("disk full", machine.full_disk, 60, machine.can_mount),
    _machine("disk filled by other files", machine.disk_filled_by_others, 20, machine.can_mount),
    _machine("file size limit", machine.file_size_limit, 60),
    _machine("read-only disk", machine.read_only_disk, 20, machine.can_mount),
    _machine("read-only folder", machine.read_only_folder, 20, machine.is_root),
    _machine(
        "private folder of another user", machine.closed_folder_of_another, 20, machine.is_root
    ),
    _machine(
        "writable folder of another user", machine.open_folder_of_another, 20, machine.is_root
    ),
    _machine("locks refused", machine.no_locks, 40),
    _machine("too many open files", machine.too_many_files, 40),
    _machine("no /dev/shm", machine.no_shared_memory, 20, machine.can_mount),
    _machine("address space of 4 GB", machine.little_address_space, 20),
    _machine("clock jumps", machine.jumping_clock, 40),
]

#: Faults that need a network; each runs in its own process.
EMBEDDER_FAULTS = [
    _embedder("rewritten with the same size and time", embedders.rewritten_files, 400),
    _embedder("changed between digest and decoding", embedders.changed_while_read, 40),
    _embedder("KeyboardInterrupt at random moments", embedders.interrupts, 400),
    _embedder("out of memory above a batch size", embedders.little_memory, 200),
]

#: Files from others: images, and saved estimators.
FILE_FAULTS = [
    Fault("damaged images, every format", fuzz.images, 40_000),
    Fault("saved files damaged by accident", fuzz.artefacts("accident"), 2_000),
    Fault("forged saved files", fuzz.artefacts("forgery"), 2_000),
    Fault("saved files with attacks", fuzz.artefacts("attack"), 2_000),
]

FAULTS = [*CACHE_FAULTS, *EMBEDDER_FAULTS, *FILE_FAULTS]
