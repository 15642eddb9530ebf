"""A map of features: rows that are alike lie close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.manifold import TSNE

from sktransfer._public import public
from sktransfer.base import is_fitted
from sktransfer.inspection._axes import Display, legend_of
from sktransfer.inspection._map_page import map_page
from sktransfer.inspection._previews import row_previews

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Dimensions that t-SNE is given, and its largest perplexity.
_DIMENSIONS, _PERPLEXITY = 50, 30.0
# Least distance of two drawn pictures, and of two texts, along both axes in shares of the map.
_APART, _TEXT_APART = (0.03, 0.03), (0.17, 0.018)
# Points of a drawn picture on the page, and characters of a text.
_SIZE, _CHARACTERS = 22, 24
# Most classes with the colours of small sets.
_COLOURS = 20
# Power of ten beyond which the largest feature, or its inverse, is scaled to 1.
_EXTREME = 100


@public
@dataclass(eq=False, repr=False)
class EmbeddingMapDisplay(Display):
    """A map of rows in two dimensions, with their classes as colours and their cells on it.

    Use `from_estimator` to create one.

    Parameters
    ----------
    places : ndarray of shape (n, 2)
        Place of each row on the map.
    classes : ndarray of shape (n,), optional
        Class of each row.
    previews : sequence of n ndarray or str, optional
        Pictures (H, W, 3) of cells, or their short texts.
    title : str, default=""
        Title of the map.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The map.
    figure_ : matplotlib Figure
        Figure of the axes.
    shown_ : ndarray of int
        Rows whose cells are drawn; others, which would cover these, are points.

    See Also
    --------
    rank_backbones : Which features tell classes apart.

    Notes
    -----
    On a map of t-SNE only closeness has a meaning: neither the size of a group nor its distance
    from another one has.

    Examples
    --------
    >>> from sktransfer import EmbeddingMapDisplay, TextEmbedder
    >>> texts, y = ["a cat", "a dog", "a tax return", "an invoice"] * 3, ["pet", "pet", "bill"] * 4
    >>> display = EmbeddingMapDisplay.from_estimator(TextEmbedder(), texts, y, method="pca")
    >>> display.places.shape
    (12, 2)
    """

    places: np.ndarray
    classes: np.ndarray | None = None
    previews: Sequence[np.ndarray | str] | None = None
    title: str = field(default="", kw_only=True)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        method: str = "tsne",
        cells: Any = None,
        max_rows: int | None = 2_000,
        random_state: int = 0,
        ax: Axes | None = None,
    ) -> Self:
        """Draw a map of what a transformer makes of X.

        Parameters
        ----------
        estimator : transformer
            An embedder, a `ColumnTransformer`, a pipeline of transformers or a fitted fine-tuner.
            One that is not fitted is fitted on `X`, as a clone.
        X : column of n cells, or table of n rows
            What it takes.
        y : array-like of shape (n,), optional
            Classes.
        method : {"tsne", "pca"}, default="tsne"
            How features are brought to two dimensions: t-SNE of the first 50 principal components,
            or the first two of these.
        cells : column of n cells, optional
            Images, texts or sounds to draw; by default those of `X`, if it is a column of them.
        max_rows : int or None, default=2_000
            Largest number of rows on the map; of more, some are chosen at random.
        random_state : int, default=0
            Seed of t-SNE and of the choice of rows.
        ax : matplotlib Axes, optional
            Axes to draw into; by default those of a new figure.

        Returns
        -------
        EmbeddingMapDisplay
        """
        is_own = hasattr(estimator, "_modality")
        return cls.from_features(
            _features(estimator, X),
            y,
            method=method,
            cells=X if cells is None else cells,
            modality=estimator._modality() if cells is None and is_own else None,
            max_rows=max_rows,
            random_state=random_state,
            ax=ax,
        )

    @classmethod
    def from_features(
        cls,
        features: Any,
        y: Any = None,
        *,
        method: str = "tsne",
        cells: Any = None,
        modality: Any = None,
        max_rows: int | None = 2_000,
        random_state: int = 0,
        ax: Axes | None = None,
    ) -> Self:
        """Draw a map of features, or at given places.

        Parameters
        ----------
        features : array-like of shape (n, d)
            Features; two columns are the places on the map. Rows with NaN are left out.
        y : array-like of shape (n,), optional
            Classes.
        method, cells, max_rows, random_state, ax
            As for `from_estimator`.
        modality : Modality, optional
            Reads the cells; by default it is recognized from them.

        Returns
        -------
        EmbeddingMapDisplay
        """
        features = np.asarray(_dense(features), dtype=np.float64)
        if features.ndim != 2:
            raise ValueError(f"features must have the shape (n, d), got {features.shape}.")
        classes = None if y is None else _as_classes(y, len(features))
        rows = np.flatnonzero(np.isfinite(features).all(axis=1))
        if max_rows is not None and len(rows) > max_rows:
            rng = np.random.default_rng(random_state)
            rows = np.sort(rng.choice(rows, max_rows, replace=False))
        return cls(
            _places(features[rows], method, random_state),
            None if classes is None else classes[rows],
            None if cells is None else row_previews(cells, rows, len(features), modality),
        ).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw into; by default those of a new figure.

        Returns
        -------
        self
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(11, 10), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        places = _in_unit_square(self.places)
        names, colours = _colours(self.classes, len(places))
        self.shown_ = _apart(places, self.previews or ())
        rest = np.setdiff1d(np.arange(len(places)), self.shown_)
        x, y = places[rest].T
        self.ax_.scatter(x, y, c=colours[rest], s=14, alpha=0.7, linewidths=0)
        previews = self.previews or ()
        for row in self.shown_.tolist():
            self._draw(places[row], previews[row], colours[row])
        marks = [self.ax_.plot([], [], "s", color=colour)[0] for colour in names.values()]
        if names:
            legend_of(self.ax_, marks, names, loc="upper left", bbox_to_anchor=(1, 1))
        self.ax_.set(xticks=[], yticks=[], xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        self.ax_.set_title(self.title, parse_math=False)
        return self

    def to_html(self, path: str | Path) -> None:
        """Write the map as one HTML file that opens offline, with each cell shown on hovering.

        Parameters
        ----------
        path : str or Path
            The file.
        """
        names, colours = _colours(self.classes, len(self.places))
        places = _in_unit_square(self.places)
        page = map_page(self.title, places, self.classes, colours, self.previews, names)
        Path(path).write_text(page, encoding="utf-8")

    def _draw(self, place: np.ndarray, preview: np.ndarray | str, colour: Any) -> None:
        from matplotlib.offsetbox import AnnotationBbox, OffsetImage

        if isinstance(preview, str):
            style: dict[str, Any] = {"fontsize": 6, "parse_math": False, "clip_on": True}
            text = preview if len(preview) <= _CHARACTERS else preview[: _CHARACTERS - 1] + "…"
            self.ax_.text(place[0], place[1], text, color=colour, ha="center", **style)
            return
        picture = OffsetImage(preview, zoom=_SIZE / max(preview.shape[:2]))
        frame = {"edgecolor": colour, "linewidth": 2, "boxstyle": "round,pad=0.1"}
        self.ax_.add_artist(AnnotationBbox(picture, tuple(place), pad=0.1, bboxprops=frame))


def _features(estimator: Any, X: Any) -> Any:
    is_ready = is_fitted(estimator)
    return _dense(estimator.transform(X) if is_ready else clone(estimator).fit_transform(X))


def _dense(features: Any) -> np.ndarray:
    """Return features as an array; of a wide sparse matrix, as of words, components."""
    if not issparse(features):
        return np.asarray(features)
    if features.shape[1] <= _DIMENSIONS:
        return features.toarray()
    n_components = min(_DIMENSIONS, *features.shape)
    return TruncatedSVD(n_components, random_state=0).fit_transform(features)


def _places(features: np.ndarray, method: str, random_state: int) -> np.ndarray:
    """Return a place (n, 2) for each row."""
    n, d = features.shape
    if method not in ("tsne", "pca"):
        raise ValueError(f"method={method!r} is none of 'tsne', 'pca'.")
    if d == 2:
        return features
    if n < 2:
        return np.zeros((n, 2))
    if not d:
        raise ValueError("features have no columns.")
    largest = np.abs(features).max()
    if largest and abs(np.log10(largest)) > _EXTREME:  # whose squares are infinite, or 0
        features = features / largest
    with np.errstate(invalid="ignore"):  # of rows that are all the same
        first = PCA(min(_DIMENSIONS, n, d)).fit_transform(features)
    if method == "pca" or n < 4:
        return np.pad(first[:, :2], ((0, 0), (0, max(0, 2 - first.shape[1]))))
    # A third of the rows is scikit-learn's advice for few.
    perplexity = min(_PERPLEXITY, (n - 1) / 3)
    # Of rows that are all the same, scikit-learn's start by PCA is NaN, and the process crashes.
    init = "pca" if first.shape[1] > 1 and np.ptp(first[:, 0]) > 0 else "random"
    tsne = TSNE(perplexity=perplexity, init=init, max_iter=400, random_state=random_state)
    return tsne.fit_transform(first)


def _in_unit_square(places: np.ndarray) -> np.ndarray:
    if not len(places):
        return places
    extent = np.ptp(places, axis=0)
    return (places - places.min(axis=0)) / np.where(extent == 0, 1, extent)


def _as_classes(y: Any, n: int) -> np.ndarray:
    classes = np.asarray(y)
    if classes.shape != (n,):
        raise ValueError(f"y must have the shape ({n},), got {classes.shape}.")
    return classes.astype(str) if classes.dtype == object else classes


def _colours(classes: np.ndarray | None, n: int) -> tuple[dict[Any, Any], np.ndarray]:
    """Return the colour of each class, and of each row; of numbers those of the extremes."""
    import matplotlib as mpl

    if classes is None or not n:
        return {}, np.tile(mpl.colormaps["tab20"](0)[:3], (n, 1))
    names, numbers = np.unique(classes, return_inverse=True)
    if len(names) <= _COLOURS:
        name = "tab10" if len(names) <= _COLOURS // 2 else "tab20"  # which has pale ones
        palette = mpl.colormaps[name](np.arange(len(names)))[:, :3]
    elif classes.dtype.kind != "f":
        palette = mpl.colormaps["turbo"](np.linspace(0, 1, len(names)))[:, :3]
    else:
        known = names[np.isfinite(names)]  # NaN is black
        shares = np.clip((names - known[0]) / (known[-1] - known[0]), 0, 1)
        viridis = mpl.colormaps["viridis"]
        ends = ((known[0], 0.0), (known[-1], 1.0))
        extremes = {f"{value:.3g}": np.array(viridis(share)[:3]) for value, share in ends}
        return extremes, viridis(shares)[numbers, :3]
    return dict(zip(names.tolist(), palette, strict=True)), palette[numbers]


def _apart(places: np.ndarray, previews: Sequence[np.ndarray | str]) -> np.ndarray:
    """Return rows whose cells do not cover one before them."""
    shown: list[int] = []
    are_texts = any(isinstance(preview, str) for preview in previews)
    gap = np.array(_TEXT_APART if are_texts else _APART)
    for row, place in enumerate(places if len(previews) else ()):
        if not (np.abs(places[shown] - place) < gap).all(axis=1).any():
            shown.append(row)
    return np.array(shown, dtype=int)
