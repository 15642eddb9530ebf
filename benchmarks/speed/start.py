"""Startup costs: imports, unpickling, and workers."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

from joblib import Parallel, delayed

from benchmarks._table import OURS, Case, compare
from docs.examples._data import trec_questions
from sktransfer import TextClassifier, TextEmbedder

IMPORTS = {OURS: "import sktransfer", "scikit-learn": "import sklearn.base"}


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def measure(repeats: int) -> list[Case]:
    """Measure imports, pickles and the startup of workers."""
    alternatives = {name: lambda c=code: _python(c) for name, code in IMPORTS.items()}
    cases = [
        compare(
            "import, in a fresh process",
            alternatives,
            3 * repeats,
            least={"scikit-learn": round(1 / 1.2, 2)},
        )
    ]
    questions, kinds = (column[:200].tolist() for column in trec_questions())
    embedder = TextEmbedder(cache=False).fit(questions)
    classifier = TextClassifier(max_epochs=1, cache=False).fit(questions, kinds)
    sizes = {type(one).__name__: len(pickle.dumps(one)) for one in (embedder, classifier)}
    remark = "Pickles: " + ", ".join(f"{name} {size:,} bytes" for name, size in sizes.items()) + "."
    network = _peer()
    alternatives = {
        OURS: lambda: pickle.loads(pickle.dumps(embedder)).transform(questions[:1]),
        "sentence-transformers": lambda: pickle.loads(pickle.dumps(network)).encode(questions[:1]),
    }
    cases.append(
        compare("pickle, unpickle and embed one row", alternatives, repeats, remark=remark)
    )
    alternatives = {
        f"{OURS}, in a new worker": lambda: _in_a_new_worker(embedder, questions),
        "a new worker that only imports torch": lambda: _in_a_new_worker(None, questions),
    }
    own = f"{OURS}, in a new worker"
    cases.append(compare("the first row of a new worker", alternatives, repeats, ours=own))
    return cases


def _peer() -> Any:
    from sentence_transformers import SentenceTransformer

    from benchmarks._measure import minilm_folder

    return SentenceTransformer(str(minilm_folder()), device="cpu")


def _first_row(embedder: Any, texts: list[str]) -> None:
    import torch  # noqa: F401

    if embedder is not None:
        embedder.transform(texts[:1])


def _in_a_new_worker(embedder: Any, texts: list[str]) -> None:
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True, kill_workers=True)
    Parallel(n_jobs=2)(delayed(_first_row)(embedder, texts) for _ in range(2))
