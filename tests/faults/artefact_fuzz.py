"""Mutated saved files: `load` refuses each or returns an equal model.

``fuzz(kind, trials, seed)`` counts the outcomes of mutated files; ``python -m
tests.faults.artefact_fuzz [trials] [seed]`` prints them by kind of mutation:

accident
    Bytes are flipped, lost, duplicated or swapped. A file that loads must be equal.
forgery
    A part is changed, and all digests are updated. A file that loads may be another estimator, as
    it then describes; nothing in it may be executed.
attack
    The same with content that would run code in a reader that trusts it.
"""

from __future__ import annotations

import atexit
import functools
import random
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageClassifier, ImageEmbedder, load, save
from sktransfer.exceptions import SktransferError, SktransferWarning
from tests.faults.artefact_accidents import damaged_file
from tests.faults.artefact_attacks import attacking_file
from tests.faults.artefact_files import unzipped
from tests.faults.artefact_forgeries import forged_file

KINDS = ("accident", "forgery", "attack")

OUTCOMES = ("refused", "equal", "other", "wrong", "executed", "crashed")
"""An error of ours; loaded, and saved again to the very same bytes; loaded as another estimator,
which a forged file may describe; the same after an accident; something was run; another error."""

# Audit events of Python for actions other than computing.
_EVENTS = frozenset(
    {"os.exec", "os.fork", "os.posix_spawn", "os.startfile", "os.system", "pickle.find_class"}
    | {"subprocess.Popen", "code.__new__", "webbrowser.open", "socket.connect"}
)


def fuzz(kind: str, trials: int, seed: int = 0) -> Counter[str]:
    """Mutate saved files, load them, and count the `OUTCOMES`.

    Parameters
    ----------
    kind : {"accident", "forgery", "attack"}
        Kind of mutation.
    trials : int
        Number of mutated files.
    seed : int
        Determines the mutations.

    Returns
    -------
    Counter
    """
    counts = Counter(dict.fromkeys(OUTCOMES, 0))
    draw = random.Random(f"{kind} {seed}")
    with tempfile.TemporaryDirectory(prefix="sktransfer-fuzz-") as folder:
        place = Path(folder)
        for _ in range(trials):
            genuine = draw.choice(_saved_files())
            mutated = _mutate(kind, genuine, draw, place / "canary")
            outcome = _try_load(genuine, mutated, place)
            counts["wrong" if (kind, outcome) == ("accident", "other") else outcome] += 1
    return counts


def _mutate(kind: str, genuine: bytes, draw: random.Random, canary: Path) -> bytes:
    if kind == "attack":
        return attacking_file(genuine, draw, f"touch {canary}")
    return {"accident": damaged_file, "forgery": forged_file}[kind](genuine, draw)


def _try_load(genuine: bytes, mutated: bytes, place: Path) -> str:
    """Load a mutated file, and return the outcome; a file "canary" shows that code ran."""
    with _audited() as events:
        outcome = _outcome(genuine, mutated, place)
    if not events and not (place / "canary").exists():
        return outcome
    (place / "canary").unlink(missing_ok=True)
    return "executed"


@functools.cache
def _saved_files() -> list[bytes]:
    """Return saved files: a Pipeline and a fine-tuner, with and without weights.

    Their network is in a folder that exists as long as this process.
    """
    place = Path(tempfile.mkdtemp(prefix="sktransfer-fuzz-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    _save_network(place / "network")
    column = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    name: dict[str, Any] = {"backbone": str(place / "network"), "cache": False}
    head = LogisticRegression(random_state=np.random.RandomState(0))
    weights = {0: 1.0, 1: 2.0}
    models = [
        make_pipeline(ImageEmbedder(**name), head),
        ImageClassifier(**name, trainable=1, max_epochs=1, class_weight=weights, random_state=0),
    ]
    files = []
    for model in models:
        model.fit(list(column), [0, 1] * 3)
        for standalone in (False, True):
            save(model, place / "genuine", standalone=standalone)
            files.append((place / "genuine").read_bytes())
    return files


def _save_network(folder: Path) -> None:
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=16,
    )
    with torch.random.fork_rng(devices=[]):  # the same weights in each process
        torch.manual_seed(0)
        transformers.ViTModel(config).save_pretrained(folder)


def _outcome(genuine: bytes, mutated: bytes, place: Path) -> str:
    file = place / "mutated"
    file.write_bytes(mutated)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SktransferWarning)
        try:
            loaded = load(file)
        except SktransferError:
            return "refused"
        except Exception as error:  # for the person who reads the output
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return "crashed"
        try:
            standalone = "backbones/0.json" in unzipped(genuine)
            save(loaded, place / "again", standalone=standalone)
        except Exception:  # any error that a forged estimator raises when it is used
            return "other"
    return "equal" if (place / "again").read_bytes() == genuine else "other"


# Monitoring --------------------------------------------------------------------------------

_seen: list[str] = []
_watching = False
_is_hooked = False


@contextmanager
def _audited() -> Iterator[list[str]]:
    """Record the audit events of the block."""
    global _watching, _is_hooked
    if not _is_hooked:  # permanent: an audit hook cannot be removed
        sys.addaudithook(lambda event, args: _record(event))
        _is_hooked = True
    _seen.clear()
    _watching = True
    try:
        yield _seen
    finally:
        _watching = False


def _record(event: str) -> None:
    if _watching and event in _EVENTS:
        _seen.append(event)


def main() -> None:
    """Print the counts; arguments are the number of trials per kind, and a seed."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print(f"{'':10}", *(f"{name:>9}" for name in OUTCOMES))
    for kind in KINDS:
        counts = fuzz(kind, trials, seed)
        print(f"{kind:10}", *(f"{counts[name]:>9,}" for name in OUTCOMES))


if __name__ == "__main__":
    main()
