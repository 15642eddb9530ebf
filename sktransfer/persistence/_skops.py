"""An object as a tree of plain nodes, and back: the only module that uses skops."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from typing import Any

import numpy as np
import skops.io
from sklearn import __version__ as sklearn_version
from skops.io import _trusted_types

from sktransfer.exceptions import PersistenceError
from sktransfer.persistence._archive import packed, unpacked
from sktransfer.persistence._skops_tree import Node, Tree, name_of, walk

#: Names that skops itself trusts: estimators, ufuncs, and types of NumPy's scalars.
ESTIMATORS = frozenset(_trusted_types.SKLEARN_ESTIMATOR_TYPE_NAMES)
UFUNCS = frozenset(_trusted_types.NUMPY_UFUNC_TYPE_NAMES + _trusted_types.SCIPY_UFUNC_TYPE_NAMES)
SCALARS = frozenset(_trusted_types.NUMPY_DTYPE_TYPE_NAMES)

_SCHEMA = "schema.json"
_NAMES = re.compile(r"schema\.json|\d+\.(bin|npy|npz)")

# skops still reads older protocols, with fewer checks.
_OLDEST_PROTOCOL = 2

# Whether two immutable values are one object does not matter, so their ids are left out.
_IMMUTABLE = frozenset(
    {"BytesNode", "ConstructorFromReduceNode", "DTypeNode", "FunctionNode", "JsonNode"}
    | {"SliceNode", "TupleNode", "TypeNode"}
)
_HEADER = 64  # bytes in which an array begins to describe its type


def tree_of(value: Any) -> Tree:
    """Return an object as a tree.

    Raises
    ------
    Exception
        Whatever skops or the object raise if it cannot be written.
    """
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(value))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    root = json.loads(files.pop(_SCHEMA))
    return Tree(root, _normalized(root, files))


def to_bytes(tree: Tree) -> bytes:
    """Return a tree as a file of skops's format."""
    return packed({_SCHEMA: json.dumps(tree.root).encode(), **tree.files})


def from_bytes(content: bytes, what: str) -> Tree:
    """Read a tree without constructing anything.

    Raises
    ------
    PersistenceError
        If it is damaged.
    """
    files = unpacked(content, _NAMES, what)
    root = parsed(files.pop(_SCHEMA, b""), f"the {_SCHEMA} of {what}")
    protocol = root.get("protocol") if isinstance(root, dict) else None
    if type(protocol) is not int or protocol < _OLDEST_PROTOCOL:
        raise PersistenceError(f"{what} has protocol {protocol!r}, which is not read.")
    return Tree(root, files)


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


def construct(tree: Tree, names: list[str]) -> Any:
    """Make the object of a checked tree, whose types and functions are `names`."""
    for _, node in tree.places:
        # scikit-learn would warn of its version per estimator; `load` warns once.
        if node["__loader__"] == "DictNode" and "_sklearn_version" in node["content"]:
            node["content"]["_sklearn_version"]["content"] = json.dumps(sklearn_version)
    # Written anew, so that skops reads only what was checked.
    return skops.io.loads(to_bytes(tree), trusted=names)


def _normalized(root: Node, files: dict[str, bytes]) -> dict[str, bytes]:
    """Replace memory addresses in ids and names of files by numbers in the order of the tree.

    Equal objects then give equal files. Change `root`, and return the renamed files.
    """
    nodes = [node for _, node in walk(root)]
    ids = Counter(n["__id__"] for n in nodes if n["__loader__"] not in _IMMUTABLE)
    numbers: dict[int, int] = {}
    names: dict[tuple[bytes, str], str] = {}
    for node in nodes:
        number = node.pop("__id__")
        if ids[number] > 1:
            node["__id__"] = numbers.setdefault(number, len(numbers) + 1)
        if "file" in node:
            kind = node["file"].rpartition(".")[2]
            content = _without_padding(files[node["file"]])
            node["file"] = names.setdefault((content, kind), f"{len(names)}.{kind}")
        if node["__loader__"] == "DictNode":
            _make_keys_readable(node)
    return {name: content for (content, _), name in names.items()}


def _without_padding(array: bytes) -> bytes:
    """Fill the padding between the fields of a structured array, which is not initialized."""
    if b"'descr': [" not in array[:_HEADER] or not array.startswith(np.lib.format.MAGIC_PREFIX):
        return array
    values = np.load(io.BytesIO(array), allow_pickle=False)
    clean = np.zeros(values.shape, values.dtype)  # zeros_like would leave the padding
    for name in values.dtype.names:
        clean[name] = values[name]
    # Not by np.save, whose buffer has padding of its own.
    return array[: len(array) - clean.nbytes] + clean.view(np.uint8).tobytes()


def _make_keys_readable(node: Node) -> None:
    """Write the key False as "", because skops reads keys by ``bool(key)``."""
    kinds = {name_of(kind) for kind in node["key_types"]["content"]}
    if kinds & {"builtins.bool", "numpy.bool"} and "false" in node["content"]:
        content = {"" if k == "false" else k: child for k, child in node["content"].items()}
        node["content"] = content
