"""Tiny networks and data, for tests that do not depend on real weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from scipy.signal import lfilter
from torch import nn

from sktransfer.backbones import get_backbone


def tiny_network(seed: int = 0) -> nn.Module:
    """Return a small random network with a map and a vector stage; 6 features."""
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 7, stride=8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 6),
    )
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / 8
    return network


def images(n: int, size: int = 16, seed: int = 0) -> np.ndarray:
    """Return n distinct colour images (n, size, size, 3), uint8."""
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def sounds(n: int, seed: int = 0) -> list[np.ndarray]:
    """Return n distinct sounds of a tenth to half a second at 16 kHz, float32."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1_600, 8_000, n)
    return [rng.normal(scale=0.1, size=length).astype(np.float32) for length in lengths]


def voices(n: int) -> list[np.ndarray]:
    """Return n distinct vowels of half a second at 16 kHz: pulses through three resonances."""
    formants = [(270, 2290, 3010), (730, 1090, 2440), (570, 840, 2410)]
    found = []
    for number in range(n):
        pitch = 140 + 60 * number
        sound = np.diff(np.floor(np.arange(8_000) * pitch / 16_000), prepend=0.0)
        for formant in formants[number % 3]:
            radius = np.exp(-np.pi * 80 / 16_000)
            turn = 2 * radius * np.cos(2 * np.pi * formant / 16_000)
            sound = lfilter([1 - radius], [1, -turn, radius**2], sound)
        found.append((0.5 * sound / np.abs(sound).max()).astype(np.float32))
    return found


def texts(n: int, seed: int = 0) -> list[str]:
    """Return n distinct texts of 1 to 30 words."""
    rng = np.random.default_rng(seed)
    words = [
        "river",
        "stone",
        "quick",
        "letter",
        "green",
        "window",
        "of",
        "the",
        "and",
        "seven",
        "market",
        "cold",
    ]
    return [f"{i} " + " ".join(rng.choice(words, rng.integers(1, 31))) for i in range(n)]


@contextmanager
def counted_rows(backbone: object, modality: str = "image", **options: Any) -> Iterator[list[int]]:
    """Count the rows that pass through a backbone's network, one number per forward pass."""
    counts: list[int] = []
    with _with_input_hook(lambda batch: counts.append(len(batch)), backbone, modality, **options):
        yield counts


@contextmanager
def seen_batches(
    backbone: object, modality: str = "image", **options: Any
) -> Iterator[list[torch.Tensor]]:
    """Collect the inputs of a backbone's network: images, or the ids of tokens."""
    batches: list[torch.Tensor] = []
    with _with_input_hook(batches.append, backbone, modality, **options):
        yield batches


@contextmanager
def _with_input_hook(
    note: Callable[[torch.Tensor], None], backbone: object, modality: str, **options: Any
) -> Iterator[None]:
    def record(module: nn.Module, args: tuple) -> None:
        inputs = args[0]
        note(inputs if isinstance(inputs, torch.Tensor) else inputs["input_ids"])

    network = get_backbone(backbone, modality=modality, **options).fast(torch.device("cpu"))
    handle = network.register_forward_pre_hook(record)
    try:
        yield
    finally:
        handle.remove()
