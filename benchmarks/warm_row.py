"""Reading a row from the cache, compared with computing it.

``python -m benchmarks.warm_row [--repeats 5]``
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from typing import Any

import numpy as np
from PIL import Image

from benchmarks._measure import icons, seconds
from sktransfer import ImageEmbedder, TextEmbedder


def columns() -> dict[str, tuple[Any, Any]]:
    """Return a column per modality and its embedder."""
    paths, _ = icons(300)
    arrays = [np.asarray(Image.open(path).convert("RGBA").convert("RGB")) for path in paths]
    words = [
        "the",
        "quick",
        "river",
        "stone",
        "of",
        "green",
        "letters",
        "and",
        "seven",
        "cold",
        "markets",
    ]
    rng = np.random.default_rng(0)
    texts = [f"{i} " + " ".join(rng.choice(words, rng.integers(3, 30))) for i in range(1000)]
    return {
        "images, from files": (paths, ImageEmbedder),
        "images, as arrays": (arrays, ImageEmbedder),
        "texts": (texts, TextEmbedder),
    }


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    print(f"{'':20}{'rows':>6}{'computed':>14}{'read':>12}{'read / computed':>17}")
    for name, (column, embedder_class) in columns().items():
        with tempfile.TemporaryDirectory() as folder:
            embedder = embedder_class(cache=folder).fit(column)
            computed = seconds(lambda e=embedder, c=column: e.transform(c)) / len(column)
            runs = [
                seconds(lambda e=embedder, c=column: e.transform(c)) for _ in range(options.repeats)
            ]
        read = statistics.median(runs) / len(column)
        cells = f"{computed * 1e3:11.2f} ms{read * 1e6:9.1f} µs{read / computed:16.2%}"
        print(f"{name:20}{len(column):6}{cells}")


if __name__ == "__main__":
    main()
