"""What batches of fixed shape cost, in which a row has the same bits whatever its neighbours.

``python -m benchmarks.fixed_shapes`` prints, for the two default backbones, by how much the row of
a cell differs between calls now, whether it still does in batches of fixed shape, and the time of
forward passes over 1 to 256 rows relative to now. Images go in sixes, texts in eights that are
padded to a multiple of 16 tokens; what is missing in a batch is filled up with blank cells.
"""

from __future__ import annotations

import os

os.environ["GOMP_SPINCOUNT"] = "0"

from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks._measure import seconds
from sktransfer.backbones import Backbone, get_backbone
from sktransfer.compute._batching import budget_batches, equal_batches

SIZES = (1, 8, 64, 256)
ROUNDS = 5
IMAGES, TEXTS, TOKENS, BUDGET = 6, 8, 16, 1000

Way = Callable[[Backbone, list[Any]], np.ndarray]


def image_batches(backbone: Backbone, items: list[torch.Tensor], fixed: bool) -> np.ndarray:
    """Return features of scaled images (3, 224, 224)."""
    found = []
    for some in equal_batches(items, IMAGES):
        missing = IMAGES - len(some) if fixed else 0
        batch = torch.stack([*some, *[torch.zeros_like(some[0])] * missing])
        found.append(backbone.extract(batch)[: len(some)])
    return torch.cat(found).numpy()


def text_batches(backbone: Backbone, items: list[list[int]], fixed: bool) -> np.ndarray:
    """Return features of lists of token ids."""
    rows = np.empty((len(items), backbone.width()), np.float32)
    lengths = [len(item) for item in items]
    groups = budget_batches(lengths, BUDGET)
    if fixed:
        by_length = defaultdict(list)
        for at, length in enumerate(lengths):
            by_length[-(-length // TOKENS)].append(at)
        groups = [part for same in by_length.values() for part in equal_batches(same, TEXTS)]
    for group in groups:
        inputs = backbone.processor.collate([items[at] for at in group])
        if fixed:
            n, longest = TEXTS - len(group), max(lengths[at] for at in group)
            inputs = {
                name: torch.nn.functional.pad(tensor, (0, -longest % TOKENS, 0, n), value=0)
                for name, tensor in inputs.items()
            }
            inputs["attention_mask"][len(group) :, 0] = 1
        rows[list(group)] = backbone.extract(inputs)[: len(group)].numpy()
    return rows


def compare(name: str, backbone: Backbone, items: list[Any], run: Any) -> None:
    """Print the differences and the ratios of one backbone."""
    few = items[:40]
    for fixed in (False, True):
        together = run(backbone, few, fixed)
        alone = np.concatenate([run(backbone, [item], fixed) for item in few])
        shuffled = run(backbone, few[::-1], fixed)[::-1]
        differs = max(np.abs(together - other).max() for other in (alone, shuffled))
        scale = np.linalg.norm(together, axis=1).min()
        kind = "fixed shapes" if fixed else "now"
        print(f"{name}, {kind}: rows differ by {differs / scale:.1e} of their length")
    for size in SIZES:
        ratios = []
        for _ in range(ROUNDS):
            now, fixed = (
                min(seconds(lambda f=f, n=size: run(backbone, items[:n], f)) for _ in range(3))
                for f in (False, True)
            )
            ratios.append(fixed / now)
        print(f"{name}, {size} rows: {median(ratios):.2f} of the time now")


def main() -> None:
    """Run the benchmark and print the results."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    images = list(torch.randn(max(SIZES), 3, 224, 224))
    compare("images", get_backbone("efficientnet_lite0", modality="image"), images, image_batches)
    text = get_backbone("all-MiniLM-L6-v2", modality="text")
    words = ["the", "quick", "river", "stone", "of", "letters", "and", "seven", "cold"]
    texts = [" ".join(random.choice(words, random.integers(3, 40))) for _ in range(max(SIZES))]
    compare("texts", text, text.processor.encode(texts, 256), text_batches)


if __name__ == "__main__":
    main()
