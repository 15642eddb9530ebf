"""The manifest of a file: versions, digests of members, required backbones, types."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from sktransfer._version import __version__
from sktransfer._warnings import warn
from sktransfer.exceptions import PersistenceError, VersionWarning

MANIFEST, ESTIMATOR = "manifest.json", "estimator.skops"

_FORMAT = "sktransfer"
_FORMAT_VERSION = 3

_LIBRARIES = (
    *("numpy", "scikit-learn", "skops", "timm", "tokenizers"),
    *("torch", "torchvision", "transformers"),
)
# How many leading parts of a version must agree for predictions to be the same.
_COMPARED_PARTS = {"sktransfer": 2, "scikit-learn": 2, "numpy": 1, "torch": 1}


@dataclass(frozen=True)
class Need:
    """A backbone with which estimators in a file were fitted.

    Attributes
    ----------
    fingerprint : str
        Its fingerprint in fit.
    name, weights : str
        The parameters ``backbone`` and ``weights`` of those estimators.
    modality, source, library : str
        For messages: the kind of its cells, where it comes from, the library that runs it.
    """

    fingerprint: str
    name: str
    weights: str | None
    modality: str
    source: str
    library: str


@dataclass(frozen=True)
class Manifest:
    """Description of a file.

    Attributes
    ----------
    versions : dict of str to str
        Versions of the libraries that compute.
    members : dict of str to str
        SHA-256 of each other member.
    needs : tuple of Need
        The backbones.
    standalone : bool
        Whether the weights of the backbones are members.
    """

    versions: dict[str, str]
    members: dict[str, str]
    needs: tuple[Need, ...]
    standalone: bool

    @classmethod
    def read(cls, members: Mapping[str, bytes], what: str) -> Manifest:
        """Read the manifest of a file, and compare the other members with it.

        Raises
        ------
        PersistenceError
            If the format or its version is another, or a member is missing, added or changed.
        """
        found = parsed(members.get(MANIFEST, b"null"), f"the {MANIFEST} of {what}")
        if not isinstance(found, dict) or found.pop("format", None) != _FORMAT:
            raise PersistenceError(f"{what} was not written by sktransfer.save.")
        version = found.pop("format_version", None)
        if version != _FORMAT_VERSION:
            versions = found.get("versions")
            by = versions.get("sktransfer") if isinstance(versions, dict) else None
            raise PersistenceError(
                f"{what} has version {version!r} of the file format, and sktransfer {__version__} "
                f"reads version {_FORMAT_VERSION}. It was saved with sktransfer {by!s:.40}: load "
                "it with that version, or fit and save again with this one."
            )
        try:
            manifest = _parse(found)
        except Exception as error:  # whatever wrong values lead to
            raise PersistenceError(f"the {MANIFEST} of {what} is damaged: {error!r}.") from error
        digests = digests_of({n: content for n, content in members.items() if n != MANIFEST})
        changed = sorted({name for name, _ in digests.items() ^ manifest.members.items()})
        if changed:
            raise PersistenceError(
                f"{what} is damaged: members missing, added or changed since it was saved: "
                f"{', '.join(changed[:5])}. Take a copy, or save it again."
            )
        return manifest

    def to_bytes(self) -> bytes:
        """Return it as indented JSON."""
        about = {"format": _FORMAT, "format_version": _FORMAT_VERSION, **asdict(self)}
        return json.dumps(about, indent=1).encode()

    def warn_of_versions(self, what: str) -> None:
        """Warn once if libraries have other versions than when the file was saved."""
        here = versions_here()
        other = [
            f"{name} {self.versions.get(name)} (here {here[name]})"
            for name, parts in _COMPARED_PARTS.items()
            if self.versions.get(name, "").split(".")[:parts] != here[name].split(".")[:parts]
        ]
        if other:
            warn(
                f"{what} was saved with {', '.join(other)}; its predictions may differ, or fail. "
                "Fit again with the versions here, or use those.",
                VersionWarning,
            )


def parsed(content: bytes, what: str) -> Any:
    """Parse JSON.

    Raises
    ------
    PersistenceError
        If it is malformed or too deep.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise PersistenceError(f"{what} is not valid JSON: {error}.") from error


def versions_here() -> dict[str, str]:
    """Return the versions of the libraries that compute."""
    found = {"sktransfer": __version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in _LIBRARIES}


def digests_of(members: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each member."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}


def _parse(about: dict[str, Any]) -> Manifest:
    needs = tuple(Need(**need) for need in about.pop("needs"))
    manifest = Manifest(**about, needs=needs)
    names = [*manifest.versions.values(), *manifest.members.values()]
    if not all(isinstance(name, str) for name in names) or type(manifest.standalone) is not bool:
        raise TypeError("a version, digest or flag is of another type")
    return manifest
