"""A confusion matrix, and examples of its largest confusions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_consistent_length, column_or_1d

from sktransfer._public import public
from sktransfer.inspection._axes import Display, clipped
from sktransfer.inspection._previews import draw_preview, row_previews

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure


# Inches of an example.
_SIDE = 1.5


class Confusion(NamedTuple):
    """Rows of one class that were predicted as another.

    Attributes
    ----------
    true, predicted : object
        The classes.
    rows : list of int
        All such rows.
    previews : list of ndarray or str
        Pictures or texts of the first of them.
    """

    true: Any
    predicted: Any
    rows: list[int]
    previews: list[np.ndarray | str]


@public
@dataclass(eq=False, repr=False)
class ConfusionDisplay(Display):
    """A confusion matrix beside examples of the largest confusions.

    Use `from_estimator` or `from_predictions` to create one. The matrix is scikit-learn's
    `ConfusionMatrixDisplay`.

    Parameters
    ----------
    matrix : ndarray of shape (k, k)
        Number of rows of each true class (row) by predicted class (column).
    classes : ndarray of shape (k,)
        Names of the classes.
    confusions : list of Confusion
        Largest confusions, with their rows and examples.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The matrix.
    example_axes_ : ndarray of matplotlib Axes, shape (n_confusions, n_examples)
        Examples.
    figure_ : matplotlib Figure
        Figure of the axes.

    Examples
    --------
    >>> from sktransfer import ConfusionDisplay
    >>> texts = ["a cat", "a dog", "an invoice", "a bill"]
    >>> y_true, y_pred = ["pet", "pet", "paper", "paper"], ["pet", "pet", "paper", "pet"]
    >>> display = ConfusionDisplay.from_predictions(y_true, y_pred, texts)
    >>> display.confusions[0].true, display.confusions[0].rows, display.confusions[0].previews
    ('paper', [3], ['a bill'])
    """

    matrix: np.ndarray
    classes: np.ndarray
    confusions: Sequence[Confusion]

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: Any, **options: Any) -> Self:
        """Draw the confusions of a fitted classifier.

        Parameters
        ----------
        estimator : classifier
            Fitted. For predictions out of fold, pass those of
            `sklearn.model_selection.cross_val_predict` to `from_predictions`.
        X : column of n cells, or table of n rows
            What it takes.
        y : array-like of shape (n,)
            True classes.
        **options
            As for `from_predictions`.

        Returns
        -------
        ConfusionDisplay
        """
        options.setdefault("cells", X)
        if options["cells"] is X and hasattr(estimator, "_modality"):
            options.setdefault("modality", estimator._modality())
        return cls.from_predictions(y, estimator.predict(X), **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        cells: Any = None,
        *,
        n_confusions: int = 4,
        n_examples: int = 5,
        modality: Any = None,
    ) -> Self:
        """Draw the confusions of predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n,)
            True and predicted classes.
        cells : column of n cells, optional
            Images, texts or sounds to show; without them, or if they are none of these, only the
            matrix is drawn.
        n_confusions : int, default=4
            Number of pairs of classes with examples, the most frequent ones.
        n_examples : int, default=5
            Examples of each, in the order of the rows.
        modality : Modality, optional
            Reads the cells; by default it is recognized from them.

        Returns
        -------
        ConfusionDisplay
        """
        y_true, y_pred = (column_or_1d(np.asarray(y)) for y in (y_true, y_pred))
        check_consistent_length(y_true, y_pred)
        classes = unique_labels(y_true, y_pred)
        pairs = np.searchsorted(classes, y_true), np.searchsorted(classes, y_pred)
        matrix = np.zeros((len(classes), len(classes)), dtype=int)
        np.add.at(matrix, pairs, 1)
        wrong = np.where(np.eye(len(classes), dtype=bool), 0, matrix)
        order = np.argsort(-wrong, axis=None, kind="stable")[:n_confusions]
        confusions = []
        for true, predicted in zip(*np.unravel_index(order, wrong.shape), strict=True):
            rows = np.flatnonzero((pairs[0] == true) & (pairs[1] == predicted)).tolist()
            if wrong[true, predicted]:
                found = row_previews(cells, rows[:n_examples], len(y_true), modality)
                first, second = classes[[true, predicted]].tolist()
                confusions.append(Confusion(first, second, rows, found or []))
        return cls(matrix, classes, confusions).plot()

    def plot(self) -> Self:
        """Draw the matrix, and a line of examples per confusion beside it.

        Returns
        -------
        self
        """
        import matplotlib.pyplot as plt

        shown = [confusion for confusion in self.confusions if confusion.previews]
        side = max(4.0, 2 + 0.45 * len(self.classes))
        most = max([len(confusion.previews) for confusion in shown], default=0)
        size = side + _SIDE * most, max(side, _SIDE * len(shown))
        self.figure_ = plt.figure(figsize=size, layout="constrained")
        ratios = {"width_ratios": [side, max(1.0, _SIDE * most)]}
        left, *right = self.figure_.subfigures(1, 2, **ratios) if shown else [self.figure_]
        self.ax_ = left.subplots()
        with np.errstate(invalid="ignore"):  # a class that is only predicted has no rows
            shares = self.matrix / self.matrix.sum(axis=1, keepdims=True)
        ConfusionMatrixDisplay(
            np.nan_to_num(shares), display_labels=[*map(clipped, self.classes)]
        ).plot(
            **{"ax": self.ax_, "cmap": "Blues", "values_format": ".0%", "colorbar": False},
            **{"xticks_rotation": 90, "text_kw": {"fontsize": "small"}},
        )
        for label in (*self.ax_.get_xticklabels(), *self.ax_.get_yticklabels()):
            label.set_parse_math(False)  # a "$" in a name is no formula
        self.example_axes_ = _draw_examples(right[0], shown) if shown else np.empty((0, 0), object)
        return self


def _draw_examples(figure: SubFigure, confusions: Sequence[Confusion]) -> np.ndarray:
    """Draw a line of examples per confusion."""
    most = max(len(confusion.previews) for confusion in confusions)
    parts = figure.subfigures(len(confusions), 1, squeeze=False)[:, 0]
    axes = np.stack([part.subplots(1, most, squeeze=False)[0] for part in parts])
    for part, line, confusion in zip(parts, axes, confusions, strict=True):
        names = clipped(confusion.true), clipped(confusion.predicted)
        title = f"{names[0]} taken for {names[1]} ({len(confusion.rows)})"
        part.suptitle(title, fontsize="small", fontweight="bold", parse_math=False)
        for ax in line:
            ax.set_axis_off()
        for ax, row, preview in zip(line, confusion.rows, confusion.previews, strict=False):
            draw_preview(ax, preview)
            ax.set_title(f"row {row}", fontsize="x-small")
    return axes
