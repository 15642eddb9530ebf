"""Names of types and functions that a file may contain without being asked about."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import scipy.sparse
import sklearn.feature_selection
import sklearn.metrics
from sklearn.base import BaseEstimator

from sktransfer._public import HOMES
from sktransfer.exceptions import PersistenceError, UntrustedError
from sktransfer.persistence._array_checks import BOOSTED_TREE, has_sound_boosting
from sktransfer.persistence._skops import ESTIMATORS, SCALARS, UFUNCS
from sktransfer.persistence._skops_tree import Node, Tree, name_of

# What scikit-learn's estimators hold besides estimators, all of it plain Python, by module.
_PARTS_OF_ESTIMATORS = {
    "calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
    "callback._progressbar": "ProgressBar",
    "compose._column_transformer": "_RemainderColsList make_column_selector",
    "ensemble._hist_gradient_boosting.binning": "_BinMapper",
    "gaussian_process._gpc": "_BinaryGaussianProcessClassifierLaplace",
    "metrics._scorer": "_CurveScorer _MultimetricScorer _PassthroughScorer _Scorer",
    # Estimators that scikit-learn lists only after an import that enables them.
    "model_selection._search_successive_halving": "HalvingGridSearchCV HalvingRandomSearchCV",
    "neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
}

# Modules all of whose classes are plain Python: links, losses, kernels and splitters.
_MODULES = ("_loss.link", "_loss.loss", "gaussian_process.kernels", "model_selection._split")

_PRIMITIVES = frozenset(f"builtins.{name}" for name in ("bool", "float", "int", "str"))
_NUMBERS = SCALARS - {"numpy.void"}
# What selectors of columns name; these types cannot be called with a number.
_ABSTRACT = frozenset(
    {"builtins.object", "numpy.generic", "numpy.number", "numpy.integer", "numpy.signedinteger"}
    | {"numpy.unsignedinteger", "numpy.inexact", "numpy.floating", "numpy.complexfloating"}
)

_SPARSE = (scipy.sparse.spmatrix, scipy.sparse.sparray)

# What may be in each kind of node that needs no list of scikit-learn's or ours.
_PLAIN_NODES = {
    "BytearrayNode": "builtins.bytearray",
    "BytesNode": "builtins.bytes",
    "ConstructorFromReduceNode": "builtins.frozenset pathlib.PosixPath pathlib.WindowsPath "
    "pathlib._local.PosixPath pathlib._local.WindowsPath",
    "DTypeNode": "numpy.dtype",
    "DefaultDictNode": "collections.defaultdict",
    "DictNode": "builtins.dict collections.OrderedDict sklearn.utils._bunch.Bunch",
    "JsonNode": "builtins.str",
    "ListNode": "builtins.list",
    "MaskedArrayNode": "numpy.ma.MaskedArray numpy.ma.core.MaskedArray",
    "RandomGeneratorNode": "numpy.random._generator.Generator",
    "RandomStateNode": "numpy.random.mtrand.RandomState",
    "SetNode": "builtins.set",
    "SliceNode": "builtins.slice",
    "TupleNode": "builtins.tuple",
}

# All other kinds of node call what they name with values of the file, so it must be a class.
_NOT_CALLING = frozenset({"FunctionNode", "MethodNode", "PartialNode", "TypeNode"})

_UNCHECKED = (
    "compiled code reads memory at places given by its numbers, and wrong ones crash the process"
)
_REASONS = {
    "sklearn.tree._tree.Tree": _UNCHECKED,
    "sklearn.neighbors._kd_tree.KDTree": _UNCHECKED,
    "sklearn.neighbors._ball_tree.BallTree": _UNCHECKED,
    BOOSTED_TREE: f"{_UNCHECKED}; checked only without categories and warm_start, where they fit",
}


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


def check_trusted(tree: Tree, trusted: frozenset[str], what: str) -> None:
    """Refuse a tree from which nothing is made yet if it has untrusted names, and list all.

    Raises
    ------
    UntrustedError
        If it has any.
    """
    unknown = untrusted(tree, trusted)
    if unknown:
        raise UntrustedError(
            f"{what} names types or functions that are not trusted, so nothing was loaded: "
            f"{listed(unknown)}",
            types=tuple(unknown),
        )


def untrusted(tree: Tree, trusted: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return the untrusted names in a tree, each with the first place where it occurs."""
    if has_sound_boosting(tree):
        trusted |= {BOOSTED_TREE}
    unknown: dict[str, str] = {}
    for place, node in tree.places:
        for name in _untrusted_names(node, trusted):
            unknown.setdefault(name, place or "the root")
    return dict(sorted(unknown.items()))


def listed(unknown: Mapping[str, str]) -> str:
    """Return untrusted names with their places, and how to load them."""
    names = "; ".join(f"{name} (at {place[:120]})" for name, place in unknown.items())
    reasons = "".join(f" Of {name}: {_REASONS[name]}." for name in unknown if name in _REASONS)
    return (
        f"{names}. If you know where the file comes from and what these do, name them: "
        f"load(path, trusted={list(unknown)!r}).{reasons}"
    )


def names_in(tree: Tree) -> list[str]:
    """Return the names of all types and functions in a tree."""
    return sorted({name for _, node in tree.places for name in _names(node)})


def types_of(tree: Tree) -> list[str]:
    """Return the names of the types and functions in a tree, except those of plain values."""
    return sorted(set(names_in(tree)) - _PRIMITIVES - _NUMBERS - {"numpy.ndarray"})


def _names(node: Node) -> list[str]:
    names = [name_of(node)]
    if node["__loader__"] == "MethodNode":
        names.append(f"{name_of(node)}.{node['content']['func']}")
    return names


def _untrusted_names(node: Node, trusted: frozenset[str]) -> list[str]:
    loader, name = node["__loader__"], name_of(node)
    known = _known().get(loader, frozenset())
    if name not in known and name in trusted and loader not in _NOT_CALLING:
        kind = getattr(import_module(node["__module__"]), node["__class__"], None)
        if not isinstance(kind, type):
            raise PersistenceError(f"it calls {name}, which is trusted as a function only")
    return [n for n in _names(node) if n not in known and n not in trusted]


@cache
def _known() -> Mapping[str, frozenset[str]]:
    """Return the names that each kind of node may have: no class is used as a function."""
    functions = (
        getattr(module, name)
        for module in (sklearn.metrics, sklearn.feature_selection)
        for name in module.__all__
    )
    ours = (getattr(import_module(home), name) for name, home in HOMES.items())
    parts = _PARTS_OF_ESTIMATORS.items()
    plain = {loader: frozenset(names.split()) for loader, names in _PLAIN_NODES.items()}
    return {
        **plain,
        "FunctionNode": UFUNCS | _names_of(functions, inspect.isfunction),
        "LossNode": _classes_of("_loss._loss", "linear_model._sgd_fast"),
        "NdArrayNode": _NUMBERS | {"numpy.ndarray"},
        "ObjectNode": ESTIMATORS
        | _names_of(ours, _is_subclass_of(BaseEstimator))
        | {f"sklearn.{home}.{name}" for home, names in parts for name in names.split()}
        | _classes_of(*_MODULES),
        "SparseMatrixNode": _names_of(vars(scipy.sparse).values(), _is_subclass_of(*_SPARSE)),
        "TypeNode": _NUMBERS | _PRIMITIVES | _ABSTRACT,
    }


def _classes_of(*modules: str) -> frozenset[str]:
    homes = (import_module(f"sklearn.{name}") for name in modules)
    found = _names_of((value for home in homes for value in vars(home).values()), inspect.isclass)
    return frozenset(name for name in found if name.startswith("sklearn."))


def _is_subclass_of(*bases: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, type) and issubclass(value, bases)


def _names_of(values: Iterable[Any], is_wanted: Callable[[Any], bool]) -> frozenset[str]:
    """Return the full names of those types and functions that are wanted."""
    return frozenset(f"{v.__module__}.{v.__name__}" for v in values if is_wanted(v))
