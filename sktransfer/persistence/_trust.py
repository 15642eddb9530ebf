"""Names of types and functions that a file may contain, besides those that skops trusts."""

from __future__ import annotations

import inspect
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import scipy.sparse
import sklearn.feature_selection
import sklearn.metrics
from scipy.interpolate import BSpline
from sklearn.base import BaseEstimator
from sklearn.metrics import pairwise

from sktransfer._public import HOMES
from sktransfer.exceptions import PersistenceError, UntrustedError
from sktransfer.persistence._array_checks import (
    check_numbers,
    has_sound_boosting,
    has_unchecked_boosting,
)
from sktransfer.persistence._skops import Node, construct, from_bytes, name_of, walk

#: The trees of histogram boosting, which are trusted where they can be checked.
BOOSTED_TREE = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"

# What scikit-learn's estimators hold besides estimators, all of it plain Python, by module.
_PARTS_OF_ESTIMATORS = {
    "calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
    "callback._progressbar": "ProgressBar",
    "cluster._bisect_k_means": "_BisectingTree",
    "cluster._kmeans": "_kmeans_single_elkan _kmeans_single_lloyd",
    "compose._column_transformer": "_RemainderColsList make_column_selector",
    "_loss.loss": "HalfTweedieLoss HalfTweedieLossIdentity",
    "gaussian_process._gpc": "_BinaryGaussianProcessClassifierLaplace",
    "impute._iterative": "IterativeImputer",
    "metrics._scorer": "_CurveScorer _MultimetricScorer _PassthroughScorer _Scorer",
    # Estimators that scikit-learn lists only after an import that enables them.
    "model_selection._search_successive_halving": "HalvingGridSearchCV HalvingRandomSearchCV",
    "multiclass": "_ConstantPredictor",
    "neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
}
# Functions of arrays that are values of parameters.
_OF_ARRAYS = (
    *(np.mean, np.median, np.max, np.min, np.sum, np.std, np.var, np.nan_to_num, np.clip, np.round),
    *pairwise.PAIRWISE_DISTANCE_FUNCTIONS.values(),
    *pairwise.PAIRWISE_KERNEL_FUNCTIONS.values(),
)
# Modules all of whose classes are plain Python: kernels and splitters.
_MODULES = ("gaussian_process.kernels", "model_selection._split")

# Types that a file may call with its values.
_CALLED = frozenset(
    {"builtins.frozenset", "sklearn.utils._bunch.Bunch", "pathlib.PosixPath", "pathlib.WindowsPath"}
    | {"sklearn.impute._iterative._ImputerTriplet"}
    | {"datetime.date", "datetime.datetime", "datetime.time", "datetime.timedelta"}
    | {"datetime.timezone", "decimal.Decimal", "uuid.UUID"}
    | {"pathlib._local.PosixPath", "pathlib._local.WindowsPath", "numpy.ma.core.MaskedArray"}
)
# What selectors of columns name; these types cannot be called with a number.
_ABSTRACT = frozenset(
    {"builtins.object", "numpy.generic", "numpy.number", "numpy.integer", "numpy.signedinteger"}
    | {"numpy.unsignedinteger", "numpy.inexact", "numpy.floating", "numpy.complexfloating"}
    | {"numpy.dtype"}
)
# Kinds of node that do not call what they name.
_NOT_CALLING = frozenset(
    {"DTypeNode", "FunctionNode", "MethodNode", "ObjectNode", "PartialNode", "SparseMatrixNode"}
    | {"TypeNode"}
)

_KEY_TYPE = re.compile(r"builtins\.(bool|float|int|str)|numpy\.\w+")
# Bytes of the arrays of a sparse matrix, which are compressed, after they are read.
_LARGEST_SPARSE = 2 << 30

_TREES = ("._tree.Tree", ".KDTree", ".BallTree", ".TreePredictor")
_UNCHECKED_TREES = {BOOSTED_TREE: "some _predictors"}
_UNCHECKED = (
    " Compiled code reads memory where the numbers of a tree point, and wrong ones crash the "
    "process; those of histogram boosting are checked unless it has categories or warm_start."
)


def names_of(trusted: Iterable[str | type | Callable[..., Any]] | str) -> frozenset[str]:
    """Return the full names of what a user trusts.

    Raises
    ------
    PersistenceError
        If an entry is neither a name nor a type or function.
    """
    items = [trusted] if isinstance(trusted, str) or callable(trusted) else list(trusted)
    odd = [item for item in items if not isinstance(item, str) and not hasattr(item, "__name__")]
    if odd:
        raise PersistenceError(
            f"trusted={odd[0]!r}: give full names such as 'package.module.Class', or the types "
            "and functions themselves."
        )
    return frozenset(i if isinstance(i, str) else f"{i.__module__}.{i.__name__}" for i in items)


def read_object(
    content: bytes, trusted: frozenset[str] | None, what: str
) -> tuple[Any, dict[str, str]]:
    """Read an object, and the untrusted names in its file, each with its first place.

    Parameters
    ----------
    content : bytes
        From `to_bytes`, or a forgery.
    trusted : frozenset of str or None
        What the user trusts; None to construct the object whatever it names.
    what : str
        Name of the content in errors.

    Raises
    ------
    UntrustedError
        If there are untrusted names.
    PersistenceError
        If it is damaged, would call what is no type, or has numbers that could crash a process.
    """
    allowed = known() | (trusted or frozenset())
    root = from_bytes(content, allowed, what)
    unknown = _places_of(root.get_unsafe_set() - allowed, root)
    by_user = frozenset(unknown) if trusted is None else trusted
    # All names at once, although trees are checked only after the others are trusted.
    if unknown and BOOSTED_TREE not in by_user and has_unchecked_boosting(root):
        unknown |= _UNCHECKED_TREES
    _refuse(unknown if trusted is not None else {}, what)
    for place, node in walk(root):
        if reason := _problem(node, by_user):
            raise PersistenceError(f"{place[:200] or 'the root'!r} is refused: {reason}")
    value = construct(root)
    check_numbers(root)
    if BOOSTED_TREE not in by_user and not has_sound_boosting(root):
        unknown |= _UNCHECKED_TREES
        _refuse(unknown if trusted is not None else {}, what)
    return value, unknown


def _places_of(names: Iterable[str], root: Node) -> dict[str, str]:
    """Return the first place of each name, of a bound method where its object's class is."""
    places: dict[str, str] = {}
    for place, node in walk(root) if names else ():
        for name in (name_of(node), f"{name_of(node)}.{getattr(node, 'func', '')}"):
            places.setdefault(name, place)
    return {name: places.get(name) or "the root" for name in sorted(names)}


def _refuse(unknown: Mapping[str, str], what: str) -> None:
    if unknown:
        raise UntrustedError(
            f"{what} names types or functions that are not trusted, so nothing was loaded: "
            f"{listed(unknown)}",
            types=tuple(unknown),
        )


def listed(unknown: Mapping[str, str]) -> str:
    """Return untrusted names with their places, and how to load them."""
    names = "; ".join(f"{name} (at {place[:120]})" for name, place in unknown.items())
    reason = _UNCHECKED if any(name.endswith(_TREES) for name in unknown) else ""
    return (
        f"{names}. If you know where the file comes from and what these do, name them: "
        f"load(path, trusted={list(unknown)!r}).{reason}"
    )


def _problem(node: Node, trusted: frozenset[str]) -> str:
    kind, name = type(node).__name__, name_of(node)
    if _is_dict(node) and not all(_is_key_type(key) for key in node.key_types.content):
        return "its keys are none of bool, float, int and str"
    if kind == "NdArrayNode" and name in ("numpy.bytes_", "numpy.void"):
        return f"{name} called with a number allocates that many bytes"
    if kind == "RandomGeneratorNode":  # others have positions in buffers; the pool is allocated
        pool = node.seed_seq_state.content["pool_size"].content
        if node.bit_generator_name != "PCG64" or pool != "4":
            return "it is no state of numpy.random.default_rng(seed)"
    if kind == "ObjectNode" and name.startswith("sktransfer.") and not _is_dict(node.attrs):
        return f"a {node.class_name} lacks its attributes"
    if kind == "SparseMatrixNode":
        with zipfile.ZipFile(node.content) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _LARGEST_SPARSE:
            return f"a sparse matrix would take {size:,} bytes"
    if kind not in _NOT_CALLING and name in (known() | trusted) - _CALLED:
        home = import_module(node.module_name)
        if name not in trusted or not isinstance(getattr(home, node.class_name, None), type):
            return f"it calls {name}, which is trusted only as what it is"
    return ""


def _is_dict(node: Node | None) -> bool:
    return type(node).__name__ == "DictNode"


def _is_key_type(node: Node) -> bool:
    return type(node).__name__ == "TypeNode" and bool(_KEY_TYPE.fullmatch(name_of(node)))


@cache
def known() -> frozenset[str]:
    """Return the names that are trusted besides those that skops trusts."""
    functions = (
        getattr(module, name)
        for module in (sklearn.metrics, sklearn.feature_selection)
        for name in module.__all__
    )
    ours = (getattr(import_module(home), name) for name, home in HOMES.items())
    homes = [vars(import_module(f"sklearn.{name}")).values() for name in _MODULES]
    classes = _names_of((value for values in homes for value in values), inspect.isclass)
    parts = _PARTS_OF_ESTIMATORS.items()
    sparse = (scipy.sparse.spmatrix, scipy.sparse.sparray)
    spline = BSpline([0.0, 1.0], [0.0], 0)  # SplineTransformer holds such
    of_splines = [BSpline, getattr(spline, "_asarray", BSpline)]
    return (
        _CALLED
        | _ABSTRACT
        | {BOOSTED_TREE}
        | _names_of((*_OF_ARRAYS, *of_splines), callable)
        | _names_of(functions, inspect.isfunction)
        | _names_of(ours, _is_subclass_of(BaseEstimator))
        | {f"sklearn.{home}.{name}" for home, names in parts for name in names.split()}
        | {name for name in classes if name.startswith("sklearn.")}
        | _names_of(vars(scipy.sparse).values(), _is_subclass_of(*sparse))
    )


def _is_subclass_of(*bases: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, type) and issubclass(value, bases)


def _names_of(values: Iterable[Any], is_wanted: Callable[[Any], bool]) -> frozenset[str]:
    """Return the full names of those types and functions that are wanted."""
    return frozenset(f"{v.__module__}.{v.__name__}" for v in values if is_wanted(v))
