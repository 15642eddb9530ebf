"""Numbers that compiled code takes at their word: checked, because wrong ones crash a process."""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from sktransfer.exceptions import PersistenceError
from sktransfer.persistence._nodes import Node, Tree, attributes_of, loader_of, name_of
from sktransfer.persistence._trust import estimator_names

# Bytes that a sparse matrix may have when its arrays, which are compressed, are read.
_LARGEST_SPARSE = 2 << 30
# An axis may be so much longer than its array has bytes: one of length 0 can hide any other.
_FREE = 1 << 16

_KINDS_OF_SCALARS = "biufcUSmM"
_KEY_TYPE = re.compile(r"builtins\.(bool|float|int|str)|numpy\.\w+")

_STATE_WORDS = 624  # of the Mersenne Twister

_LIBSVM = frozenset(
    f"sklearn.svm._classes.{kind}" for kind in ("NuSVC", "NuSVR", "OneClassSVM", "SVC", "SVR")
)


class Header(NamedTuple):
    """What an array says of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype


def check_content(tree: Tree) -> None:
    """Refuse numbers that would make compiled code read or write where it must not.

    Raises
    ------
    PersistenceError
        Naming the place of the first one.
    """
    for place, node in tree.places:
        try:
            _CHECKS.get(loader_of(node), _nothing)(node, tree.files)
        except Exception as error:  # whatever a wrong number leads to
            reason = str(error) or type(error).__name__
            raise PersistenceError(
                f"what lies at {place[:200] or 'its root'!r} is damaged: {reason}"
            ) from error


def _nothing(node: Node, files: Mapping[str, bytes]) -> None:
    pass


def _array(node: Node, files: Mapping[str, bytes]) -> None:
    if node["type"] != "numpy":
        if name_of(node) != "numpy.ndarray":
            raise ValueError(f"{name_of(node)} cannot hold objects")
        return
    header = _header(files[node["file"]])
    if name_of(node) == "numpy.ndarray":
        return
    kind = np.dtype(getattr(np, node["__class__"]))
    # NumPy's types make memory of numbers, as many bytes of it as a number says.
    if header.shape or header.dtype.kind not in _KINDS_OF_SCALARS or kind.kind != header.dtype.kind:
        raise ValueError(f"an array of {header.dtype} {header.shape} is no {name_of(node)}")


def _header(content: bytes) -> Header:
    """Read the header of an array, and see to it that there are as many bytes as it says."""
    file = io.BytesIO(content)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[np.lib.format.read_magic(file)]
    shape, _, dtype = read(file)
    there = len(content) - file.tell()
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != there:
        raise ValueError(f"an array of {dtype} {shape} does not have {there} bytes")
    if any(axis > there + _FREE for axis in shape):
        raise ValueError(f"an array with the shape {shape} has only {there} bytes")
    return Header(shape, dtype)


def _sparse(node: Node, files: Mapping[str, bytes]) -> None:
    content = files[node["file"]]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        if size > _LARGEST_SPARSE:
            raise ValueError(f"a sparse matrix would take {size:,} bytes")
        for entry in archive.infolist():
            _header(archive.read(entry))
    matrix = scipy.sparse.load_npz(io.BytesIO(content))
    if f"{type(matrix).__module__}.{type(matrix).__name__}" != name_of(node):
        raise ValueError(f"a {type(matrix).__name__} is no {name_of(node)}")
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)


def _keys(node: Node, files: Mapping[str, bytes]) -> None:
    """See to it that keys become keys by plain types: whatever stands there would be called."""
    kinds = node["key_types"]
    plain = loader_of(kinds) == "ListNode" and len(kinds["content"]) == len(node["content"])
    if not plain or not all(_is_key_type(kind) for kind in kinds["content"]):
        raise ValueError("its keys are none of bool, float, int and str")


def _is_key_type(node: Any) -> bool:
    return loader_of(node) == "TypeNode" and _KEY_TYPE.fullmatch(name_of(node)) is not None


def _random_state(node: Node, files: Mapping[str, bytes]) -> None:
    parts = attributes_of(node["content"])
    state = attributes_of(parts["state"])
    key, place = _header(files[state["key"]["file"]]), json.loads(state["pos"]["content"])
    twister = json.loads(parts["bit_generator"]["content"]) == "MT19937"
    inside = type(place) is int and 0 <= place <= _STATE_WORDS
    if not (twister and inside and key == ((_STATE_WORDS,), np.dtype(np.uint32))):
        raise ValueError("it is no state of numpy.random.RandomState(seed)")


def _object(node: Node, files: Mapping[str, bytes]) -> None:
    content = node.get("content")
    if content is None or loader_of(content) == "JsonNode":
        if name_of(node) in estimator_names():
            raise ValueError(f"a {node['__class__']} lacks its attributes")
        return
    if name_of(node) in _LIBSVM:
        _support_vectors(attributes_of(content), files)


def _support_vectors(attributes: Mapping[str, Node], files: Mapping[str, bytes]) -> None:
    if "support_vectors_" not in attributes:
        return
    if json.loads(attributes["_sparse"]["content"]) is not False:
        raise ValueError("a support vector machine of a sparse matrix cannot be checked")
    shape = {
        name: _header(files[attributes[name]["file"]]).shape
        for name in ("support_vectors_", "_dual_coef_", "_intercept_", "_n_support")
    }
    classes = max(2, *shape["_n_support"])
    pairs = classes * (classes - 1) // 2
    vectors = shape["support_vectors_"][0]
    if shape["_dual_coef_"] != (classes - 1, vectors) or shape["_intercept_"] != (pairs,):
        raise ValueError(f"the arrays of a support vector machine do not fit together: {shape}")


_CHECKS: dict[str, Any] = {
    "DictNode": _keys,
    "NdArrayNode": _array,
    "ObjectNode": _object,
    "RandomStateNode": _random_state,
    "SparseMatrixNode": _sparse,
}
