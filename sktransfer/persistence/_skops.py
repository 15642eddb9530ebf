"""Objects in the format of skops, and back: the only module that uses skops."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import skops.io
from sklearn.exceptions import InconsistentVersionWarning
from skops.io import _audit, _protocol, _utils

from sktransfer._warnings import warnings_ignored
from sktransfer.exceptions import PersistenceError
from sktransfer.persistence._archive import packed, unpacked

#: A part of a file, of which `construct` makes an object. skops audits these before.
Node: TypeAlias = Any

_SCHEMA = "schema.json"
_NAMES = re.compile(r"schema\.json|\d+\.(bin|npy|npz)")

# Whether two immutable values are one object does not matter, so their ids are left out.
_IMMUTABLE = frozenset(
    {"BytesNode", "ConstructorFromReduceNode", "DTypeNode", "FunctionNode", "JsonNode"}
    | {"SliceNode", "TupleNode", "TypeNode"}
)
_HEADER = 64  # bytes in which an array begins to describe its type


def to_bytes(value: Any) -> bytes:
    """Return an object in skops's format; equal objects give equal bytes.

    Raises
    ------
    Exception
        Whatever skops or the object raise if it cannot be written.
    """
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(value))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return packed(_normalized(files.pop(_SCHEMA), files))


def from_bytes(content: bytes, trusted: frozenset[str], what: str) -> Node:
    """Return the root of the nodes in a file; nothing is constructed or imported.

    Parameters
    ----------
    content : bytes
        From `to_bytes`, or a forgery.
    trusted : frozenset of str
        Names that are trusted besides those that skops trusts itself.
    what : str
        Name of the content in errors.

    Raises
    ------
    PersistenceError
        If it is damaged.
    """
    unpacked(content, _NAMES, what)  # which refuses what `packed` does not write
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema, context = _utils.read_schema(archive)
        if context.protocol != _protocol.PROTOCOL:  # skops reads older ones with fewer checks
            raise PersistenceError(f"{what} has protocol {context.protocol}, which is not read.")
        return _audit.get_tree(schema, context, trusted=sorted(trusted))


def construct(root: Node) -> Any:
    """Make the object of a file whose nodes were checked."""
    with warnings_ignored(InconsistentVersionWarning):  # `load` warns once of all versions
        return root.construct()


def name_of(node: Node) -> str:
    """Return the full name of a node's type or function."""
    return f"{node.module_name}.{node.class_name}"


def walk(node: Node, place: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Node]]:
    """Yield each node once, with the first place where it occurs, such as ``.steps[0][1]``."""
    seen = set() if seen is None else seen
    if id(node) in seen:
        return
    seen.add(id(node))
    yield place, node
    for name, child in node.children.items():
        start = place if name in ("attrs", "content") else f"{place}.{name}"
        children = {start: child}
        if isinstance(child, list):
            children = {f"{start}[{number}]": item for number, item in enumerate(child)}
        elif isinstance(child, dict):
            children = {f"{start}{_label(key)}": item for key, item in child.items()}
        for inner, item in children.items():
            if isinstance(item, _audit.Node):
                yield from walk(item, inner, seen)


def _label(key: str) -> str:
    return f".{key}" if key.isidentifier() else f"[{key!r}]"


def _normalized(schema: bytes, files: dict[str, bytes]) -> dict[str, bytes]:
    """Replace memory addresses, in ids and names of files, by numbers in the order of nodes."""
    nodes: list[dict[str, Any]] = []

    def collect(entries: dict[str, Any]) -> dict[str, Any]:
        if "__loader__" in entries:
            nodes.append(entries)
        return entries

    root = json.loads(schema, object_hook=collect)
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
    renamed = {name: content for (content, _), name in names.items()}
    return {_SCHEMA: json.dumps(root).encode(), **renamed}


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


def _make_keys_readable(node: dict[str, Any]) -> None:
    """Write the key False as "", because skops reads keys by ``bool(key)``."""
    kinds = {kind["__class__"] for kind in node["key_types"]["content"]}
    if "bool" in kinds and "false" in node["content"]:
        content = {"" if k == "false" else k: child for k, child in node["content"].items()}
        node["content"] = content
