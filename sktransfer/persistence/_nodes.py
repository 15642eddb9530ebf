"""The tree that skops writes: walked by us, before skops itself makes anything of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sktransfer.exceptions import PersistenceError

Node = dict[str, Any]

# Estimators nest a few dozens deep; more would overflow the stack of what reads them.
_DEEPEST = 100

# What a node's children are called, by how it is loaded.
_LEAVES = frozenset({"BytearrayNode", "BytesNode", "FunctionNode", "SliceNode", "TypeNode"})
_SEQUENCES = frozenset({"ListNode", "SetNode", "TupleNode"})
_PARTS = {
    "DefaultDictNode": ("main", "default_factory"),
    "MaskedArrayNode": ("data", "mask"),
    "RandomGeneratorNode": ("bit_generator", "seed_seq"),
    "PartialNode": ("func", "args", "kwds", "namespace"),
    "MethodNode": ("obj",),
}
_SINGLE = frozenset({"ConstructorFromReduceNode", "DTypeNode", "ObjectNode", "RandomStateNode"})
_REDUCED = frozenset({"LossNode", "QuantileForestNode", "TreeNode"})


def loader_of(node: Node) -> str:
    """Return how a node is loaded."""
    return node["__loader__"]


def name_of(node: Node) -> str:
    """Return the full name of a node's type, or of its function."""
    return f"{node['__module__']}.{node['__class__']}"


def children_of(node: Node) -> Iterator[tuple[str, Node]]:
    """Yield what a node consists of, with a name that shows where it lies."""
    loader, content = loader_of(node), node.get("content")
    if loader in _LEAVES or loader == "JsonNode":
        return
    if loader == "DictNode":
        for key, child in _mapping(content).items():
            yield label_of(key), child
        yield ".keys()", node["key_types"]
    elif loader in _SEQUENCES or (loader == "NdArrayNode" and node["type"] == "json"):
        yield from ((f"[{number}]", child) for number, child in enumerate(_list(content)))
        if loader == "NdArrayNode":
            yield ".shape", node["shape"]
    elif loader in ("NdArrayNode", "SparseMatrixNode"):
        return
    elif loader in _PARTS:
        for part in _PARTS[loader]:
            yield f".{part}", _mapping(content)[part]
    elif loader in _SINGLE:
        if content is not None:
            yield "", content
    elif loader == "OperatorFuncNode":
        yield ".attrs", node["attrs"]
    elif loader in _REDUCED:
        yield "", node["content"]
        yield ".args", _mapping(node["__reduce__"])["args"]
    else:
        raise PersistenceError(f"it has nodes of an unknown kind, {loader!r}")


def label_of(key: Any) -> str:
    """Return how a name or key is shown in the place of what it leads to."""
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"


def attributes_of(node: Node) -> dict[str, Node]:
    """Return the attributes of an object, or the items of a dict."""
    while loader_of(node) != "DictNode":
        node = node["content"]
    return node["content"]


@dataclass
class Tree:
    """A tree of nodes with the files that belong to it, walked once.

    Attributes
    ----------
    root : dict
        What ``schema.json`` holds.
    files : dict of str to bytes
        The arrays, by name.
    places : list of (str, dict)
        Each node, with where it lies.
    mark : bytes
        Digest of all that is in the tree; addresses in memory and names of files left out.

    Raises
    ------
    PersistenceError
        If it is no such tree, is too deep, or speaks of one object in two ways.
    """

    root: Node
    files: Mapping[str, bytes]
    places: list[tuple[str, Node]] = field(default_factory=list)
    mark: bytes = b""
    _known: dict[int, bytes] = field(default_factory=dict)
    _hashed: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mark = self._walk(self.root, "", 0)
        if extra := self.files.keys() - self._hashed.keys():
            raise PersistenceError(f"it has arrays that belong to nothing: {sorted(extra)[:5]}")

    def _walk(self, node: Any, place: str, depth: int) -> bytes:
        if depth > _DEEPEST:
            raise PersistenceError(f"it nests more than {_DEEPEST} deep at {place[:200]!r}")
        self._check_form(node, place)
        self.places.append((place, node))
        digest = hashlib.blake2b(self._own(node), digest_size=16)
        for label, child in children_of(node):
            digest.update(f"{len(label)}:{label}".encode(errors="surrogatepass"))
            digest.update(self._walk(child, place + label, depth + 1))
        mark = digest.digest()
        self._check_same(node.get("__id__"), mark, place)
        return mark

    def difference(self, other: Tree) -> str:
        """Return the first place at which another tree is not the same."""
        for (place, node), (others, their) in zip(self.places, other.places, strict=False):
            if place != others or self._own(node) != other._own(their):
                return place
        return ""

    def mark_of(self, name: Any) -> bytes:
        """Return the digest of an array."""
        if not isinstance(name, str) or name not in self.files:
            raise PersistenceError(f"it has no array {name!r}")
        if name not in self._hashed:
            self._hashed[name] = hashlib.blake2b(self.files[name], digest_size=16).digest()
        return self._hashed[name]

    def _own(self, node: Node) -> bytes:
        """Return all that a node is besides its children."""
        own = {k: v for k, v in node.items() if k not in _NOT_OWN and not _is_tree(node, k)}
        if loader_of(node) == "MethodNode":
            own["func"] = _mapping(node["content"])["func"]
        content = self.mark_of(node["file"]) if "file" in node else b""
        return json.dumps(own, sort_keys=True).encode() + content

    def _check_form(self, node: Any, place: str) -> None:
        keys = ("__class__", "__module__", "__loader__")
        if not isinstance(node, dict) or not all(isinstance(node.get(key), str) for key in keys):
            raise PersistenceError(f"what lies at {place[:200]!r} is no node")

    def _check_same(self, number: Any, mark: bytes, place: str) -> None:
        """See to it that an object that is there twice is the same both times.

        Where skops meets a number again it takes what it has made of it and looks no further.
        """
        if number is None:
            return
        if type(number) is not int or self._known.setdefault(number, mark) != mark:
            raise PersistenceError(f"two objects are called {number!r}, one of them at {place!r}")


# Not part of what a node means, or taken up with its children.
_NOT_OWN = frozenset(
    {"__id__", "__reduce__", "_skops_version", "attrs", "file", "key_types", "protocol", "shape"}
)


def _is_tree(node: Node, key: str) -> bool:
    """Tell whether an entry holds other nodes; of a leaf it is the value itself."""
    return key == "content" and loader_of(node) not in (_LEAVES | {"JsonNode"})


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PersistenceError("a node that should have named parts has none")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise PersistenceError("a node that should be a list is none")
    return value
