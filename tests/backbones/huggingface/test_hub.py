"""The local Hugging Face cache, and errors for models that are not in it."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import errors

from sktransfer.backbones import get_backbone, huggingface
from sktransfer.exceptions import BackboneError, OfflineError
from tests.backbones._huggingface_folders import save

COMMIT = "a" * 40


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """Return the folder of an empty cache; any request to the hub fails."""

    def fail_on_request(*args, **kwargs):
        raise AssertionError("the hub was asked")

    scan = partial(huggingface_hub.scan_cache_dir, tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "scan_cache_dir", scan)
    monkeypatch.delenv("SKTRANSFER_OFFLINE", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub, "model_info", fail_on_request)
    real = huggingface_hub.snapshot_download

    def cached_only(name, **kwargs):
        assert kwargs["local_files_only"], "the hub was asked"
        return real(name, cache_dir=tmp_path / "hub", **kwargs)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", cached_only)
    (tmp_path / "hub").mkdir()
    return tmp_path / "hub"


def cache(hub: Path, name: str, kind: str = "bert", readme: str = "") -> Path:
    place = hub / f"models--{name.replace('/', '--')}"
    folder = place / "snapshots" / COMMIT
    (place / "refs").mkdir(parents=True)
    (place / "refs/main").write_text(COMMIT)
    save(kind, folder)
    (folder / "README.md").write_text(readme)
    return folder


@pytest.mark.parametrize("variable", ["SKTRANSFER_OFFLINE", "HF_HUB_OFFLINE"])
def test_an_offline_error_names_the_download_command(variable, monkeypatch):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(OfflineError, match=f"{variable} .*`hf download nobody/nothing`"):
        get_backbone("nobody/nothing", modality="text")


def test_the_download_command_names_the_revision(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError, match="`hf download nobody/nothing --revision v2`"):
        get_backbone("timm:hf-hub:nobody/nothing@v2", modality="image")


def test_a_cached_model_needs_no_request(hub, monkeypatch):
    cache(hub, "org/tiny", readme="---\ntags: [x]\nlicense: apache-2.0\n---\nlicense: mit\n")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    backbone = get_backbone("org/tiny", modality="text")
    assert (backbone.name, backbone.licence) == ("org/tiny", "apache-2.0")


def test_an_interrupted_download_is_ignored(hub, monkeypatch):
    folder = cache(hub, "org/half")
    (folder / "model.safetensors").unlink()
    monkeypatch.setenv("SKTRANSFER_OFFLINE", "1")
    with pytest.raises(OfflineError, match="org/half"):
        get_backbone("org/half", modality="text")


def test_cached_models_are_listed(hub):
    assert huggingface.rows() == []
    cache(hub, "org/tiny", readme="---\nlicense:\n- mit\n---")
    cache(hub, "org/seen", kind="vit")
    (cache(hub, "org/other") / "config.json").write_text('{"model_type": "mamba"}')
    (cache(hub, "org/damaged") / "config.json").write_text("{")
    seen, tiny = huggingface.rows()
    assert (tiny["name"], tiny["modality"], tiny["licence"]) == ("org/tiny", "text", "mit")
    assert (tiny["feature_size"], tiny["input_size"]) == (32, 64)
    assert (seen["name"], seen["modality"], seen["licence"]) == ("org/seen", "image", "unknown")
    assert seen["on_this_machine"]


def test_an_empty_cache_lists_nothing(hub):
    hub.rmdir()
    assert huggingface.rows() == []


def siblings(**sizes: int) -> SimpleNamespace:
    files = [SimpleNamespace(rfilename=name, size=size) for name, size in sizes.items()]
    return SimpleNamespace(siblings=files)


def test_a_download_announces_its_size_and_excludes_code(hub, monkeypatch, tmp_path, caplog):
    published = {
        "config.json": 1_000,
        "README.md": 1_000,
        "tokenizer.json": 1_000_000,
        "1_Pooling/config.json": 10,
        "2_Dense/pytorch_model.bin": 1_000_000,
        "model.safetensors": 40_000_000,
        "pytorch_model.bin": 40_000_000,
        "own.py": 10,
        "onnx/model.onnx": 90_000_000,
        "tf_model.h5": 90_000_000,
    }
    taken = []

    def download(name, *, revision=None, local_files_only=False, allow_patterns=()):
        if local_files_only:
            raise errors.LocalEntryNotFoundError("not here")
        taken.extend(allow_patterns)
        save("bert", tmp_path / "new")
        return str(tmp_path / "new")

    monkeypatch.setattr(huggingface_hub, "model_info", lambda *a, **k: siblings(**published))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with caplog.at_level(logging.WARNING, logger="sktransfer"):
        assert get_backbone("org/new", modality="text").feature_size == 32
    assert set(taken) == set(list(published)[:6])
    assert "'org/new' (42 MB)" in caplog.text


def test_a_failing_network_is_an_offline_error(monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "model_info", fail)
    with pytest.raises(OfflineError, match=r"no route to host.*`hf download org/gone`"):
        get_backbone("org/gone", modality="text")


def test_the_error_for_an_unknown_id_says_that_no_folder_exists(monkeypatch):
    def fail(*args, **kwargs):
        raise errors.RepositoryNotFoundError(
            "404", response=SimpleNamespace(headers={}, request=None)
        )

    monkeypatch.setattr(huggingface_hub, "model_info", fail)
    with pytest.raises(BackboneError, match="no folder 'models/typo'"):
        get_backbone("models/typo", modality="text")


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("org/name", True),
        ("org-1/name_2.5", True),
        ("name", False),
        ("timm:org/name", False),
        ("a/b/c", False),
        ("/a", False),
        ("./a", False),
        ("../a", False),
        ("a/", False),
        ("", False),
    ],
)
def test_model_ids_have_two_parts(name, ours):
    assert huggingface.owns(name) is ours


def test_folders_belong_to_this_source(tmp_path):
    assert huggingface.owns(str(tmp_path))
    assert not huggingface.owns(str(tmp_path / "nothing"))
