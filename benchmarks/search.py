"""What a grid search over images costs: 5 folds, 6 candidates, and a last fit.

``python -m benchmarks.search [--images 600] [--repeats 3] [--quick]``

The reference is what nobody could beat: all features computed beforehand, each image once, and
the search on the array. `--quick` leaves out the two plain pipelines, which take minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from benchmarks._measure import icons, print_ratios, seconds, take_turns
from sktransfer import ImageEmbedder, cache_info

GRID = {"clf__C": [0.01, 0.03, 0.1, 0.3, 1, 3]}


def search(embedder: BaseEstimator | str, memory: str | None = None) -> GridSearchCV:
    """Return the search; the features come from `embedder`, or are there already."""
    steps = [("features", embedder), ("clf", LogisticRegression(max_iter=300))]
    return GridSearchCV(Pipeline(steps, memory=memory), GRID, cv=5)


def cases(paths: list[str], labels: list[str], folder: Path) -> dict[str, Callable[[], float]]:
    """Return the ways to search, each with nothing kept from another but where it says so."""

    def new_folder() -> str:
        return tempfile.mkdtemp(dir=folder)

    def beforehand() -> float:
        def work() -> None:
            features = ImageEmbedder(cache=False).fit_transform(paths)
            search("passthrough").fit(features, labels)

        return seconds(work)

    warm = new_folder()

    def cold() -> float:
        nonlocal warm
        warm = new_folder()
        before = cache_info(warm).computed
        took = seconds(lambda: search(ImageEmbedder(cache=warm)).fit(paths, labels))
        assert cache_info(warm).computed - before == len(paths)
        return took

    def again() -> float:
        before = cache_info(warm).computed
        took = seconds(lambda: search(ImageEmbedder(cache=warm)).fit(paths, labels))
        assert cache_info(warm).computed == before
        return took

    def with_memory() -> float:
        pipeline = search(ImageEmbedder(cache=False), memory=new_folder())
        return seconds(lambda: pipeline.fit(paths, labels))

    def plain() -> float:
        return seconds(lambda: search(ImageEmbedder(cache=False)).fit(paths, labels))

    return {
        "features beforehand + search": beforehand,
        "sktransfer, nothing cached": cold,
        "sktransfer, second run": again,
        "Pipeline(memory=)": with_memory,
        "plain Pipeline": plain,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="leave out the slow pipelines")
    options = parser.parse_args()

    paths, labels = icons(options.images)
    ImageEmbedder(cache=False).fit_transform(paths[:8])  # imports and loading count for none
    with tempfile.TemporaryDirectory() as folder:
        ways = cases(paths, labels, Path(folder))
        slow = {name: ways.pop(name) for name in ("Pipeline(memory=)", "plain Pipeline")}
        times = take_turns(ways, options.repeats)
        if not options.quick:
            times |= take_turns(slow, repeats=1)
    print(f"\n{len(paths)} images, 5 folds x {len(GRID['clf__C'])} candidates + 1 fit")
    print_ratios(times, reference="features beforehand + search")


if __name__ == "__main__":
    main()
