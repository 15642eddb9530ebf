"""Unpack the members of a saved file, and repack them with valid digests."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from typing import Any

Members = dict[str, bytes]

MANIFEST, TREE, SCHEMA = "manifest.json", "estimator.skops", "schema.json"


class Evil:
    """Run a shell command when unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def unzipped(content: bytes) -> Members:
    """Return the members of a zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip without compression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def with_manifest(members: Mapping[str, bytes]) -> Members:
    """Return members with a manifest that lists them."""
    manifest = json.loads(members[MANIFEST])
    others = {name: content for name, content in members.items() if name != MANIFEST}
    manifest["members"] = {n: hashlib.sha256(c).hexdigest() for n, c in others.items()}
    return {**members, MANIFEST: json.dumps(manifest).encode()}


def node(loader: str, name: str, **entries: Any) -> dict[str, Any]:
    """Return a node of skops's tree."""
    module, _, kind = name.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader, **entries}
