"""Texts to features, beside sentence-transformers, embetter and a plain loop."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import torch

from benchmarks._machine import operations, peaks
from benchmarks._measure import minilm_folder
from benchmarks._table import OURS, Case, compare
from docs.examples._data import reuters_news, trec_questions
from sktransfer import TextEmbedder
from sktransfer.backbones import get_backbone
from sktransfer.extraction import CPU_TOKENS, TextReader

FOLDER = str(minilm_folder())


def varied(n: int) -> list[str]:
    """Return news and questions in turn: a few tokens to more than the network takes."""
    both = zip_longest(reuters_news()[0][:n], trec_questions()[0][:n])
    return [str(text) for text in chain.from_iterable(both) if text is not None][:n]


def plain_loop(texts: list[str]) -> np.ndarray:
    """Embed as the model's page shows it: 32 texts at a time, padded, mean of the tokens."""
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


def bare_forward(texts: list[str], precision: str) -> Callable[[], object]:
    """Return the forward passes alone, on batches that are tensors already, without padding."""
    backbone = get_backbone("all-MiniLM-L6-v2", modality="text")
    batches = list(_tensors(backbone, texts))

    def run() -> None:
        enabled = precision == "bfloat16"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            for batch in batches:
                backbone.network(batch)

    return run


def _tensors(backbone: Any, texts: list[str]) -> Any:
    from sktransfer.extraction._batches import token_batches

    tokens = backbone.tokenizer.encode(texts, TextReader().recipe(backbone).max_length)
    for some in token_batches([len(ids) for ids in tokens], CPU_TOKENS):
        yield backbone.tokenizer.collate([tokens[i] for i in some])


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
        ours = TextEmbedder(cache=False).fit(texts)
        auto = TextEmbedder(cache=False, precision="auto").fit(texts)
        openvino = TextEmbedder(cache=False, precision="auto", engine="openvino").fit(texts)
        peers: dict[str, Callable[[], object]] = {
            "sentence-transformers": lambda t=texts: sentence_transformer.encode(t),
            "embetter": lambda t=texts: embetter.transform(t),
            "transformers, as its page shows": lambda t=texts: plain_loop(t),
        }
        exact = {
            OURS: lambda t=texts, o=ours: o.transform(t),
            **peers,
            "the same forward passes alone": bare_forward(texts, "float32"),
        }
        backbone = get_backbone("all-MiniLM-L6-v2", modality="text")
        work = sum(operations(backbone.network, batch) for batch in _tensors(backbone, texts))
        cases.append(
            compare(
                f"{n:,} texts, float32",
                exact,
                repeats,
                least=dict(zip(peers, least, strict=False)),
                limit=work / peaks()["matrix product, float32"],
            )
        )
        found, expected = ours.transform(texts), sentence_transformer.encode(texts)
        print(
            f"largest difference from sentence-transformers: {np.abs(found - expected).max():.1e}"
        )
        for label, embedder, factor in (("auto", auto, 2.0), ("OpenVINO, auto", openvino, 2.3)):
            ways = {OURS: lambda t=texts, e=embedder: e.transform(t)}
            ways["sentence-transformers"] = peers["sentence-transformers"]
            ways["embetter"] = peers["embetter"]
            limit = work / peaks()["matrix product, bfloat16"]
            wanted = dict.fromkeys(list(peers)[:2], factor)
            cases.append(compare(f"{n:,} texts, {label}", ways, repeats, least=wanted, limit=limit))
    return cases
