"""Time to load a Pipeline with the 17 MB backbone in a fresh process.

Includes reading and checking the file, the backbone and its fingerprint; excludes imports.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageEmbedder, save

TIMES = 5

_LOAD = """
import sys, time
import timm, torchvision
import sktransfer.backbones.bundled, sktransfer.backbones.timm, sktransfer.backbones.torchvision
from sktransfer import ImageEmbedder, load
start = time.perf_counter()
load(sys.argv[1])
print(time.perf_counter() - start)
"""


def main() -> None:
    """Print the seconds of several loads, with and without weights in the file."""
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    model = make_pipeline(ImageEmbedder(cache=False), LogisticRegression()).fit(images, [0, 1] * 4)
    with tempfile.TemporaryDirectory() as folder:
        for standalone in (False, True):
            path = Path(folder, f"standalone-{standalone}")
            save(model, path, standalone=standalone)
            seconds = sorted(_seconds(path) for _ in range(TIMES))
            size = path.stat().st_size / 1e6
            print(
                f"standalone={standalone!s:5} {size:5.1f} MB: median {seconds[TIMES // 2]:.2f} s, "
                f"{seconds[0]:.2f} to {seconds[-1]:.2f} s"
            )


def _seconds(path: Path) -> float:
    command = [sys.executable, "-c", _LOAD, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
