"""An object as a tree of plain nodes, and back: the only place where skops is at work."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np
import skops.io
from sklearn import __version__ as sklearn_version

from sktransfer.exceptions import PersistenceError
from sktransfer.persistence._archive import packed, unpacked
from sktransfer.persistence._nodes import Node, Tree, loader_of, name_of

_SCHEMA = "schema.json"
_NAMES = re.compile(r"schema\.json|\d+\.(bin|npy|npz)")

# Before this, skops wrote nodes in ways that it still reads with less care.
_OLDEST_PROTOCOL = 2

_HEADER = 64  # bytes in which an array begins to say what it holds


def tree_of(value: Any) -> Tree:
    """Return an object as a tree.

    Raises
    ------
    Exception
        Whatever skops or the object raise where it cannot be written.
    """
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(value))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    root = json.loads(files.pop(_SCHEMA))
    return _numbered(Tree(root, files))


def to_bytes(tree: Tree) -> bytes:
    """Return a tree as a file of skops's."""
    return packed({_SCHEMA: json.dumps(tree.root).encode(), **tree.files})


def from_bytes(content: bytes, what: str) -> Tree:
    """Read a tree; nothing is made of it.

    Raises
    ------
    PersistenceError
        If it is damaged.
    """
    files = unpacked(content, _NAMES, what)
    root = parsed(files.pop(_SCHEMA, b""), f"the {_SCHEMA} of {what}")
    protocol = root.get("protocol") if isinstance(root, dict) else None
    if type(protocol) is not int or protocol < _OLDEST_PROTOCOL:
        raise PersistenceError(f"{what} has no protocol that is read here, but {protocol!r}.")
    return Tree(root, files)


def parsed(content: bytes, what: str) -> Any:
    """Return what JSON says.

    Raises
    ------
    PersistenceError
        If it is damaged, nests too deep, or has numbers that JSON does not have.
    """
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise PersistenceError(f"{what} is no JSON that can be read: {error}.") from error


def construct(tree: Tree, names: Iterable[str]) -> Any:
    """Make the object of a tree.

    Parameters
    ----------
    tree : Tree
        Checked before: here, nothing is.
    names : iterable of str
        Of all types and functions in it.
    """
    for _, node in tree.places:
        _as_of_now(node)
    # Written anew, so that skops sees nothing but what was looked at.
    return skops.io.loads(to_bytes(tree), trusted=list(names))


def resolves(node: Node) -> bool:
    """Tell whether what a node names can be found by its name."""
    try:
        getattr(import_module(node["__module__"]), node["__class__"])
    except (ImportError, AttributeError, ValueError):
        return name_of(node) == "builtins.NoneType"
    return True


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON's")


def _as_of_now(node: Node) -> None:
    """Let scikit-learn not warn of its version once an estimator: that is told once, by us."""
    if loader_of(node) == "DictNode" and "_sklearn_version" in node["content"]:
        node["content"]["_sklearn_version"]["content"] = json.dumps(sklearn_version)


def _numbered(tree: Tree) -> Tree:
    """Count objects and arrays in the order of the tree, where skops takes their addresses.

    Equal objects so give equal files, and none tells where they were in memory.
    """
    numbers: dict[int, int] = {}
    names: dict[bytes, str] = {}
    files: dict[str, bytes] = {}
    for _, node in tree.places:
        if node.get("__id__") is not None:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
        if "file" in node:
            mark, kind = tree.mark_of(node["file"]), node["file"].rpartition(".")[2]
            name = names.setdefault(mark, f"{len(names)}.{kind}")
            files[name] = _without_padding(tree.files[node["file"]])
            node["file"] = name
        if loader_of(node) == "DictNode":
            _make_keys_readable(node)
    return Tree(tree.root, files)


def _without_padding(array: bytes) -> bytes:
    """Return a structured array with zeros between its fields, where memory was left as it was."""
    if b"'descr': [" not in array[:_HEADER] or not array.startswith(np.lib.format.MAGIC_PREFIX):
        return array
    values = np.load(io.BytesIO(array), allow_pickle=False)
    clean = np.zeros(values.shape, values.dtype)  # zeros_like would leave what is between
    for name in values.dtype.names:
        clean[name] = values[name]
    # Not by np.save, whose buffer has old memory between the fields too.
    return array[: len(array) - clean.nbytes] + clean.view(np.uint8).tobytes()


def _make_keys_readable(node: Node) -> None:
    """Write False as a key so that it is read as such: skops asks Python for ``bool(key)``."""
    kinds = node["key_types"]["content"]
    if any(name_of(kind) in _BOOLS for kind in kinds) and "false" in node["content"]:
        content = {"" if k == "false" else k: child for k, child in node["content"].items()}
        node["content"] = content


_BOOLS = frozenset({"builtins.bool", "numpy.bool"})
