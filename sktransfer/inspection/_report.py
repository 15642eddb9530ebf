"""One self-contained page about a model and its data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone, is_regressor
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from sklearn.utils.validation import check_consistent_length

from sktransfer._table import Table
from sktransfer._version import __version__
from sktransfer.base import is_fitted
from sktransfer.columns import row_labels, rows_of
from sktransfer.exceptions import TargetError
from sktransfer.inspection import _report_page as html
from sktransfer.inspection._confusion import ConfusionDisplay
from sktransfer.inspection._copies import default_embedder
from sktransfer.inspection._duplicates import find_duplicates
from sktransfer.inspection._embedding_map import EmbeddingMapDisplay
from sktransfer.inspection._explain import explain
from sktransfer.inspection._history import HistoryDisplay
from sktransfer.inspection._label_issues import (
    class_issues,
    class_probabilities,
    named_rows,
    plain_targets,
)
from sktransfer.inspection._mistakes import MistakesDisplay, fitted_probabilities
from sktransfer.modalities import recognize

_MOST_ROWS = 20
_EXPLAINED = 4


def report(
    model: Any,
    X: Any,
    y: Any,
    path: str | PathLike,
    *,
    cells: Any = None,
    cv: Any = 5,
    groups: Any = None,
    embedder: Any = None,
    title: str = "Report of a model",
    n_jobs: int | None = None,
) -> Path:
    """Write one page about a classifier and its data, which opens offline.

    It has the model, scores, the confusion matrix with examples, rows whose label may be wrong,
    copies, explanations of the surest mistakes, a map of the features, the history of a training
    and the calibration of probabilities; each as far as the model and the data have it. Pictures
    and texts of the data are in the file.

    Parameters
    ----------
    model : classifier
        A pipeline with an embedder, a fine-tuner, or another classifier.
    X : column, DataFrame or array of n rows
        As the model takes it.
    y : array-like of shape (n,)
        Classes.
    path : str or path-like
        File to write, such as ``"report.html"``; one that exists is replaced.
    cells : column of n cells, optional
        Images, texts or sounds to show and to search for copies, such as ``table["photo"]``; by
        default `X` if it is such a column.
    cv : int, splitter, iterable of splits or None, default=5
        Each row is predicted by a clone that was not fitted on it, as in `find_label_issues`. None:
        the model is fitted, and predicts rows that it was not fitted on.
    groups : array-like of shape (n,), optional
        Group of each row, for the splitter.
    embedder : embedder, optional
        For copies, see `find_duplicates`.
    title : str, default="Report of a model"
        Title of the page.
    n_jobs : int, optional
        Number of folds to fit at a time.

    Returns
    -------
    Path
        The file.

    See Also
    --------
    find_label_issues : Rows whose label may be wrong.
    find_duplicates : Copies.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sktransfer import report
    >>> X, y = load_wine(return_X_y=True)
    >>> with TemporaryDirectory() as folder:
    ...     page = report(DecisionTreeClassifier(), X, y, f"{folder}/report.html").read_text()
    >>> "<h2>Confusions</h2>" in page
    True
    """
    from sktransfer.training.targets import as_labels, is_label_matrix

    if not isinstance(title, str):
        raise TypeError(f"title must be a str, got {title!r}.")
    y, file = plain_targets(y), _writable(path)
    if is_regressor(model) or is_label_matrix(y):
        raise TargetError("report takes one class per row; y holds numbers or several labels.")
    labels = as_labels(y)
    check_consistent_length(X, labels, cells, groups)
    how = {"cv": cv, "groups": groups, "n_jobs": n_jobs}
    found = _predictions(model, X, labels, how)
    _refuse_nan(found[1])
    cells = X if cells is None else cells
    facts = _Facts(model, X, labels, cells, *found, embedder=embedder, cv=cv)
    sections = [(name, part) for name, make in _SECTIONS.items() for part in make(facts)]
    # Half of a character, which no file holds, is a question mark.
    file.write_text(html.page(title, sections), encoding="utf-8", errors="replace")
    return file


@dataclass
class _Facts:
    """What the sections are made of."""

    model: Any
    X: Any
    labels: np.ndarray
    cells: Any
    classes: np.ndarray
    probabilities: np.ndarray
    embedder: Any
    cv: Any

    @cached_property
    def predicted(self) -> np.ndarray:
        """The most probable class of each row."""
        return self.classes[self.probabilities.argmax(axis=1)]

    @cached_property
    def modality(self) -> Any:
        """What reads the cells by the model's parameters; None if it must be recognized."""
        is_own = self.cells is self.X and hasattr(self.model, "_modality")
        return self.model._modality() if is_own else None


def _predictions(
    model: Any, X: Any, labels: np.ndarray, how: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    if how["cv"] is not None:
        return class_probabilities(model, X, labels, how)
    if not hasattr(model, "predict_proba"):
        raise TypeError(f"{type(model).__name__} has no predict_proba; pass cv=5, which fits it.")
    return fitted_probabilities(model, X, labels)


def _writable(path: str | PathLike) -> Path:
    """Return the path of a file, or raise an error before anything is computed."""
    file = Path(path)
    if file.is_dir():
        raise IsADirectoryError(f"{file} is a folder; pass a file in it, such as 'report.html'.")
    if not file.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {file.parent} to write the report to.")
    return file


def _refuse_nan(probabilities: np.ndarray) -> None:
    rows = np.flatnonzero(~np.isfinite(probabilities).all(axis=1)).tolist()
    if rows:
        named = ", ".join(map(str, rows[:_MOST_ROWS])) + ", ..." * (len(rows) > _MOST_ROWS)
        raise ValueError(
            f"The model gives no probabilities (NaN) for {len(rows)} rows: {named}. Pass "
            "the others."
        )


def _about(facts: _Facts) -> Iterator[str]:
    counts = Table(
        {"class": label, "rows": int((facts.labels == label).sum())}
        for label in facts.classes.tolist()
    )
    rows = f"{len(facts.labels):,} rows in {len(facts.classes)} classes; sktransfer {__version__}."
    yield html.code(repr(facts.model)) + html.paragraph(rows) + html.table(counts, 100)


def _scores(facts: _Facts) -> Iterator[str]:
    parts = precision_recall_fscore_support(
        facts.labels, facts.predicted, labels=facts.classes, zero_division=0
    )
    records = Table(
        dict(zip(("class", "precision", "recall", "f1", "rows"), row, strict=True))
        for row in zip(facts.classes.tolist(), *(part.tolist() for part in parts), strict=True)
    )
    accuracy = accuracy_score(facts.labels, facts.predicted)
    how = "by models fitted on other rows" if facts.cv is not None else "by the fitted model"
    text = f"Accuracy {accuracy:.3f}; each row was predicted {how}."
    yield html.paragraph(text) + html.table(records, 100)


def _confusion(facts: _Facts) -> Iterator[str]:
    display = ConfusionDisplay.from_predictions(
        facts.labels, facts.predicted, facts.cells, modality=facts.modality
    )
    pairs = ", ".join(f"{c.true} as {c.predicted} ({len(c.rows)})" for c in display.confusions)
    alt = f"Confusion matrix with examples. Largest: {pairs or 'none'}."
    yield html.figure(display.figure_, alt)


def _issues(facts: _Facts) -> Iterator[str]:
    given = np.searchsorted(facts.classes, facts.labels)
    issues = named_rows(
        class_issues(facts.probabilities, facts.classes, given), row_labels(facts.X)
    )
    text = html.paragraph(
        "Rows whose given label is less probable than another one, the least probable first: "
        "errors of the labels at the top, errors of the model further down."
    )
    display = MistakesDisplay.from_label_issues(issues, facts.cells, modality=facts.modality)
    alt = "Cells of the first rows of the table below, with given and likely label."
    yield text + html.figure(display.figure_, alt) + html.table(issues, _MOST_ROWS)


def _duplicates(facts: _Facts) -> Iterator[str]:
    embedder = facts.embedder
    if embedder is None and recognize(facts.cells).name is None:
        return
    if embedder is None:  # cells that the model can do without are left out
        embedder = default_embedder(facts.cells).set_params(on_error="nan")
    copies = find_duplicates(facts.cells, embedder=embedder)
    first, second = facts.labels[copies.pairs.T]
    text = f"{copies!r}. Pairs with different labels: {int((first != second).sum()):,}."
    advice = "Copies in test rows give scores that are too high; pass their groups to a splitter."
    more = html.paragraph(advice) + html.table(copies.table, _MOST_ROWS) if len(first) else ""
    yield html.paragraph(text) + more


def _explanations(facts: _Facts) -> Iterator[str]:
    if issparse(facts.X):
        return
    sure = facts.probabilities.max(axis=1)
    wrong = np.flatnonzero(facts.predicted != facts.labels)
    rows = wrong[np.argsort(-sure[wrong], kind="stable")][:_EXPLAINED]
    others = np.setdiff1d(np.arange(len(sure)), rows)
    rows = rows[np.isin(facts.predicted[rows], facts.labels[others])].tolist()
    if not rows:
        return
    X, model = rows_of(facts.X), facts.model
    background = X.take(others.tolist(), {})
    if facts.cv is not None:
        model = clone(model).fit(background, facts.labels[others])
    targets = facts.predicted[rows].tolist()
    found = explain(model, X.take(rows, {}), target=targets, background=background)
    found.rows = [f"row {row}" for row in rows]
    text = (
        f"What speaks for the predicted class in rows {', '.join(map(str, rows))}, the surest "
        "mistakes: how much lower its probability is without a column or a part of a cell, to a "
        "model that was not fitted on these rows."
    )
    yield html.paragraph(text) + found._repr_html_()


def _map(facts: _Facts) -> Iterator[str]:
    transformer = _transformer(facts)
    if transformer is None or len(facts.labels) < 3:
        return
    display = EmbeddingMapDisplay.from_estimator(
        transformer, facts.X, facts.labels, cells=None if facts.cells is facts.X else facts.cells
    )
    yield html.figure(display.figure_, "Map of the features; rows near each other are alike.")


def _transformer(facts: _Facts) -> Any:
    """Return the steps of a pipeline before the last, or a fitted fine-tuner, or None."""
    model = facts.model
    if not hasattr(model, "steps"):
        return model if hasattr(model, "transform") and is_fitted(model) else None
    if len(model.steps) < 2:
        return None
    return model[:-1] if is_fitted(model) else clone(model[:-1]).fit(facts.X, facts.labels)


def _training(facts: _Facts) -> Iterator[str]:
    last = facts.model[-1] if hasattr(facts.model, "steps") else facts.model
    if getattr(last, "history_", None):
        display = HistoryDisplay.from_estimator(last)
        yield html.figure(display.figure_, "Losses and scores over the epochs of the training.")


def _calibration(facts: _Facts) -> Iterator[str]:
    is_right = facts.predicted == facts.labels
    if is_right.all() or not is_right.any():
        return
    display = CalibrationDisplay.from_predictions(
        is_right, facts.probabilities.max(axis=1), strategy="quantile", name="predicted class"
    )
    display.ax_.set(xlabel="probability of the predicted class", ylabel="share that is right")
    yield html.figure(display.figure_, "Share of right predictions by their probability.")


_SECTIONS: dict[str, Callable[[_Facts], Iterator[str]]] = {
    "Model and data": _about,
    "Scores": _scores,
    "Confusions": _confusion,
    "Labels that may be wrong": _issues,
    "Copies": _duplicates,
    "Explanations": _explanations,
    "Map of features": _map,
    "Training": _training,
    "Calibration": _calibration,
}
