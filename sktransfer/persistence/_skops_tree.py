"""The tree of nodes that skops writes, walked before skops constructs anything from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sktransfer.exceptions import PersistenceError

Node = dict[str, Any]

# Levels of JSON, two per object. Estimators nest a few dozen; more would overflow the stack.
_MAX_DEPTH = 200


def name_of(node: Node) -> str:
    """Return the full name of a node's type or function."""
    return f"{node['__module__']}.{node['__class__']}"


def attributes_of(node: Node) -> dict[str, Node]:
    """Return the attributes of an object, or the items of a dict."""
    parts = node if node["__loader__"] == "DictNode" else node["content"]
    if parts["__loader__"] != "DictNode":
        raise ValueError(f"{name_of(node)} has no attributes")
    return parts["content"]


def walk(value: Any, place: str = "", depth: int = 0) -> Iterator[tuple[str, Node]]:
    """Yield all nodes within a value of JSON, each with its place, such as ``.steps[0][1]``.

    That is more than skops reads of a node, so nothing depends on where it looks for others.
    """
    if depth > _MAX_DEPTH:
        raise PersistenceError(f"it nests too deep at {place[:200]!r}")
    is_node = isinstance(value, dict) and "__loader__" in value
    if is_node:
        yield place, value
    if isinstance(value, dict):
        for key, child in value.items():
            label = "" if is_node and key == "content" else _label(key)
            yield from walk(child, place + label, depth + 1)
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from walk(child, f"{place}[{number}]", depth + 1)


@dataclass
class Tree:
    """A tree of nodes with the files that belong to it.

    Attributes
    ----------
    root : dict
        Content of ``schema.json``.
    files : dict of str to bytes
        Arrays by name.
    places : list of (str, dict)
        All nodes, each with its place.

    Raises
    ------
    PersistenceError
        If it is too deep, has other files than it names, or uses one id for two objects.
    """

    root: Node
    files: Mapping[str, bytes]
    places: list[tuple[str, Node]] = field(init=False)

    def __post_init__(self) -> None:
        self.places = list(walk(self.root))
        if {node["file"] for _, node in self.places if "file" in node} != self.files.keys():
            raise PersistenceError("its arrays are not those that it names")
        # Where an id repeats, skops takes the first object without a look at the second node.
        first: dict[int, Node] = {}
        for place, node in self.places:
            number = node.get("__id__", 0)
            if type(number) is not int or (number and first.setdefault(number, node) != node):
                raise PersistenceError(f"two objects have the id {number!r}, one at {place!r}")

    def is_equal(self, other: Tree) -> bool:
        """Return whether another tree describes an equal object."""
        return _without_ids(self.root) == _without_ids(other.root) and self.files == other.files


def _without_ids(root: Node) -> Any:
    def hook(node: Node) -> Node:
        return {key: value for key, value in node.items() if key != "__id__"}

    return json.loads(json.dumps(root), object_hook=hook)


def _label(key: str) -> str:
    return f".{key}" if key.isidentifier() else f"[{key!r}]"
