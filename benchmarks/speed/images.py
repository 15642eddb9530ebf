"""Images to features, compared with the loop in torchvision's documentation."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from sklearn.datasets import load_sample_images

from benchmarks._machine import operations, peaks
from benchmarks._measure import seconds
from benchmarks._table import OURS, Case, compare, take_turns
from sktransfer import ImageEmbedder
from sktransfer.backbones import get_backbone

# Rows per round, chosen so that a round takes a few seconds.
SMALL = {
    "efficientnet_lite0": 400,
    "resnet18": 240,
    "resnet50": 64,
    "mobilenet_v3_large": 400,
    "vit_b_16": 24,
}
#: Target ratios in float32, "auto" and with OpenVINO in bfloat16.
LEAST = {
    "resnet18": (1.3, 2.3, 2.6),
    "mobilenet_v3_large": (2.0, 3.5, 5.0),
    "efficientnet_lite0": (2.0, 3.0, 4.0),
}
LOOP = "torchvision's documented loop"
BARE = "fastest forward loop, without preprocessing"


def photos(n: int, size: tuple[int, int], folder: Path) -> list[str]:
    """Write n different JPEGs of (width, height): crops of two photos at different brightness."""
    sources = [Image.fromarray(photo) for photo in load_sample_images().images]
    random = np.random.RandomState(0)
    paths = []
    for number in range(n):
        left, top = random.randint(0, 160), random.randint(0, 100)
        part = sources[number % 2].crop((left, top, left + 480, top + 320))
        part = part.resize(size, Image.Resampling.BICUBIC)
        light = random.uniform(0.7, 1.2)
        path = folder / f"{size[0]}-{number}.jpg"
        part.point(lambda value, light=light: int(min(255, value * light))).save(path, quality=90)
        paths.append(str(path))
    return paths


class Documented:
    """The loop in torchvision's documentation, with 32 images per batch."""

    def __init__(self, name: str) -> None:
        if name == "efficientnet_lite0":  # not in torchvision: its preprocessing steps
            backbone = get_backbone(name, modality="image")
            self.network: Any = _plain_copy(backbone.network)
            weights = torchvision.models.EfficientNet_B0_Weights.IMAGENET1K_V1
        else:
            self.network = _without_last_layer(torchvision.models.get_model(name, weights=None))
            weights = torchvision.models.get_model_weights(name).DEFAULT
        self.network.eval()
        self.preprocess = weights.transforms()

    def files(self, paths: list[str]) -> np.ndarray:
        """Embed files."""
        return self._run(paths, torchvision.io.decode_image)

    def arrays(self, images: np.ndarray) -> np.ndarray:
        """Embed arrays (n, H, W, 3)."""
        return self._run(images, lambda image: torch.from_numpy(image).permute(2, 0, 1))

    def _run(self, cells: Any, read: Callable[[Any], torch.Tensor]) -> np.ndarray:
        rows = []
        with torch.inference_mode():
            for start in range(0, len(cells), 32):
                batch = [self.preprocess(read(cell)) for cell in cells[start : start + 32]]
                rows.append(self.network(torch.stack(batch)))
        return torch.cat(rows).numpy()


def _plain_copy(network: torch.nn.Module) -> torch.nn.Module:
    return copy.deepcopy(network).to(memory_format=torch.contiguous_format)


def _without_last_layer(network: Any) -> torch.nn.Module:
    for name in ("fc", "classifier", "heads"):
        if hasattr(network, name):
            layer = getattr(network, name)
            if isinstance(layer, torch.nn.Sequential):
                layer[-1] = torch.nn.Identity()
            else:
                setattr(network, name, torch.nn.Identity())
    return network


def forward_only(name: str, rows: int, precision: str) -> Callable[[], object]:
    """Return forward passes without preprocessing, at the fastest batch size and layout."""
    backbone = get_backbone(name, weights=_weights(name), modality="image")
    network = backbone.fast(torch.device("cpu"))
    size = backbone.recipe.size
    images = torch.randn(32, 3, *size).contiguous(memory_format=torch.channels_last)

    def run(batch: int, count: int) -> None:
        enabled = precision == "bfloat16"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            for _ in range(0, count, batch):
                network(images[:batch])

    best = min((4, 8, 16, 32), key=lambda batch: min(_tries(run, batch)))
    return lambda: run(best, rows)


def _tries(run: Any, batch: int) -> list[float]:
    return [seconds(lambda: run(batch, 32)) for _ in range(4)]


def _weights(name: str) -> str | None:
    return "pretrained" if name == "efficientnet_lite0" else None


def _embed(name: str, column: Any, **more: Any) -> Callable[[], object]:
    embedder = ImageEmbedder(name, weights=_weights(name), cache=False, **more).fit(column)
    return lambda: embedder.transform(column)


def limit(name: str, rows: int, precision: str) -> float:
    """Return the seconds at the machine's peak throughput."""
    backbone = get_backbone(name, weights=_weights(name), modality="image")
    work = rows * operations(backbone.network, torch.zeros(1, 3, *backbone.recipe.size))
    kind = "matrix product" if name == "vit_b_16" else "convolution"
    return work / peaks()[f"{kind}, {precision}"]


def measure(repeats: int) -> list[Case]:
    """Measure small files and arrays with five networks, and large files."""
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        files = photos(max(SMALL.values()), (480, 320), Path(folder))
        for name, rows in SMALL.items():
            cases += compare_files(name, files[:rows], repeats)
        cases += large_files(Path(folder), repeats)
    for name in ("efficientnet_lite0", "resnet18"):
        cases.append(arrays(name, SMALL[name], repeats))
    return cases


def compare_files(name: str, paths: list[str], repeats: int) -> list[Case]:
    """Compare all engines and precisions on small JPEGs, in the same rounds."""
    documented = Documented(name)
    auto, bare_auto = f'{OURS}, precision="auto"', f"{BARE}, bfloat16"
    openvino = f'{auto}, engine="openvino"'
    alternatives = {
        OURS: _embed(name, paths),
        auto: _embed(name, paths, precision="auto"),
        openvino: _embed(name, paths, precision="auto", engine="openvino"),
        LOOP: lambda: documented.files(paths),
        BARE: forward_only(name, len(paths), "float32"),
        bare_auto: forward_only(name, len(paths), "bfloat16"),
    }
    whole = Case(name, take_turns(alternatives, repeats))
    cases = []
    for number, (own, others, precision) in enumerate(
        [
            (OURS, (LOOP, BARE), "float32"),
            (auto, (LOOP, bare_auto), "bfloat16"),
            (openvino, (LOOP,), "bfloat16"),
        ]
    ):
        least = {BARE: 0.95, bare_auto: 0.95}
        least |= {LOOP: LEAST[name][number]} if name in LEAST else {}
        case = whole.only(
            own,
            *others,
            name=f"{name}, {len(paths)} JPEGs of 480 x 320, {own}",
            least=least,
            limit=limit(name, len(paths), precision),
        )
        print("\n".join(case.lines()), flush=True)
        cases.append(case)
    return cases


def large_files(folder: Path, repeats: int, rows: int = 24) -> list[Case]:
    """Compare on 12-megapixel JPEGs."""
    paths = photos(rows, (4000, 3000), folder)
    cases = []
    for name in ("efficientnet_lite0", "resnet18"):
        documented = Documented(name)
        alternatives = {OURS: _embed(name, paths), LOOP: lambda d=documented: d.files(paths)}
        title = f"{name}, {rows} JPEGs of 12 megapixels, float32"
        cases.append(compare(title, alternatives, repeats, least={LOOP: 3.0}))
    return cases


def arrays(name: str, rows: int, repeats: int) -> Case:
    """Compare on arrays of the network's input size."""
    images = np.random.RandomState(0).randint(0, 256, (rows, 224, 224, 3)).astype(np.uint8)
    documented = Documented(name)
    alternatives = {
        OURS: _embed(name, images),
        LOOP: lambda: documented.arrays(images),
        BARE: forward_only(name, rows, "float32"),
    }
    title = f"{name}, {rows} arrays of 224 x 224, float32"
    return compare(
        title, alternatives, repeats, least={BARE: 0.95}, limit=limit(name, rows, "float32")
    )
