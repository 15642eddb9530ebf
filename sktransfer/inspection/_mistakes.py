"""The worst mistakes of a model, or the most doubtful labels, as pictures or texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Self

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sktransfer._parameters import check_integer
from sktransfer._public import public
from sktransfer.exceptions import TargetError
from sktransfer.inspection._axes import Display, clipped
from sktransfer.inspection._label_issues import class_issues, plain_targets
from sktransfer.inspection._previews import draw_preview, row_previews

_COLUMNS = 4


@public
@dataclass(eq=False, repr=False)
class MistakesDisplay(Display):
    """Cells with their given and their likely label, the least probable given label first.

    Use `from_label_issues` or `from_estimator` to create one.

    Parameters
    ----------
    issues : list of dict
        With the keys of `find_label_issues`.
    previews : list of ndarray or str, optional
        Picture (H, W, 3) or short text of each.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One per mistake.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    find_label_issues : Ranks rows by how improbable their label is.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import MistakesDisplay
    >>> issue = {"row": 3, "given": "cat", "likely": "dog", "probability_given": 0.1}
    >>> display = MistakesDisplay([issue], [np.zeros((8, 8, 3), dtype=np.uint8)]).plot()
    >>> print(display.axes_[0].get_title())
    row 3 (0.10)
    cat → dog
    """

    issues: Sequence[dict[str, Any]]
    previews: Sequence[np.ndarray | str] | None = None

    @classmethod
    def from_label_issues(
        cls, issues: Sequence[dict[str, Any]], X: Any, *, n_rows: int = 12, modality: Any = None
    ) -> Self:
        """Draw the first rows of a table of issues.

        Parameters
        ----------
        issues : list of dict
            From `find_label_issues`.
        X : column of n cells
            The cells to show, such as ``table["photo"]``; without pictures or texts if it is no
            column of images, texts or sounds.
        n_rows : int, default=12
            Most rows to show.
        modality : Modality, optional
            Reads the cells; by default it is recognized from them.

        Returns
        -------
        MistakesDisplay
        """
        check_integer("n_rows", n_rows, least=1)
        shown = list(issues[:n_rows])
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        last = max((issue["row"] for issue in issues), default=0)
        if last >= n:
            raise ValueError(
                f"The issues name row {last}, but X has {n} rows; pass X of the issues."
            )
        return cls(shown, row_previews(X, [issue["row"] for issue in shown], n, modality)).plot()

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, cells: Any = None, n_rows: int = 12
    ) -> Self:
        """Draw the rows that a fitted classifier gets wrong, the least probable true class first.

        Parameters
        ----------
        estimator : classifier
            Fitted, with `predict_proba`. For rows that it was fitted on, use `find_label_issues`.
        X : column of n cells, or table of n rows
            Rows that it was not fitted on.
        y : array-like of shape (n,)
            Their classes.
        cells : column of n cells, optional
            The cells to show; by default `X`.
        n_rows : int, default=12
            Most rows to show.

        Returns
        -------
        MistakesDisplay
        """
        own = estimator._modality() if cells is None and hasattr(estimator, "_modality") else None
        check_consistent_length(X, cells)
        issues = mistakes_of(estimator, X, y)
        return cls.from_label_issues(
            issues, X if cells is None else cells, n_rows=n_rows, modality=own
        )

    def plot(self) -> Self:
        """Draw one picture or text per mistake.

        Returns
        -------
        self
        """
        import matplotlib.pyplot as plt

        if self.previews is not None:
            check_consistent_length(self.issues, self.previews)
        n = max(len(self.issues), 1)
        columns = min(n, _COLUMNS)
        size = (2.3 * columns, 2.6 * ceil(n / columns))
        figure, axes = plt.subplots(
            ceil(n / columns), columns, figsize=size, squeeze=False, layout="constrained"
        )
        self.axes_, self.figure_ = axes.ravel(), figure
        for ax in self.axes_:
            ax.set_axis_off()
        if not self.issues:
            self.axes_[0].text(0.5, 0.5, "no mistakes", ha="center", va="center")
        for ax, issue, place in zip(self.axes_, self.issues, range(n), strict=False):
            self._draw(ax, issue, "" if self.previews is None else self.previews[place])
        return self

    @staticmethod
    def _draw(ax: Any, issue: dict[str, Any], preview: np.ndarray | str) -> None:
        ax.set_axis_on()
        draw_preview(ax, preview)
        ax.set_title(title_of(issue), fontsize="small", parse_math=False)


def title_of(issue: dict[str, Any]) -> str:
    """Return row and probability or error, and below it the given and the likely label."""
    value = issue.get("probability_given", issue.get("error"))
    label = f"{clipped(issue['label'])}: " if "label" in issue else ""
    given, likely = (
        f"{v:.3g}" if isinstance(v, float) else clipped(v)
        for v in (issue["given"], issue["likely"])
    )
    return f"row {issue['row']} ({value:.2f})\n{label}{given} → {likely}"


def fitted_probabilities(model: Any, X: Any, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes of a fitted model, those of `labels` among them, with probabilities."""
    check_is_fitted(model)
    classes = np.asarray(model.classes_)
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise TargetError(f"y has classes that the model was not fitted on: {unknown.tolist()}.")
    return classes, np.asarray(model.predict_proba(X))


def mistakes_of(estimator: Any, X: Any, y: Any) -> list[dict[str, Any]]:
    """Return the rows that a fitted classifier gets wrong, in the form of label issues."""
    from sktransfer.training.targets import as_labels

    if is_regressor(estimator) or not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{type(estimator).__name__} has no predict_proba; pass a classifier that has it, or "
            "use find_label_issues and from_label_issues."
        )
    labels = as_labels(plain_targets(y))
    check_consistent_length(X, labels)
    classes, probabilities = fitted_probabilities(estimator, X, labels)
    return list(class_issues(probabilities, classes, np.searchsorted(classes, labels)))
