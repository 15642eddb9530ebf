"""Fixtures shared by the tests of several sources of backbones."""

from urllib.error import URLError

import pytest
import torch


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Use an empty folder for torch's weights; no test downloads."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("SKTRANSFER_OFFLINE", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(torch.hub, "urlopen", _no_network)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def _no_network(*args, **kwargs):
    raise URLError("no route to host")
