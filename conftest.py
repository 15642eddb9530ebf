"""Settings of every test and doctest: no network, an empty cache, sleeping threads."""

import doctest
import os
import shutil
import tempfile

# Read by libraries at their import, so they are set before anything else is imported.
os.environ["GOMP_SPINCOUNT"] = "0"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["SKTRANSFER_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["MPLBACKEND"] = "Agg"
# Models would be downloaded to an empty folder, so that no test finds what a user has.
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="sktransfer-tests-")
os.environ["HF_HUB_CACHE"] = os.environ["HF_HOME"] + "/hub"
os.environ["TORCH_HOME"] = os.environ["HF_HOME"] + "/torch"

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

_is_defined_in = doctest.DocTestFinder._from_module


def _from_module(self: doctest.DocTestFinder, module: object, thing: object) -> bool:
    """Find public classes where they are defined: their ``__module__`` is the package."""
    source = vars(thing).get("_module_source") if isinstance(thing, type) else None
    return source == module.__name__ if source else _is_defined_in(self, module, thing)


doctest.DocTestFinder._from_module = _from_module


@pytest.fixture(autouse=True, scope="session")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests away from the user's caches, here and in worker processes."""
    os.environ["SKTRANSFER_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    del os.environ["SKTRANSFER_CACHE"]
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail that tries to leave this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        outside = self.family in (socket.AF_INET, socket.AF_INET6)
        if outside and not str(address[0]).startswith(("127.", "::1", "localhost")):  # type: ignore[index]
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a test an empty cache of its own, also as the default one."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SKTRANSFER_CACHE", str(folder))
    return folder
