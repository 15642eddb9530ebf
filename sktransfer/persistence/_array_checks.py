"""Checks of the numbers that compiled code uses without a check of its own.

A wrong one would let it read or write outside of its arrays, and so crash the process.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.sparse
from sklearn import ensemble

from sktransfer.exceptions import PersistenceError
from sktransfer.persistence._skops import ESTIMATORS
from sktransfer.persistence._skops_tree import Node, Tree, attributes_of, name_of

Files = Mapping[str, bytes]

# Bytes of the arrays of a sparse matrix, which are compressed, after they are read.
_LARGEST_SPARSE = 2 << 30
# An axis may exceed the number of bytes by this much: one of length 0 can hide any other.
_AXIS_MARGIN = 1 << 16
_KINDS_OF_SCALARS = "biufcUSmM"
_KEY_TYPE = re.compile(r"builtins\.(bool|float|int|str)|numpy\.\w+")
_STATE_WORDS = 624  # of the Mersenne Twister

_LIBSVM = frozenset(
    f"sklearn.svm._classes.{kind}" for kind in ("NuSVC", "NuSVR", "OneClassSVM", "SVC", "SVR")
)
_BOOSTING = {
    f"{kind.__module__}.{kind.__name__}": kind
    for kind in (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
}
#: The trees of histogram boosting, which are trusted only where they are checked.
BOOSTED_TREE = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"


def check_content(tree: Tree) -> None:
    """Refuse numbers that would make compiled code read or write outside of its arrays.

    Raises
    ------
    PersistenceError
        With the place of the first one.
    """
    for place, node in tree.places:
        check = _CHECKS.get(node["__loader__"])
        try:
            if check:
                check(node, tree.files)
        except Exception as error:  # whatever a wrong number leads to
            reason = str(error) or type(error).__name__
            raise PersistenceError(f"{place[:200] or 'the root'!r} is damaged: {reason}") from error


def has_sound_boosting(tree: Tree) -> bool:
    """Return whether no tree of histogram boosting can lead out of its arrays."""
    models = (node for _, node in tree.places if name_of(node) in _BOOSTING)
    try:
        return all(_is_sound_boosting(node, tree.files) for node in models)
    except Exception:  # whatever a wrong number leads to
        return False


def _check_array(node: Node, files: Files) -> None:
    if node["type"] != "numpy":
        if name_of(node) != "numpy.ndarray":
            raise ValueError(f"{name_of(node)} cannot hold objects")
        return
    shape, dtype = _header(files[node["file"]])
    if name_of(node) == "numpy.ndarray":
        return
    kind = np.dtype(getattr(np, node["__class__"])).kind
    # Scalar types called with a number allocate that many bytes.
    if shape or dtype.kind not in _KINDS_OF_SCALARS or kind != dtype.kind:
        raise ValueError(f"an array of {dtype} {shape} is no {name_of(node)}")


def _header(content: bytes) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and type of an array, and check that it has as many bytes."""
    file = io.BytesIO(content)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[np.lib.format.read_magic(file)]
    shape, _, dtype = read(file)
    there = len(content) - file.tell()
    is_whole = math.prod(shape) * dtype.itemsize == there
    if dtype.hasobject or not is_whole or any(axis > there + _AXIS_MARGIN for axis in shape):
        raise ValueError(f"an array of {dtype} {shape} does not have {there} bytes")
    return shape, dtype


def _check_sparse(node: Node, files: Files) -> None:
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


def _check_keys(node: Node, files: Files) -> None:
    """Check that keys are made by plain types: skops calls whatever the file names for that."""
    kinds = node["key_types"]
    is_list = kinds["__loader__"] == "ListNode" and len(kinds["content"]) == len(node["content"])
    plain = is_list and all(
        kind["__loader__"] == "TypeNode" and _KEY_TYPE.fullmatch(name_of(kind))
        for kind in kinds["content"]
    )
    if not plain:
        raise ValueError("its keys are none of bool, float, int and str")


def _check_random_state(node: Node, files: Files) -> None:
    parts = attributes_of(node["content"])
    state = attributes_of(parts["state"])
    key, position = _header(files[state["key"]["file"]]), _value(state["pos"])
    is_twister = _value(parts["bit_generator"]) == "MT19937"
    is_inside = type(position) is int and 0 <= position <= _STATE_WORDS
    if not (is_twister and is_inside and key == ((_STATE_WORDS,), np.dtype(np.uint32))):
        raise ValueError("it is no state of numpy.random.RandomState(seed)")


def _check_generator(node: Node, files: Files) -> None:
    """Allow numpy.random.default_rng: other bit generators have positions in buffers."""
    generator = attributes_of(node["content"]["bit_generator"])
    pool = _value(attributes_of(node["content"]["seed_seq"])["pool_size"])  # is allocated
    if _value(generator["bit_generator"]) != "PCG64" or type(pool) is not int or pool != 4:
        raise ValueError("it is no state of numpy.random.default_rng(seed)")


def _check_object(node: Node, files: Files) -> None:
    name, content = name_of(node), node.get("content")
    is_ours = name.startswith("sktransfer.")
    if (name in ESTIMATORS or is_ours) and (content is None or content["__loader__"] == "JsonNode"):
        raise ValueError(f"a {node['__class__']} lacks its attributes")
    if name in _LIBSVM:
        _check_support_vectors(attributes_of(node), files)


def _check_support_vectors(attributes: Mapping[str, Node], files: Files) -> None:
    if "support_vectors_" not in attributes:
        return
    if _value(attributes["_sparse"]) is not False:
        raise ValueError("a support vector machine of a sparse matrix cannot be checked")
    shape = {
        name: _header(files[attributes[name]["file"]])[0]
        for name in ("support_vectors_", "_dual_coef_", "_intercept_", "_n_support")
    }
    classes = max(2, *shape["_n_support"])
    pairs = classes * (classes - 1) // 2
    vectors = shape["support_vectors_"][0]
    if shape["_dual_coef_"] != (classes - 1, vectors) or shape["_intercept_"] != (pairs,):
        raise ValueError(f"the arrays of a support vector machine do not fit together: {shape}")


def _is_sound_boosting(node: Node, files: Files) -> bool:
    """Return whether all trees of a model stay within their nodes and the model's features.

    Only `n_features_in_` is compared with the columns of X, and only where nothing encodes
    categories before. A fit that goes on from the trees compares nothing.
    """
    attributes = attributes_of(node)
    if "_predictors" not in attributes:
        return True
    numeric = _value(attributes["_preprocessor"]) is None
    restarts = _value(attributes["warm_start"]) is False and "_in_fit" not in attributes
    hides_methods = any(callable(getattr(_BOOSTING[name_of(node)], n, None)) for n in attributes)
    n_features = _value(attributes["n_features_in_"])
    rounds = attributes["_predictors"]["content"]
    lists = [attributes["_predictors"], *rounds]
    return (
        (numeric and restarts and not hides_methods and type(n_features) is int)
        and all(node["__loader__"] == "ListNode" for node in lists)
        and all(
            _is_sound_tree(n, n_features, files) for round_ in rounds for n in round_["content"]
        )
    )


def _is_sound_tree(node: Node, n_features: int, files: Files) -> bool:
    """Return whether nodes form one tree, whose children follow their parents."""
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    array = attributes_of(node)["nodes"]
    kinds = (node["__loader__"], name_of(node), name_of(array), array["type"])
    if kinds != ("ObjectNode", BOOSTED_TREE, "numpy.ndarray", "numpy"):
        return False
    nodes = np.load(io.BytesIO(files[array["file"]]), allow_pickle=False)
    if nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
        return False
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    left, right, feature = (nodes[name][inner] for name in ("left", "right", "feature_idx"))
    children = np.sort(np.concatenate([left, right]))
    return bool(
        np.array_equal(children, np.arange(1, len(nodes)))
        and (np.minimum(left, right) > inner).all()
        and ((feature >= 0) & (feature < n_features)).all()
        and not nodes["is_categorical"].any()
    )


def _value(node: Node) -> Any:
    """Return a plain value."""
    if node["__loader__"] != "JsonNode":
        raise ValueError(f"{name_of(node)} is no plain value")
    return json.loads(node["content"])


_CHECKS: dict[str, Callable[[Node, Files], None]] = {
    "DictNode": _check_keys,
    "NdArrayNode": _check_array,
    "ObjectNode": _check_object,
    "RandomGeneratorNode": _check_generator,
    "RandomStateNode": _check_random_state,
    "SparseMatrixNode": _check_sparse,
}
