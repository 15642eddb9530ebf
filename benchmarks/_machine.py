"""Description and peak throughput of the machine."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

import torch
from torch.utils.flop_counter import FlopCounterMode

_LIBRARIES = ("torch", "torchvision", "transformers", "timm", "scikit-learn", "numpy")
_SECONDS = 0.5


@dataclass(frozen=True)
class Environment:
    """Machine and versions that the measurements of a run apply to."""

    processor: str
    cores: int
    versions: dict[str, str]

    @property
    def slug(self) -> str:
        """Short name for file names."""
        machine = re.sub(r"[^A-Za-z0-9]+", "-", self.processor).strip("-").lower()
        return f"{machine}-{self.cores}cores-torch{self.versions['torch'].partition('+')[0]}"


@cache
def about() -> Environment:
    """Return the processor, system and library versions of this machine."""
    return Environment(
        processor=_processor(),
        cores=torch.get_num_threads(),
        versions={name: version(name) for name in _LIBRARIES},
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


@cache
def peaks() -> dict[str, float]:
    """Return peak operations per second of matmul and convolution, and bytes per second of a copy.

    The best of many runs on all threads of torch: measured, not the manufacturer's figures.
    """
    found = {}
    with torch.inference_mode():
        for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
            a, b = (torch.randn(1024, 1024).to(kind) for _ in range(2))
            found[f"matrix product, {name}"] = 2 * 1024**3 / _best(lambda a=a, b=b: a @ b)
            images = torch.randn(8, 128, 28, 28).to(kind)
            images = images.contiguous(memory_format=torch.channels_last)
            conv = torch.nn.Conv2d(128, 128, 3, padding=1, bias=False).to(kind)
            conv.to(memory_format=torch.channels_last)
            work = 2 * 8 * 28 * 28 * 128 * 128 * 9
            found[f"convolution, {name}"] = work / _best(lambda c=conv, i=images: c(i))
        block = torch.empty(64 << 20, dtype=torch.uint8)
        other = torch.empty_like(block)
        found["memory copy"] = 2 * block.numel() / _best(lambda: other.copy_(block))
    return found


def _best(work: Callable[[], object]) -> float:
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def operations(network: torch.nn.Module, inputs: object) -> int:
    """Count the operations of a forward pass: two for each multiplication and addition."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(inputs)
    return counter.get_total_flops()
