"""What a file says about itself: what is in it, what it needs, and what wrote it."""

from __future__ import annotations

import hashlib
import json
import platform
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from sktransfer._version import __version__
from sktransfer.exceptions import PersistenceError, VersionWarning
from sktransfer.persistence._skops import parsed

NAME = "manifest.json"

_FORMAT = "sktransfer"
_VERSION = 1

_LIBRARIES = (
    *("numpy", "scikit-learn", "skops", "timm", "tokenizers"),
    *("torch", "torchvision", "transformers"),
)
# How many numbers of a version must be the same for numbers to be sure to be so.
_COUNT = {"sktransfer": 2, "scikit-learn": 2, "numpy": 1, "torch": 1}


@dataclass(frozen=True)
class Need:
    """A backbone that estimators of a file were fitted with.

    Attributes
    ----------
    fingerprint : str
        What it must have.
    name, weights : str
        The parameters ``backbone`` and ``weights`` of those estimators.
    modality, source, library : str
        For people: what its cells are, where it comes from, whose code runs it.
    """

    fingerprint: str
    name: str
    weights: str | None
    modality: str
    source: str
    library: str


@dataclass(frozen=True)
class Manifest:
    """What a file says about itself.

    Attributes
    ----------
    versions : dict of str to str
        Of what computes.
    members : dict of str to str
        The sha256 of each other member.
    needs : tuple of Need
        The backbones.
    types : tuple of str
        What the estimator consists of, for people who are asked to trust it.
    standalone : bool
        Whether the weights of the backbones are members.
    """

    versions: dict[str, str]
    members: dict[str, str]
    needs: tuple[Need, ...]
    types: tuple[str, ...]
    standalone: bool

    @classmethod
    def of(
        cls,
        members: Mapping[str, bytes],
        needs: tuple[Need, ...],
        types: list[str],
        standalone: bool,
    ) -> Manifest:
        """Describe members that are about to be written."""
        digests = {name: _sha256(content) for name, content in members.items()}
        return cls(versions_here(), digests, needs, tuple(types), standalone)

    @classmethod
    def read(cls, members: Mapping[str, bytes], what: str) -> Manifest:
        """Read the manifest of a file, and hold its members against it.

        Raises
        ------
        PersistenceError
            If it is of another format, or a member is missing, extra or not as it was.
        """
        about = parsed(members.get(NAME, b"null"), f"the {NAME} of {what}")
        found = about if isinstance(about, dict) else {}
        if found.pop("format", None) != _FORMAT:
            raise PersistenceError(f"{what} is nothing that sktransfer.save has written.")
        if found.pop("format_version", None) != _VERSION:
            raise PersistenceError(
                f"{what} is of another version of this format; version {_VERSION} is read by "
                f"sktransfer {__version__}. Load it with the version that saved it: "
                f"{str(found.get('versions'))[:300]}."
            )
        try:
            manifest = _checked(found)
        except Exception as error:  # whatever wrong values lead to
            raise PersistenceError(f"the {NAME} of {what} is damaged: {error!r}.") from error
        manifest._check_members({n: c for n, c in members.items() if n != NAME}, what)
        return manifest

    def to_bytes(self) -> bytes:
        """Return it as JSON that people can read."""
        about = {"format": _FORMAT, "format_version": _VERSION, **asdict(self)}
        return json.dumps(about, indent=1).encode()

    def warn_of_versions(self, what: str) -> None:
        """Warn once if what computes is not of the version that it was saved with."""
        here = versions_here()
        other = [
            f"{name} {self.versions.get(name)} (here {here[name]})"
            for name, count in _COUNT.items()
            if _start(self.versions.get(name, ""), count) != _start(here[name], count)
        ]
        if other:
            warnings.warn(
                f"{what} was saved with {', '.join(other)}; its predictions may differ, or fail. "
                "Fit again with the versions here, or use those.",
                VersionWarning,
                stacklevel=4,  # of whoever calls `load`
            )

    def _check_members(self, members: Mapping[str, bytes], what: str) -> None:
        both = members.keys() & self.members.keys()
        faults = {
            "missing": sorted(self.members.keys() - members.keys()),
            "not in its list": sorted(members.keys() - self.members.keys()),
            "damaged": sorted(n for n in both if _sha256(members[n]) != self.members[n]),
        }
        told = "; ".join(f"{fault}: {', '.join(n[:5])}" for fault, n in faults.items() if n)
        if told:
            raise PersistenceError(
                f"{what} is not as it was saved. Members that are {told}. Take a copy, or save it "
                "again."
            )


def versions_here() -> dict[str, str]:
    """Return the versions of what computes."""
    found = {"sktransfer": __version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in _LIBRARIES}


def _checked(about: dict[str, Any]) -> Manifest:
    needs = tuple(Need(**need) for need in about.pop("needs"))
    for need in needs:
        _check_texts(v for n, v in asdict(need).items() if n != "weights" or v is not None)
    manifest = Manifest(**about, needs=needs)
    for texts in (manifest.versions, manifest.members):
        _check_texts([*texts.keys(), *texts.values()])
    _check_texts(manifest.types)
    if type(manifest.standalone) is not bool:
        raise TypeError(f"standalone={manifest.standalone!r}")
    return manifest


def _check_texts(values: Any) -> None:
    odd = [value for value in values if not isinstance(value, str)]
    if odd:
        raise TypeError(f"{odd[0]!r} is no text")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _start(version: str, count: int) -> list[str]:
    return version.split(".")[:count]
