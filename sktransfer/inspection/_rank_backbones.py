"""Which backbone, and which of its layers, gives the best features for a target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from os import PathLike
from typing import Any

import numpy as np
from sklearn.base import clone

from sktransfer._public import public
from sktransfer._table import Table
from sktransfer.exceptions import BackboneError, TargetError, WeightsError
from sktransfer.inspection._ranking_display import RankingDisplay
from sktransfer.inspection._ranking_scores import (
    METHODS,
    layer_scores,
    ranking_target,
    score_name,
)
from sktransfer.modalities import required_modality

# Parameters of an embedder that do not tell it from others in the table.
_UNNAMED = frozenset({"backbone", "layer", "cache", "on_error", "verbose"})
_ADVICE = "Pass embedders as candidates, e.g. [ImageEmbedder()]."
# What is not known of a candidate that is not on this machine.
_UNKNOWN = {
    "layer": None,
    "score": np.nan,
    "std_error": np.nan,
    "n_features": None,
    "seconds_per_row": np.nan,
    "n_rows": 0,
}


@public
class BackboneRanking(Table):
    """Rows of `rank_backbones`, the best first; prints as a table.

    Parameters
    ----------
    rows : iterable of dict
        The rows.
    score_name : str
        What the scores are.

    Examples
    --------
    >>> from sktransfer import rank_backbones
    >>> X = [f"a {word} film, number {n}" for n in range(10) for word in ("good", "bad")]
    >>> ranking = rank_backbones(X, ["+", "-"] * 10, ["all-MiniLM-L6-v2"], layers=["layer3", -1])
    >>> ranking.score_name
    'leave-one-out accuracy'
    """

    def __init__(self, rows: Iterable[dict[str, Any]], score_name: str) -> None:
        super().__init__(rows)
        self.score_name = score_name

    def plot(self, ax: Any = None) -> RankingDisplay:
        """Draw scores against the time per row.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw into; by default those of a new figure.

        Returns
        -------
        RankingDisplay
            With the attributes `ax_` and `figure_`.
        """
        return RankingDisplay(self, self.score_name).plot(ax)


def rank_backbones(
    X: Any,
    y: Any,
    candidates: Sequence[Any] | None = None,
    *,
    layers: str | Sequence[str | int] = "all",
    method: str = "ridge",
    task: str = "auto",
    cache: Any = True,
    download: bool = False,
    verbose: int = 0,
) -> BackboneRanking:
    """Rank backbones and their layers by how well a linear model predicts `y` from their features.

    All layers of a backbone come from one pass of each row through its network, and are cached as
    the features of an embedder with that `layer`. No model is fitted per candidate: leave-one-out
    predictions of ridge regression, and LogME, follow from one decomposition of the features,
    which are scaled to mean 0 and variance 1.

    Parameters
    ----------
    X : column of n cells
        Images, texts or sounds; see the embedders.
    y : array-like of shape (n,) or (n, k)
        Classes, values, or a matrix of zeros and ones with a column per label.
    candidates : list of str and embedders, optional
        Names of backbones, folders or modules, as `backbone` of the embedders; or embedders, whose
        parameters such as `image_size` are used. None: all backbones of `list_backbones` for the
        kind of cells in `X` that are on this machine.
    layers : "all", "pooled" or list of str and int, default="all"
        Layers to rank: "all" are all stages and "pooled"; or names and indices of stages, of which
        each backbone uses those that it has.
    method : {"ridge", "logme"}, default="ridge"
        Score: of ridge regression the leave-one-out accuracy of classes, its mean over labels, or
        R² of values (the mean over columns); or the log evidence per row of a Bayesian linear
        model, LogME [1]_, whose values can only be compared with each other.
    task : {"auto", "classification", "regression"}, default="auto"
        What `y` is. "auto" takes numbers with a fraction for values, and others for classes.
    cache : bool, str or Path, default=True
        Where to cache features, for candidates that are no embedders: True for the user's cache
        folder (or ``SKTRANSFER_CACHE``), False for no cache, or a folder.
    download : bool, default=False
        Whether to download weights of candidates that are not on this machine.
    verbose : int, default=0
        Whether to show a progress bar per backbone, for candidates that are no embedders.

    Returns
    -------
    BackboneRanking
        A list of dicts that prints as a table, of which ``pandas.DataFrame`` makes a frame. Its
        method ``plot()`` draws the scores against the time per row. Keys: `backbone` (with the
        parameters of an embedder that are not the default), `layer`, `score`, `std_error` (standard
        error of the score over rows; NaN for LogME), `n_features`, `seconds_per_row`, `n_rows` that
        were used, and `reason`. Candidates whose weights are not on this machine come last, with a
        score of NaN and the reason.

    Raises
    ------
    ColumnError
        If `candidates` is None or has names, and the kind of cells in `X` cannot be recognized.
    BackboneError
        If a candidate is not known, or no candidate has a layer that is asked for.
    TargetError
        If `y` cannot be learned: missing values, a single class, values that are all equal.
    BadCellError
        If a cell cannot be used. Embedders with ``on_error="nan"`` leave such rows out.

    See Also
    --------
    list_backbones : Names of backbones.
    compare_pretrained : Whether pre-training has improved features.

    Notes
    -----
    `std_error` is that of one score over other rows from the same source. Differences between
    candidates are more precise, because all are measured on the same rows. Like any
    cross-validation at random, leaving one row out is too optimistic if rows have copies.

    `seconds_per_row` is the time that the layer and those below it take, preparation of the cell
    included, of the rows that this call computes. If the cache has (nearly) all rows, up to 16 of
    them are computed again for the measurement. Networks that cannot go on from a stage in the
    middle, and ``engine="openvino"``, compute one layer after another.

    The decomposition takes ``n * d * min(n, d)`` operations for n rows of d features, and 8 bytes
    for each of ``n * min(n, d)`` numbers beside the features, which take 4 bytes per number for all
    layers of a backbone together: 0.5 GB and 10 to 20 seconds of a core for 50,000 rows of 1,280
    features.

    References
    ----------
    .. [1] K. You, Y. Liu, J. Wang, M. Long, "LogME: Practical Assessment of Pre-trained Models for
       Transfer Learning", ICML 2021, https://arxiv.org/abs/2102.11005

    Examples
    --------
    >>> from sktransfer import rank_backbones
    >>> X = [f"a {word} film, number {n}" for n in range(10) for word in ("good", "bad")]
    >>> ranking = rank_backbones(X, ["+", "-"] * 10, ["all-MiniLM-L6-v2"], layers=["layer3", -1])
    >>> [row["layer"] for row in ranking], ranking[0]["score"]
    (['layer3', 'layer6'], 1.0)
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is none of {', '.join(map(repr, METHODS))}.")
    target, kind = ranking_target(y, task)
    embedders = _embedders(X, candidates, cache=cache, verbose=verbose)
    _check_length(embedders[0], X, len(target))
    ready, missing = _loaded(embedders, X, download)
    rows = [
        {"backbone": label, **row}
        for (label, embedder, _), names in zip(ready, _chosen(ready, layers), strict=True)
        for row in _ranked(embedder, X, target, kind, names, method)
    ]
    rows.sort(key=lambda row: (-row["score"], row["seconds_per_row"]))
    return BackboneRanking([*rows, *missing], score_name(method, kind))


def _embedders(X: Any, candidates: Any, **options: Any) -> list[Any]:
    """Return an embedder per candidate."""
    from sktransfer.backbones import list_backbones
    from sktransfer.embedders import EMBEDDERS, BaseEmbedder

    given = None if candidates is None else _as_list(candidates)
    own = [item for item in given or () if isinstance(item, BaseEmbedder)]
    for item in given or ():
        is_backbone = isinstance(item, BaseEmbedder) or hasattr(item, "__sktransfer_backbone__")
        if hasattr(item, "transform") and not is_backbone:
            raise TypeError(f"candidates: {type(item).__name__} is no embedder, backbone or name.")
    if len(nouns := sorted({item._modality().noun for item in own})) > 1:
        raise ValueError(f"candidates take cells of several kinds: {', '.join(nouns)}.")
    if given and len(own) == len(given):
        return [clone(item) for item in own]
    name = own[0]._modality().name if own else required_modality(X, _ADVICE)
    if given is None:
        table = list_backbones(modality=name)
        given = [row["name"] for row in table if row["on_this_machine"]]
    make = EMBEDDERS[name]
    return [clone(item) if item in own else make(item, **options) for item in given]


def _as_list(candidates: Any) -> list[Any]:
    if isinstance(candidates, (str, PathLike)) or not isinstance(candidates, Iterable):
        raise TypeError(f"candidates must be a list, got {candidates!r}; pass [{candidates!r}].")
    found = list(candidates)
    if not found:
        raise ValueError("candidates is empty; pass names of backbones, or embedders.")
    return found


def _check_length(embedder: Any, X: Any, n_targets: int) -> None:
    n = len(embedder._modality().column(X).cells)
    if n != n_targets:
        raise TargetError(f"X has {n} rows, and y has {n_targets}.")


def _loaded(
    embedders: Iterable[Any], X: Any, download: bool
) -> tuple[list[tuple[str, Any, Any]], list[dict[str, Any]]]:
    """Return label, embedder and backbone of what is on this machine, and rows of the rest."""
    from sktransfer.backbones import downloads_forbidden

    ready, missing = [], []
    for embedder in embedders:
        embedder.set_params(layer="pooled")
        try:
            with nullcontext() if download else downloads_forbidden():
                backbone = embedder.fit(X)._fitted_backbone()
            ready.append((_label(embedder, backbone.name), embedder, backbone))
        except (WeightsError, ImportError) as error:
            label = _label(embedder, str(embedder.backbone))
            missing.append({"backbone": label, **_UNKNOWN, "reason": _first_sentence(error)})
    return ready, missing


def _first_sentence(error: Exception) -> str:
    return str(error).partition(". ")[0]


def _label(embedder: Any, name: str) -> str:
    """Return the name of a backbone with the parameters of its embedder."""
    default = type(embedder)().get_params(deep=False)
    params = embedder.get_params(deep=False)
    changed = [
        f"{key}={value!r}"
        for key, value in params.items()
        if key not in _UNNAMED and repr(value) != repr(default[key])
    ]
    return ", ".join([name, *changed])


def _chosen(ready: Sequence[Any], layers: Any) -> list[list[str]]:
    """Return the layers of each backbone."""
    known = [(*backbone.stages, "pooled") for _, _, backbone in ready]
    if isinstance(layers, str) and layers == "all":
        return [list(names) for names in known]
    asked = list(layers) if np.iterable(layers) and not isinstance(layers, str) else [layers]
    if not asked:
        raise ValueError('layers is empty; pass "all", "pooled", or names or indices of stages.')
    found = [{layer: _resolved(backbone, layer) for layer in asked} for _, _, backbone in ready]
    for layer in asked:
        if ready and not any(of[layer] for of in found):
            names = f"{ready[0][0]} has {', '.join(known[0])}"
            raise ValueError(f"layers: no candidate has a layer {layer!r}; {names}.")
    return [[name for name in of.values() if name] for of in found]


def _resolved(backbone: Any, layer: Any) -> str | None:
    try:
        return backbone.resolve(layer)
    except BackboneError:
        return None


def _ranked(
    embedder: Any, X: Any, y: np.ndarray, kind: str, layers: Sequence[str], method: str
) -> Iterator[dict[str, Any]]:
    """Yield a row of the table per layer of a backbone."""
    from sktransfer.embedders import embed_layers

    if not layers:
        return
    found = embed_layers(embedder, X, layers)
    scores = layer_scores(found.rows, y, kind, method)
    for name, rows, seconds, score in zip(
        found.names, found.rows, found.seconds, scores, strict=True
    ):
        yield {
            "layer": name,
            "score": score.value,
            "std_error": score.error,
            "n_features": rows.shape[1],
            "seconds_per_row": seconds,
            "n_rows": score.n_rows,
            "reason": "",
        }
