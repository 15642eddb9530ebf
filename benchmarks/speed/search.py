"""Grid search with 5 folds, 6 candidates and a refit: the cost of the features.

The reference is a lower bound: all features computed beforehand, once per cell, and
the search on the array.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from benchmarks._measure import icons, minilm_folder, seconds
from benchmarks._table import OURS, Case
from docs.examples._data import trec_questions
from sktransfer import ImageEmbedder, TextEmbedder, cache_info

GRID = {"clf__C": [0.01, 0.03, 0.1, 0.3, 1, 3]}
COLD, WARM = f"{OURS}, nothing cached", f"{OURS}, second run"
BEFOREHAND = "precomputed features"
LEAST_COLD = {"Pipeline(memory=)": 8.0, "plain Pipeline": 25.0, BEFOREHAND: 0.91}
LEAST_WARM = {"Pipeline(memory=)": 12.0, "plain Pipeline": 60.0}
#: Alternatives measured in one round only: they take minutes and are many times slower.
SLOW = ("Pipeline(memory=)", "plain Pipeline")


class NamedEncoder(TransformerMixin, BaseEstimator):
    """Encoder of another library, by name, as a step that can be cloned.

    The encoder is constructed once, so its loading time is not measured.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def fit(self, X: Any, y: Any = None) -> NamedEncoder:
        """Do nothing."""
        self.n_features_in_ = 1
        return self

    def transform(self, X: Any) -> Any:
        """Encode."""
        return ENCODERS[self.name](list(X))


ENCODERS: dict[str, Callable[[list[str]], Any]] = {}


def search(features: BaseEstimator | str, memory: str | None = None) -> GridSearchCV:
    """Return the search, on an estimator of features or on precomputed features."""
    steps = [("features", features), ("clf", LogisticRegression(max_iter=300))]
    return GridSearchCV(Pipeline(steps, memory=memory), GRID, cv=5)


def measure(repeats: int) -> list[Case]:
    """Measure images and texts."""
    with tempfile.TemporaryDirectory() as folder:
        paths, providers = icons(600)
        images = alternatives(ImageEmbedder, paths, providers, Path(folder))
        cases = compare("600 images, lite0", images, repeats)
        questions, kinds = (column[:600].tolist() for column in trec_questions())
        texts = alternatives(TextEmbedder, questions, kinds, Path(folder))
        texts |= text_peers(questions, kinds, Path(folder))
        cases += compare("600 questions, MiniLM", texts, repeats)
    return cases


def alternatives(
    make: Any, X: list[str], y: list[str], folder: Path
) -> dict[str, Callable[[], float]]:
    """Return the alternatives; each returns its seconds, uncached unless named otherwise."""
    warm = ""

    def new_folder() -> str:
        return tempfile.mkdtemp(dir=folder)

    def precomputed() -> float:
        return seconds(lambda: search("passthrough").fit(make(cache=False).fit_transform(X), y))

    def cold() -> float:
        nonlocal warm
        warm = new_folder()
        took = seconds(lambda: search(make(cache=warm)).fit(X, y))
        assert cache_info(warm).computed >= len(set(X))
        return took

    def again() -> float:
        before = cache_info(warm).computed
        took = seconds(lambda: search(make(cache=warm)).fit(X, y))
        assert cache_info(warm).computed == before
        return took

    def with_memory() -> float:
        return seconds(lambda: search(make(cache=False), memory=new_folder()).fit(X, y))

    def plain() -> float:
        return seconds(lambda: search(make(cache=False)).fit(X, y))

    return {
        BEFOREHAND: precomputed,
        COLD: cold,
        WARM: again,
        "Pipeline(memory=)": with_memory,
        "plain Pipeline": plain,
    }


def text_peers(X: list[str], y: list[str], folder: Path) -> dict[str, Callable[[], float]]:
    """Return the alternatives with encoders of embetter and skrub."""
    from embetter.text import SentenceEncoder
    from embetter.utils import cached
    from skrub import TextEncoder

    name = str(minilm_folder())
    skrub = TextEncoder(name, n_components=None, device="cpu")
    skrub.fit(_series(X[:2]))
    ENCODERS["skrub"] = lambda texts: skrub.transform(_series(texts)).to_numpy()

    def embetter_cached() -> float:
        encoder = cached(tempfile.mkdtemp(dir=folder), SentenceEncoder(name, device="cpu"))
        ENCODERS["embetter"] = encoder.transform
        return seconds(lambda: search(NamedEncoder("embetter")).fit(X, y))

    def embetter_again() -> float:
        return seconds(lambda: search(NamedEncoder("embetter")).fit(X, y))

    return {
        "embetter, cached": embetter_cached,
        "embetter, cached, second run": embetter_again,
        "skrub's TextEncoder": lambda: seconds(lambda: search(NamedEncoder("skrub")).fit(X, y)),
    }


def _series(texts: list[str]) -> Any:
    import pandas as pd

    return pd.Series(texts, name="text")


def compare(what: str, found: dict[str, Callable[[], float]], repeats: int) -> list[Case]:
    """Measure in turn, and return one case for the first run and one for the second."""
    slow = [name for name in found if name in (*SLOW, "skrub's TextEncoder")]
    times: dict[str, list[float]] = {name: [] for name in found}
    for number in range(repeats):
        for name, way in found.items():
            # Slow alternatives are measured once; their ratio is to the adjacent round.
            times[name].append(way() if name not in slow or not number else times[name][0])
            print(f"  {what}: {name} {times[name][-1]:.2f} s", flush=True)
    cases = []
    for own, least, peers in (
        (COLD, LEAST_COLD, [*slow, "embetter, cached", BEFOREHAND]),
        (WARM, LEAST_WARM, [*slow, "embetter, cached, second run", BEFOREHAND]),
    ):
        some = {name: times[name] for name in (own, *peers) if name in times}
        case = Case(f"search, {what}: {own.partition(', ')[2]}", some, least, ours=own)
        print("\n".join(case.lines()), flush=True)
        cases.append(case)
    return cases
