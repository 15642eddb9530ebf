"""Which types a file may name without being asked about, and as what."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.utils import all_estimators

from sktransfer.exceptions import PersistenceError, UntrustedError
from sktransfer.persistence._nodes import Node, Tree, loader_of, name_of

# Of ours: six estimators, and what they learned of targets.
_OURS = frozenset(
    {
        "sktransfer.embedders._image.ImageEmbedder",
        "sktransfer.embedders._text.TextEmbedder",
        "sktransfer.finetune._image_classifier.ImageClassifier",
        "sktransfer.finetune._image_regressor.ImageRegressor",
        "sktransfer.finetune._tasks.ClassTask",
        "sktransfer.finetune._tasks.LabelTask",
        "sktransfer.finetune._tasks.ValueTask",
        "sktransfer.finetune._text_classifier.TextClassifier",
        "sktransfer.finetune._text_regressor.TextRegressor",
    }
)

# Of scikit-learn: what its estimators keep beside estimators, all of it plain Python.
_BESIDE = frozenset(
    f"sklearn.{name}"
    for name in (
        "calibration._CalibratedClassifier",
        "calibration._SigmoidCalibration",
        "calibration._TemperatureScaling",
        "callback._progressbar.ProgressBar",
        "compose._column_transformer._RemainderColsList",
        "ensemble._hist_gradient_boosting.binning._BinMapper",
        "gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "metrics._scorer._CurveScorer",
        "metrics._scorer._MultimetricScorer",
        "metrics._scorer._PassthroughScorer",
        "metrics._scorer._Scorer",
        # These two are estimators, but listed by scikit-learn only where they were asked for.
        "model_selection._search_successive_halving.HalvingGridSearchCV",
        "model_selection._search_successive_halving.HalvingRandomSearchCV",
        "neural_network._stochastic_optimizers.AdamOptimizer",
        "neural_network._stochastic_optimizers.SGDOptimizer",
        "utils._metadata_requests.MetadataRequest",
        "utils._metadata_requests.MethodMetadataRequest",
    )
)

# All classes in these: splitters, kernels, losses and their links.
_MODULES = (
    "sklearn._loss.link",
    "sklearn._loss.loss",
    "sklearn.gaussian_process.kernels",
    "sklearn.model_selection._split",
)

_BUNCH = "sklearn.utils._bunch.Bunch"
_PATHS = frozenset(
    f"{module}.{kind}"
    for module in ("pathlib", "pathlib._local")
    for kind in ("PosixPath", "WindowsPath")
)
_PRIMITIVES = frozenset(f"builtins.{name}" for name in ("bool", "float", "int", "str"))

# All other kinds of node call what they name with what the file says, so that must be a class.
_NOT_CALLING = frozenset({"FunctionNode", "MethodNode", "PartialNode", "TypeNode"})

# Why some types of scikit-learn's are not trusted, although they run no code of the file's.
_BY_NUMBERS = (
    "compiled code reads memory at places that these numbers name, without a check, so wrong "
    "ones crash the process when it predicts"
)
_REASONS = {
    "sklearn.tree._tree.Tree": _BY_NUMBERS,
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": _BY_NUMBERS,
    "sklearn.neighbors._kd_tree.KDTree": _BY_NUMBERS,
    "sklearn.neighbors._ball_tree.BallTree": _BY_NUMBERS,
}


def names_of(trusted: Iterable[str | type | Callable[..., Any]] | str) -> frozenset[str]:
    """Return the full names of what a user trusts.

    Raises
    ------
    PersistenceError
        If something is neither a name nor a type or function.
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
    """Refuse a tree with names that nobody trusts, and list them all.

    Parameters
    ----------
    tree : Tree
        Of which nothing has been made yet.
    trusted : frozenset of str
        What the user trusts besides.
    what : str
        Names the file, for the message.

    Raises
    ------
    UntrustedError
        If there are others.
    """
    unknown: dict[str, str] = {}
    for place, node in tree.places:
        for name in _strange_names(node, trusted):
            unknown.setdefault(name, place or "the whole")
    if unknown:
        raise UntrustedError(_told(unknown, what), types=tuple(sorted(unknown)))


def names_in(tree: Tree) -> list[str]:
    """Return all names of types and functions that a tree has."""
    return sorted({name for _, node in tree.places for name in _names(node)})


def types_of(tree: Tree) -> list[str]:
    """Return the names of the classes and functions in a tree, those of plain values left out."""
    plain = _PRIMITIVES | _by_loader()["NdArrayNode"]
    return sorted(set(names_in(tree)) - plain)


def _names(node: Node) -> list[str]:
    names = [name_of(node)]
    if loader_of(node) == "MethodNode":
        names.append(f"{name_of(node)}.{node['content']['func']}")
    return names


def _strange_names(node: Node, trusted: frozenset[str]) -> list[str]:
    loader = loader_of(node)
    known = _by_loader().get(loader, frozenset())
    strange = [name for name in _names(node) if name not in known and name not in trusted]
    by_user = not strange and name_of(node) not in known
    if by_user and loader not in _NOT_CALLING and not _is_class(node):
        raise PersistenceError(f"it calls {name_of(node)}, which is trusted as a function only")
    return strange


def _is_class(node: Node) -> bool:
    return isinstance(getattr(import_module(node["__module__"]), node["__class__"], None), type)


@cache
def _by_loader() -> Mapping[str, frozenset[str]]:
    """Return what each kind of node may name: a class is nowhere taken for a function."""
    sequences = {f"{k.title()}Node": frozenset({f"builtins.{k}"}) for k in ("list", "set", "tuple")}
    scalars = {kind for kind in np.sctypeDict.values() if kind.__module__ == "numpy"}
    numbers = frozenset(f"numpy.{kind.__name__}" for kind in scalars) - {"numpy.void"}
    return {
        **sequences,
        "BytearrayNode": frozenset({"builtins.bytearray"}),
        "BytesNode": frozenset({"builtins.bytes"}),
        "ConstructorFromReduceNode": _PATHS | {"builtins.frozenset"},
        "DTypeNode": frozenset({"numpy.dtype"}),
        "DefaultDictNode": frozenset({"collections.defaultdict"}),
        "DictNode": frozenset({"builtins.dict", "collections.OrderedDict", _BUNCH}),
        "FunctionNode": _functions(),
        "JsonNode": frozenset({"builtins.str"}),
        "LossNode": _classes_of("sklearn._loss._loss", "sklearn.linear_model._sgd_fast"),
        "MaskedArrayNode": frozenset({"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"}),
        "NdArrayNode": numbers | {"numpy.ndarray"},
        "ObjectNode": estimator_names() | _BESIDE | _classes_of(*_MODULES),
        "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
        "SliceNode": frozenset({"builtins.slice"}),
        "SparseMatrixNode": _sparse(),
        "TypeNode": numbers | _PRIMITIVES,
    }


@cache
def estimator_names() -> frozenset[str]:
    """Return the full names of our estimators and of scikit-learn's."""
    return _OURS | _of_sklearn(kind for _, kind in all_estimators())


def _classes_of(*modules: str) -> frozenset[str]:
    found = (inspect.getmembers(import_module(name), inspect.isclass) for name in modules)
    return _of_sklearn(kind for members in found for _, kind in members)


def _of_sklearn(kinds: Iterable[type]) -> frozenset[str]:
    names = (f"{kind.__module__}.{kind.__name__}" for kind in kinds)
    return frozenset(name for name in names if name.startswith("sklearn."))


def _functions() -> frozenset[str]:
    """Return functions of numbers: ufuncs, scikit-learn's metrics and scores of features."""
    import scipy.special
    import sklearn.feature_selection
    import sklearn.metrics

    ufuncs = [
        (value, home, name)
        for home, module in (("numpy", np), ("scipy.special._ufuncs", scipy.special))
        for name, value in vars(module).items()
        if isinstance(value, np.ufunc)
    ]
    # Older versions of NumPy do not say where a ufunc is from.
    named = {f"{getattr(value, '__module__', None) or home}.{name}" for value, home, name in ufuncs}
    for module in (sklearn.metrics, sklearn.feature_selection):
        found = (getattr(module, name) for name in module.__all__)
        named |= {f"{f.__module__}.{f.__name__}" for f in found if inspect.isfunction(f)}
    return frozenset(named)


def _sparse() -> frozenset[str]:
    bases = (scipy.sparse.spmatrix, scipy.sparse.sparray)
    kinds = [k for k in vars(scipy.sparse).values() if isinstance(k, type) and issubclass(k, bases)]
    return frozenset(f"{kind.__module__}.{kind.__name__}" for kind in kinds)


def _told(unknown: Mapping[str, str], what: str) -> str:
    listed = "; ".join(f"{name} (at {place[:120]})" for name, place in sorted(unknown.items()))
    reasons = [f"Of {name}: {_REASONS[name]}." for name in sorted(unknown) if name in _REASONS]
    return (
        f"{what} names types or functions that are not trusted, so nothing was loaded: {listed}. "
        "If you know where the file comes from and what these do, name them: "
        f"load(path, trusted={sorted(unknown)!r}). {' '.join(reasons)}"
    ).rstrip()
