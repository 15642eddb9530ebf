"""A tiny network in a folder, and estimators fitted with it."""

from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageClassifier, ImageEmbedder, save
from sktransfer.backbones import _packing
from tests.backbones import _huggingface_folders as folders
from tests.persistence._forging import COLUMN


@pytest.fixture(autouse=True, scope="module")
def _no_backbones_from_files_are_left():
    """Forget the weights of loaded files, so that later tests use those of this machine."""
    yield
    _packing._from_files.clear()


@pytest.fixture(scope="session")
def vit(tmp_path_factory) -> Path:
    """Return the folder of a tiny image network."""
    folder = tmp_path_factory.mktemp("vit")
    folders.save("vit", folder)
    return folder


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "model.skt"


@pytest.fixture(scope="session")
def genuine(tmp_path_factory, vit):
    """Return the bytes of a saved Pipeline, and of a standalone fine-tuner."""
    sides, folder = [0, 1] * 3, tmp_path_factory.mktemp("genuine")
    model = make_pipeline(ImageEmbedder(str(vit)), LogisticRegression()).fit(COLUMN, sides)
    save(model, folder / "pipeline")
    classifier = ImageClassifier(str(vit), trainable=1, max_epochs=1, random_state=0)
    save(classifier.fit(COLUMN, sides), folder / "classifier", standalone=True)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def pipeline(genuine, path):
    path.write_bytes(genuine["pipeline"])
    return path


@pytest.fixture
def classifier(genuine, path):
    path.write_bytes(genuine["classifier"])
    return path


@pytest.fixture
def canary(tmp_path):
    """Return a path that only executed code creates; the test fails if it exists."""
    file = tmp_path / "canary"
    yield file
    assert not file.exists()
