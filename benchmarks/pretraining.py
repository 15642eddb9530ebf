"""What pre-training without labels brings, with few labels and with all.

``python -m benchmarks.pretraining [--tasks trec-mlm trec-simcse ...] [--seeds 2] [--draws 3]``

Text tasks: 2,500 rows are the pool. A pretrainer learns from them without labels; then logistic
regression learns from the features of 8 or 64 rows of the pool per class, or of all of them, and is
scored on up to 2,000 other rows. Each task is done before and after pre-training, on the same draws
of labels; means and standard deviations are over draws and seeds of training. "scaled" says that
features are standardized first.

``r8-mlm-2`` trains the last two stages only, as is recommended for texts that the network knows.
``fine-tuning`` fits the setting recommended for few labels, on the network before and after.
``scratch`` trains a small residual network without pretrained weights on 5,000 images of clothes.
``time`` compares an epoch of masked language modelling with a plain loop over transformers.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._measure import minilm_folder, seconds
from benchmarks._table import compare
from benchmarks.few_labels import RECOMMENDED, sample_per_class
from docs.examples._data import cloud_icons, fashion, reuters_news, sms_messages, trec_questions
from sktransfer import (
    ImageClassifier,
    ImageEmbedder,
    ImagePretrainer,
    TextClassifier,
    TextEmbedder,
    TextPretrainer,
)

POOL, TEST = 2_500, 2_000
LABELS = (8, 64, None)  # per class; None for all

MODELS = {
    "plain": LogisticRegression(max_iter=2_000),
    "scaled": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000)),
}


class Split:
    """Rows of a task: a pool without labels, of which some get labels, and rows to test on."""

    def __init__(self, X: Any, y: Any, pool: int, test: int = TEST) -> None:
        self.X, self.y = np.asarray(X), np.asarray(y)
        rows, rest = train_test_split(
            np.arange(len(self.y)), train_size=pool, stratify=self.y, random_state=0
        )
        self.pool, self.test = rows, rest[:test]

    def draw(self, count: int | None, seed: int) -> np.ndarray:
        """Return positions in the pool of the rows that get labels."""
        if count is None:
            return np.arange(len(self.pool))
        return sample_per_class(self.y[self.pool], count, seed)

    def scores(self, transformer: Any, draws: int) -> dict[tuple[str, int | None], list[float]]:
        """Return the accuracy for each model and number of labels, one per draw."""
        known, unknown = (transformer.transform(self.X[rows]) for rows in (self.pool, self.test))
        found: dict[tuple[str, int | None], list[float]] = {}
        for name, model in MODELS.items():
            for count in LABELS:
                for seed in range(draws if count else 1):
                    rows = self.draw(count, seed)
                    model.fit(known[rows], self.y[self.pool][rows])
                    score = float(model.score(unknown, self.y[self.test]))
                    found.setdefault((name, count), []).append(score)
        return found


def pretrain(
    task: str, split: Split, before: Any, make: Callable[[int], Any], seeds: int, draws: int
) -> None:
    """Print what logistic regression learns from features before and after pre-training."""
    base = split.scores(before.fit(split.X[split.pool[:2]]), draws)
    runs, spent = [], []
    for seed in range(seeds):
        pretrainer = make(seed)
        spent.append(seconds(lambda p=pretrainer: p.fit(split.X[split.pool])))
        runs.append(split.scores(pretrainer, draws))
    print(f"\n{task} ({np.median(spent):.0f} s per fit)")
    for key, scores in base.items():
        after = np.array([run[key] for run in runs])
        gains = 100 * (after - scores)
        labels = "all" if key[1] is None else key[1]
        print(
            f"  {key[0]:7} {labels:>4} labels  before {np.mean(scores):.3f}  after "
            f"{after.mean():.3f}  gain {gains.mean():+.1f} ± {gains.std():.1f}",
            flush=True,
        )


def texts(load: Callable[[], Any], **params: Any) -> Callable[[str, int, int], None]:
    """Return the task of pre-training on texts."""

    def run(task: str, seeds: int, draws: int) -> None:
        split = Split(*load(), POOL)
        make = lambda seed: TextPretrainer(cache=False, random_state=seed, **params)  # noqa: E731
        pretrain(task, split, TextEmbedder(), make, seeds, draws)

    return run


def icons(task: str, seeds: int, draws: int) -> None:
    """Continue the bundled network on icons at 96 pixels, with defaults."""
    table = cloud_icons()
    split = Split(table["icon"], table["kind"], 1_000)
    make = lambda seed: ImagePretrainer(image_size=96, cache=False, random_state=seed)  # noqa: E731
    pretrain(task, split, ImageEmbedder(image_size=96), make, seeds, draws)


def fine_tuning(task: str, seeds: int, draws: int) -> None:
    """Fit the recommended setting for few labels on the network before and after."""
    split = Split(*trec_questions(), POOL)
    for objective in ("mlm", "simcse"):
        pretrained = TextPretrainer(objective=objective, cache=False, random_state=0)
        pretrained.fit(split.X[split.pool])
        for count in LABELS[:2]:
            found: dict[str, list[float]] = {"before": [], "after": []}
            for seed in range(draws):
                rows = split.pool[split.draw(count, seed)]
                for name, backbone in (("before", "all-MiniLM-L6-v2"), ("after", pretrained)):
                    model = TextClassifier(backbone, cache=False, random_state=seed, **RECOMMENDED)
                    model.fit(split.X[rows], split.y[rows])
                    found[name].append(model.score(split.X[split.test], split.y[split.test]))
            _print_pair(f"{task}, trec-{objective}, {count} labels", found)


def scratch(task: str, seeds: int, draws: int) -> None:
    """Train a network without pretrained weights, then fine-tune it with few labels."""
    X, y = fashion()
    split = Split(X, y, 5_000)
    network = {"backbone": "timm:resnet10t", "weights": None, "image_size": 32, "cache": False}
    tune = {"trainable": "all", "max_epochs": 30, "augment": "light"}
    for seed in range(seeds):
        pretrainer = ImagePretrainer(
            **network, max_epochs=SCRATCH_EPOCHS, batch_size=128, lr=1e-3, random_state=seed
        )
        spent = seconds(lambda p=pretrainer: p.fit(split.X[split.pool]))
        for count in (10, 50):
            found: dict[str, list[float]] = {"before": [], "after": []}
            for draw in range(draws):
                rows = split.pool[split.draw(count, draw)]
                for name, source in (
                    ("before", network),
                    ("after", {"backbone": pretrainer, "image_size": 32, "cache": False}),
                ):
                    model = ImageClassifier(**source, **tune, random_state=draw)
                    model.fit(split.X[rows], split.y[rows])
                    found[name].append(model.score(split.X[split.test], split.y[split.test]))
            _print_pair(f"{task}, seed {seed} ({spent:.0f} s), {count} labels", found)


SCRATCH_EPOCHS = 20


def _print_pair(title: str, found: dict[str, list[float]]) -> None:
    gains = 100 * np.subtract(found["after"], found["before"])
    means = "  ".join(f"{name} {np.mean(scores):.3f}" for name, scores in found.items())
    print(f"{title}: {means}  gain {gains.mean():+.1f} ± {gains.std():.1f}", flush=True)


def time(task: str, seeds: int, draws: int) -> None:
    """Compare two epochs of masked language modelling with a plain loop over transformers."""
    rng = np.random.default_rng(0)
    words = [w for question in trec_questions()[0] for w in question.split() if w.isalpha()]
    column = [" ".join(rng.choice(words, 25)) for _ in range(2_000)]
    compare(
        "2 epochs of masked language modelling, 2,000 texts of 30 tokens",
        {
            "sktransfer": lambda: TextPretrainer(cache=False, random_state=0).fit(column),
            "plain loop": lambda: _plain_loop(column),
        },
        repeats=draws,
    )


def _plain_loop(column: Iterable[str]) -> None:
    from transformers import AutoModelForMaskedLM, AutoTokenizer, DataCollatorForLanguageModeling

    folder = str(minilm_folder())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).train()
    ids = tokenizer(list(column), truncation=True, max_length=256)["input_ids"]
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for _ in range(2):
        for rows in torch.randperm(len(ids)).split(32):
            batch = collate([{"input_ids": ids[row]} for row in rows])
            optimizer.zero_grad()
            model(**batch).loss.backward()
            optimizer.step()


TASKS: dict[str, Callable[[str, int, int], None]] = {
    "trec-mlm": texts(trec_questions, objective="mlm"),
    "trec-simcse": texts(trec_questions, objective="simcse"),
    "sms-mlm": texts(sms_messages, objective="mlm"),
    "sms-simcse": texts(sms_messages, objective="simcse"),
    "r8-mlm": texts(reuters_news, objective="mlm"),
    "r8-mlm-2": texts(reuters_news, objective="mlm", trainable=2),
    "r8-simcse": texts(reuters_news, objective="simcse"),
    "icons": icons,
    "scratch": scratch,
    "fine-tuning": fine_tuning,
    "time": time,
}


def main() -> None:
    """Run the tasks and print their results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--draws", type=int, default=3)
    options = parser.parse_args()
    for task in options.tasks:
        TASKS[task](task, options.seeds, options.draws)


if __name__ == "__main__":
    main()
