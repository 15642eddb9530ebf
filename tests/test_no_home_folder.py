"""Without a home folder, everything works without a cache, after one warning."""

import json
import os
import subprocess
import sys

import pytest

# As in a container whose user has no entry in the list of users.
CODE = """
import json, pwd, sys, warnings

def no_entry(user):
    raise KeyError(f"getpwuid(): uid not found: {user}")

pwd.getpwuid = no_entry
import numpy as np
from sktransfer import *
from sktransfer.exceptions import ColumnError, SktransferError
from tests._tiny import images, texts, tiny_network

X, y = images(6), [0, 1] * 3
options = {"max_epochs": 1, "random_state": 0}

def error_of(call):
    try:
        call()
    except SktransferError as error:
        return type(error).__name__
    return "none"

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for engine in ("torch", "openvino"):
        embedder = ImageEmbedder(tiny_network(), engine=engine)
        rows = embedder.fit_transform(X)
        assert np.array_equal(embedder.transform(X), rows)
    TextEmbedder().fit_transform(texts(3))
    assert cache_info().folder is None
    clear_cache()
    model = ImageClassifier(tiny_network(), trainable=1, **options).fit(X, y)
    model.predict(X)
    TextClassifier(trainable="lora", **options).fit(texts(6), y).score(texts(6), y)
    ImageEmbedder("resnet18", weights=None).fit(X)
    find_lr(model, X, y, steps=2)
    assert "all-MiniLM-L6-v2" in [row["name"] for row in list_backbones()]
    errors = [
        error_of(lambda: ImageEmbedder("resnet18").fit(X)),
        error_of(lambda: TextEmbedder("organisation/name").fit(["a"])),
        error_of(lambda: ImageEmbedder("timm:resnet10t").fit(X)),
        error_of(lambda: TextEmbedder("~/model").fit(["a"])),
        error_of(lambda: read_image_folder("~/icons")),
    ]
ours = [str(w.message) for w in caught if w.category.__module__.startswith("sktransfer")]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    TextEmbedder(cache="~/cache").fit_transform(["a"])
print(json.dumps([ours, errors, [w.category.__name__ for w in caught]]))
"""


@pytest.mark.parametrize("home", [None, pytest.param("", marks=pytest.mark.slow)])
def test_without_a_home_folder_one_warning_is_issued_and_nothing_is_stored(home, tmp_path):
    removed = ("HOME", "SKTRANSFER_CACHE", "HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    if home is not None:
        environment["HOME"] = home
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    warned, errors, of_tilde = json.loads(done.stdout.splitlines()[-1])
    assert len(warned) == 1
    assert "SKTRANSFER_CACHE" in warned[0]
    offline = ["OfflineError"] * 3
    assert errors == [*offline, "BackboneError", "ColumnError"]
    assert of_tilde == ["CacheWarning"]
    assert not list(tmp_path.iterdir())
