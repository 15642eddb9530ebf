"""`predict` on one row, compared with the forward pass of that row."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks._table import OURS, Case, compare
from docs.examples._data import trec_questions
from sktransfer import ImageEmbedder, TextEmbedder
from sktransfer.backbones import get_backbone

ROUNDS = 30
FORWARD = "forward pass of that row"
LEAST = {FORWARD: round(1 / 1.15, 2)}


def measure(repeats: int) -> list[Case]:
    """Measure an image array and a text."""
    return [image("efficientnet_lite0"), image("resnet18"), text()]


def image(name: str) -> Case:
    """Measure one array of the network's input size, without the cache."""
    weights = "pretrained" if name == "efficientnet_lite0" else None
    images = np.random.RandomState(0).randint(0, 256, (20, 224, 224, 3)).astype(np.uint8)
    embedder = ImageEmbedder(name, weights=weights, cache=False)
    model = make_pipeline(embedder, LogisticRegression()).fit(images, np.arange(20) % 2)
    network = get_backbone(name, weights=weights, modality="image").fast(torch.device("cpu"))
    one = torch.randn(1, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    return _compare(f"one array through {name}", model, images[:1], network, one)


def text() -> Case:
    """Measure one question."""
    questions, kinds = trec_questions()
    model = make_pipeline(TextEmbedder(cache=False), LogisticRegression(max_iter=1_000))
    model.fit(list(questions[:100]), kinds[:100])
    backbone = get_backbone("all-MiniLM-L6-v2", modality="text")
    one = backbone.processor.collate(backbone.processor.encode([questions[0]], 256))
    return _compare("one question through MiniLM", model, [questions[0]], backbone.network, one)


def _compare(name: str, model: Any, cells: Any, network: Any, inputs: Any) -> Case:
    def forward() -> None:
        with torch.inference_mode():
            network(inputs)

    alternatives = {OURS: lambda: model.predict(cells), FORWARD: forward}
    return compare(f"{name}, `predict`", alternatives, ROUNDS, least=LEAST)
