"""Concurrent threads and processes that embed and fine-tune give the same rows."""

import subprocess
import sys

import numpy as np
import pytest

from sktransfer import ImageEmbedder, TextEmbedder
from tests._jobs import in_threads
from tests._tiny import images, texts, tiny_network

# In a separate process, so that one that hangs can be killed.
SEARCH = """
import sys
import joblib
import numpy as np
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sktransfer import ImageClassifier, ImageEmbedder
from tests._tiny import images

torch.set_num_threads(2)
X, y = images(16), np.arange(16) % 2
small = {"weights": None, "image_size": 32}
models = [
    make_pipeline(ImageEmbedder("resnet18", **small), RidgeClassifier()),
    ImageClassifier("resnet18", **small, trainable=1, max_epochs=1, random_state=0),
]
for model in models:
    model.fit(X, y)  # torch's threads are at work in this process before it forks
    expected = cross_val_score(model, X, y, cv=2, error_score="raise")
    with joblib.parallel_backend(sys.argv[1], n_jobs=2):
        found = cross_val_score(model, X, y, cv=2, error_score="raise")
    np.testing.assert_allclose(found, expected)
print("done")
"""
PATIENCE = 240  # seconds; it takes about 10, mostly imports


@pytest.mark.parametrize(
    "backend",
    ["multiprocessing", *[pytest.param(b, marks=pytest.mark.slow) for b in ("threading", "loky")]],
)
def test_n_jobs_gives_the_same_scores_and_never_hangs(cache_folder, backend):
    if backend == "multiprocessing" and sys.platform == "win32":
        pytest.skip("no fork here")
    done = subprocess.run(
        [sys.executable, "-W", "error:::sktransfer", "-c", SEARCH, backend],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"


@pytest.mark.parametrize(("kind", "cache"), [("image", True), ("text", False)])
def test_eight_threads_share_one_embedder(cache_folder, kind, cache):
    if kind == "image":
        column, embedder = images(60), ImageEmbedder(tiny_network(), image_size=32, cache=cache)
    else:
        column, embedder = np.array(texts(60), dtype=object), TextEmbedder(cache=cache)
    expected = type(embedder)(**{**embedder.get_params(), "cache": False}).fit_transform(column)
    embedder.fit(column)

    def work(seed):
        some = np.random.default_rng(seed).choice(len(column), 30)
        np.testing.assert_allclose(
            embedder.transform(column[some]), expected[some], rtol=1e-5, atol=1e-6
        )

    in_threads(work)
