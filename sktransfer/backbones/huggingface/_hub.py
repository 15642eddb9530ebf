"""The local Hugging Face cache, and downloads from the hub where they are allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import errors

from sktransfer.backbones._weights import announce_download, obtaining
from sktransfer.backbones.huggingface._folder import check_folder, has_weights
from sktransfer.exceptions import BackboneError

_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")

# Small files that describe a model; weights are chosen one by one.
_SMALL = re.compile(r"([\w.-]+/)?[\w.-]+\.(jinja|json|model|spm|txt)|README\.md")
_WEIGHTS = re.compile(r"(\d+_[\w.-]+/)?(model|pytorch_model)(-\d+-of-\d+)?\.(safetensors|bin)")


def is_id(name: str) -> bool:
    """Return whether `name` has the form "organisation/name"."""
    return _ID.fullmatch(name) is not None


def cached() -> Iterator[tuple[str, Path]]:
    """Yield the id and the folder of every complete model in the local cache."""
    try:
        found = huggingface_hub.scan_cache_dir()
    except (errors.CacheNotFound, OSError, RuntimeError, ValueError):
        return  # no cache, a damaged one, or no home folder: a list does not raise
    for repository in sorted(found.repos, key=lambda r: r.repo_id):
        newest = max(repository.revisions, key=lambda r: r.last_modified, default=None)
        if repository.repo_type != "model" or newest is None:
            continue
        if _is_complete(newest.snapshot_path):
            yield repository.repo_id, newest.snapshot_path


def folder_of(name: str) -> Path:
    """Return the folder of a model: a local one, or that of a hub id in the local cache.

    Raises
    ------
    BackboneError
        If it holds no model, or the hub has none of that name.
    OfflineError
        If it is not on this machine and cannot be downloaded.
    """
    folder = Path(name) if Path(name).is_dir() else snapshot(*name.split("@", 1))
    check_folder(folder)
    return folder


def snapshot(name: str, revision: str | None = None) -> Path:
    """Return the folder of a hub model, downloaded where that is needed and allowed.

    Raises
    ------
    OfflineError
        If it is not on this machine and cannot be downloaded.
    BackboneError
        If the hub does not have it or does not allow access to it.
    """
    with suppress(Exception):  # not there, or a damaged cache: a download is needed either way
        folder = Path(
            huggingface_hub.snapshot_download(name, revision=revision, local_files_only=True)
        )
        if _is_complete(folder):
            return folder
    what = f"the Hugging Face model {name!r}"
    option = f" --revision {revision}" if revision else ""
    command = f"hf download {name}{option}"
    fix = f"Fetch it where there is a network, `{command}`, or pass a local folder."
    with obtaining(what, fix=fix):
        try:
            files = _files(huggingface_hub.model_info(name, revision=revision, files_metadata=True))
        except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
            raise BackboneError(
                f"There is no folder {name!r}, and the hub knows no model of that name or asks "
                "for a login to it (`hf auth login`)."
            ) from error
        announce_download(what, f"{sum(files.values()) / 1e6:.0f} MB")
        return Path(
            huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=list(files))
        )


def _is_complete(folder: Path) -> bool:
    """Return whether a model is complete; an interrupted download leaves a folder too."""
    described = (folder / "config.json").is_file() or (folder / "modules.json").is_file()
    return described and any(map(has_weights, (folder, *folder.iterdir())))


def _files(info: Any) -> dict[str, int]:
    """Return the files that are needed and their sizes: one set of weights, never code."""
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    weights = {name for name in sizes if _WEIGHTS.fullmatch(name)}
    folders = {name.rpartition("/")[0] for name in weights if name.endswith(".safetensors")}
    doubled = {n for n in weights if n.endswith(".bin") and n.rpartition("/")[0] in folders}
    return {
        name: size
        for name, size in sizes.items()
        if name in weights - doubled or _SMALL.fullmatch(name)
    }
