"""Text embeddings, compared with sentence-transformers, embetter and a plain loop."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import torch

from benchmarks._machine import operations, peaks
from benchmarks._measure import minilm_folder
from benchmarks._table import OURS, Case, take_turns
from docs.examples._data import reuters_news, trec_questions
from sktransfer import TextEmbedder
from sktransfer.backbones import get_backbone
from sktransfer.modalities.text import TextModality

FOLDER = str(minilm_folder())
AUTO, OPENVINO = f'{OURS}, precision="auto"', f'{OURS}, precision="auto", engine="openvino"'
PEERS = ("sentence-transformers", "embetter")
BARE, PLAIN = (
    "the same forward passes, without preprocessing",
    "transformers, as documented for the model",
)


def varied(n: int) -> list[str]:
    """Return texts of ten to several hundred tokens: a news item after every three questions."""
    questions = iter(trec_questions()[0])
    news = reuters_news()[0][: n // 4]
    parts = [[*islice(questions, 3), piece] for piece in news]
    return [str(text) for part in parts for text in part]


def plain_loop(texts: list[str]) -> np.ndarray:
    """Embed as in the model card: 32 texts per batch, padded, mean over tokens."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = _loaded.setdefault(
        "plain", (AutoTokenizer.from_pretrained(FOLDER), AutoModel.from_pretrained(FOLDER).eval())
    )
    rows = []
    with torch.inference_mode():
        for start in range(0, len(texts), 32):
            batch = tokenizer(
                texts[start : start + 32],
                padding=True,
                truncation=True,
                max_length=256,
                return_tensors="pt",
            )
            states = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            rows.append((states * mask).sum(1) / mask.sum(1))
    return torch.cat(rows).numpy()


def bare_forward(texts: list[str]) -> Callable[[], object]:
    """Return forward passes on prepared tensor batches without padding."""
    backbone = get_backbone("all-MiniLM-L6-v2", modality="text")
    batches = list(_tensors(backbone, texts))

    def run() -> None:
        with torch.inference_mode():
            for batch in batches:
                backbone.network(batch)

    return run


def _tensors(backbone: Any, texts: list[str]) -> Any:
    from sktransfer.compute._batching import budget_batches

    preparer = TextModality().bind(backbone)
    tokens = [preparer.prepare(text, None) for text in texts]
    for some in budget_batches([len(ids) for ids in tokens], preparer.budget(on_cpu=True)):
        yield preparer.collate([tokens[i] for i in some], torch.device("cpu"))


_loaded: dict[str, Any] = {}


def measure(repeats: int) -> list[Case]:
    """Measure 300 and 2,000 texts."""
    from embetter.text import SentenceEncoder
    from sentence_transformers import SentenceTransformer

    sentence_transformer = SentenceTransformer(FOLDER, device="cpu")
    embetter = SentenceEncoder(FOLDER, device="cpu")
    cases = []
    for n, least in ((300, (1.3, 1.4)), (2_000, (1.05, 1.05))):
        texts = varied(n)
        alternatives = {
            OURS: _embed(texts),
            AUTO: _embed(texts, precision="auto"),
            OPENVINO: _embed(texts, precision="auto", engine="openvino"),
            PEERS[0]: lambda t=texts: sentence_transformer.encode(t),
            PEERS[1]: lambda t=texts: embetter.transform(t),
            BARE: bare_forward(texts),
        }
        if n == 300:  # slow: it pads every batch to its longest text
            alternatives[PLAIN] = lambda t=texts: plain_loop(t)
        times = take_turns(alternatives, repeats)
        cases += _cases(f"{n:,} texts", times, _operations(texts), least)
    texts = varied(300)
    found = TextEmbedder(cache=False).fit_transform(texts)
    away = np.abs(found - sentence_transformer.encode(texts)).max()
    print(f"largest difference from sentence-transformers: {away:.1e}\n")
    return cases


def _embed(texts: list[str], **options: Any) -> Callable[[], object]:
    embedder = TextEmbedder(cache=False, **options).fit(texts)
    return lambda: embedder.transform(texts)


def _operations(texts: list[str]) -> int:
    backbone = get_backbone("all-MiniLM-L6-v2", modality="text")
    return sum(operations(backbone.network, batch) for batch in _tensors(backbone, texts))


def _cases(
    name: str, times: dict[str, list[float]], work: int, least: tuple[float, float]
) -> list[Case]:
    others = [way for way in (*PEERS, BARE, PLAIN) if way in times]
    cases = []
    for own, precision, wanted in (
        (OURS, "float32", least),
        (AUTO, "bfloat16", (2.0, 2.0)),
        (OPENVINO, "bfloat16", (2.3, 2.3)),
    ):
        case = Case(f"{name}, {own}", times).only(
            own,
            *(others if own == OURS else PEERS),
            least=dict(zip(PEERS, wanted, strict=True)),
            limit=work / peaks()[f"matrix product, {precision}"],
        )
        print("\n".join(case.lines()), flush=True)
        cases.append(case)
    return cases
