"""Exact and approximate search for similar rows, compared with bare matrix products.

``python -m benchmarks.search [--rows 100000] [--queries 1000] [--repeats 3] [--features rows.npy]``

Without a file of features, rows are drawn around centres, near each other as texts are: on lines
between neighbours in a space of few dimensions.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from benchmarks._measure import seconds
from benchmarks._table import compare
from sktransfer import SimilaritySearch

N_NEIGHBORS = 10
_BLOCK = 256


def clustered(n: int, width: int = 384, seed: int = 0) -> np.ndarray:
    """Return n rows of clusters of clusters, each of 24 directions of its own."""
    shared = np.random.default_rng(0)
    centres = shared.normal(size=(200, width))
    directions = shared.normal(size=(200, 24, width)) / 5
    rng = np.random.default_rng(seed)
    which = rng.integers(0, len(centres), n)
    rows = centres[which].astype(np.float32)
    for cluster in range(len(centres)):
        inside = which == cluster
        rows[inside] += rng.normal(size=(inside.sum(), 24)) @ directions[cluster]
    return rows + rng.normal(scale=0.1, size=rows.shape).astype(np.float32)


def product(rows: torch.Tensor, queries: torch.Tensor) -> None:
    """Multiply blocks of queries with all rows, and do nothing else."""
    for block in queries.split(_BLOCK):
        block @ rows.T


def partitioned(rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return the nearest rows by NumPy alone, unsorted."""
    blocks = [queries[start : start + _BLOCK] for start in range(0, len(queries), _BLOCK)]
    found = [np.argpartition(-(b @ rows.T), N_NEIGHBORS)[:, :N_NEIGHBORS] for b in blocks]
    return np.concatenate(found)


def recall(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the share of the wanted neighbours that were found."""
    pairs = zip(found.tolist(), wanted.tolist(), strict=True)
    return float(np.mean([len({*a} & {*b}) / len(b) for a, b in pairs]))


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--features", help="a file of NumPy; its last rows are the queries")
    options = parser.parse_args()
    if options.features:
        given = np.load(options.features).astype(np.float32)
        rows, queries = given[: -options.queries], given[-options.queries :]
    else:
        rows, queries = clustered(options.rows), clustered(options.queries, seed=1)
    rows, queries = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (rows, queries))
    searches = {
        name: SimilaritySearch(algorithm=name, n_neighbors=N_NEIGHBORS)
        for name in ("exact", "approximate")
    }
    for name, search in searches.items():
        print(f"fit, {name}: {seconds(lambda s=search: s.fit(rows)):.1f} s", flush=True)
    found = [search.kneighbors(queries, return_distance=False) for search in searches.values()]
    print(f"recall of approximate search: {recall(found[1], found[0]):.3f}\n", flush=True)
    tensors = torch.from_numpy(rows), torch.from_numpy(queries)
    ways = {name: lambda s=s: s.kneighbors(queries) for name, s in searches.items()}
    ways |= {
        "bare product": lambda: product(*tensors),
        "product and argpartition, NumPy": lambda: partitioned(rows, queries),
    }
    compare(
        f"{len(rows):,} x {rows.shape[1]}, k = {N_NEIGHBORS}", ways, options.repeats, ours="exact"
    )


if __name__ == "__main__":
    main()
