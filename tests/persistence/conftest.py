"""A tiny network in a folder, and estimators that were fitted with it."""

from pathlib import Path

import pytest

from tests.backbones import _huggingface_folders as folders


@pytest.fixture(scope="session")
def vit(tmp_path_factory) -> Path:
    """Return the folder of a tiny network for images."""
    folder = tmp_path_factory.mktemp("vit")
    folders.save("vit", folder)
    return folder


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "model.skt"
