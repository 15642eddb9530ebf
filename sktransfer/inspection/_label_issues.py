"""Rows whose label does not agree with what a model predicts from the other rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
    cross_val_predict,
)
from sklearn.utils import get_tags
from sklearn.utils.validation import check_consistent_length

from sktransfer._table import Table
from sktransfer.columns import row_labels
from sktransfer.exceptions import TargetError

Splits = list[tuple[np.ndarray, np.ndarray]]


def find_label_issues(
    model: Any,
    X: Any,
    y: Any,
    *,
    cv: Any = 5,
    groups: Any = None,
    n_jobs: int | None = None,
) -> Table:
    """Rank rows by how improbable their label is to models fitted on other rows.

    Each row is predicted by a clone of the model that was not fitted on it
    (`sklearn.model_selection.cross_val_predict`). A row is listed if another label has a higher
    probability than the given one; the least probable given label comes first. Most listed rows
    far down are errors of the model: read the table from the top. A row whose probabilities are NaN
    is not listed.

    Parameters
    ----------
    model : estimator
        Classifier, or a pipeline that ends in one. One without `predict_proba` is calibrated by
        `sklearn.calibration.CalibratedClassifierCV`. With a regressor, all rows are ranked by their
        absolute error.
    X : column, DataFrame or array of n rows
        As the model takes it.
    y : array-like of shape (n,) or (n, k)
        Classes; a matrix of zeros and ones with a column per label; or numbers, for a regressor.
    cv : int, splitter or iterable of splits, default=5
        An integer is a number of folds, shuffled with a fixed seed, with the same share of each
        class, and without a group in two folds if there are `groups`. Of splits, each row is in
        the test rows of exactly one.
    groups : array-like of shape (n,), optional
        Group of each row, for the splitter. `find_duplicates` has groups of copies.
    n_jobs : int, optional
        Number of folds to fit at a time.

    Returns
    -------
    list of dict
        Prints as a table. Per row that is listed: its position `row`, its `index` where X has one,
        `label` (name or position of the column of y) where rows have any number of labels, the
        labels `given` and `likely`, `probability_given` and `probability_likely`. For a regressor
        `given`, `likely` and `error`.

    Raises
    ------
    TargetError
        If a class is in the test rows of a fold and in none of its training rows.

    See Also
    --------
    MistakesDisplay : Pictures or texts of the rows.
    find_duplicates : Copies, which give away each other's labels.

    Notes
    -----
    Ranking by the probability of the given label found labels that were wrong on purpose with a
    higher average precision than the margin, the neighbours of a row, and the other rankings of the
    package cleanlab [1]_. The number of wrong labels is not estimated: rules for it listed about
    twice as many rows as were wrong.

    References
    ----------
    .. [1] C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
       Labels", Journal of Artificial Intelligence Research, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sktransfer import find_label_issues
    >>> X, y = load_digits(return_X_y=True)
    >>> y[100] = 8  # it is a 4
    >>> issues = find_label_issues(LogisticRegression(max_iter=1_000), X / 16, y)
    >>> issues[0]["row"], issues[0]["given"], issues[0]["likely"]
    (100, 8, 4)
    """
    from sktransfer.training.targets import as_labels, as_numbers, as_numpy, is_label_matrix

    names = getattr(y, "column_names", getattr(y, "columns", None))  # of Arrow, of others
    y, groups = plain_targets(y), as_numpy(groups)
    check_consistent_length(X, y, groups)
    how: dict[str, Any] = {"cv": cv, "groups": groups, "n_jobs": n_jobs}
    if is_regressor(model):
        found: Iterable[dict[str, Any]] = _by_error(model, X, as_numbers(y), how)
    elif is_label_matrix(y):
        names = range(np.shape(y)[1]) if names is None else list(names)
        found = _by_label(model, X, np.asarray(y), names, how)
    else:
        labels = as_labels(y)
        classes, probabilities = class_probabilities(model, X, labels, how)
        found = class_issues(probabilities, classes, np.searchsorted(classes, labels))
    return named_rows(found, row_labels(X))


def plain_targets(y: Any) -> Any:
    """Return sparse targets and those of a container with types as an array, others as they are."""
    from sktransfer.training.targets import as_matrix, as_numpy

    y = as_numpy(y)
    return as_matrix(y) if hasattr(y, "dtype") or hasattr(y, "dtypes") else y


def named_rows(records: Iterable[dict[str, Any]], index: Any) -> Table:
    """Return records with the label of each `row` in an index, if there is one."""
    if index is None:
        return Table(records)
    return Table({"row": r["row"], "index": index[r["row"]], **r} for r in records)


def class_issues(
    probabilities: np.ndarray, classes: np.ndarray, given: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Yield the rows that have a more probable class than the given one, the worst first.

    Parameters
    ----------
    probabilities : ndarray of shape (n, k)
        Probability of each class.
    classes : ndarray of shape (k,)
        Their labels.
    given : ndarray of shape (n,)
        Position of the given class in `classes`.
    """
    rows, likely = np.arange(len(given)), probabilities.argmax(axis=1)
    of_given, of_likely = probabilities[rows, given], probabilities[rows, likely]
    names = classes.tolist()
    for row in np.argsort(of_given, kind="stable"):
        if of_given[row] < of_likely[row]:
            yield {
                "row": int(row),
                "given": names[given[row]],
                "likely": names[likely[row]],
                "probability_given": float(of_given[row]),
                "probability_likely": float(of_likely[row]),
            }


def class_probabilities(
    model: Any, X: Any, labels: np.ndarray, how: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes and the probability of each (n, k), of models fitted on other rows.

    Parameters
    ----------
    model, X
        As for `find_label_issues`.
    labels : ndarray of shape (n,)
        Classes.
    how : dict
        Its `cv`, `groups` and `n_jobs`.
    """
    classes, given = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise TargetError(f"y needs at least 2 classes; it has {len(classes)}.")
    if not hasattr(model, "predict_proba"):
        model = _calibrated(model)
    splits = _splits(X, labels, how, StratifiedKFold, StratifiedGroupKFold)
    _refuse_unlearned(splits, given, classes.tolist(), "class")
    model = _Probabilities(model, classes)
    return classes, np.asarray(_predicted(model, X, labels, splits, how, "predict"))


def _by_label(
    model: Any, X: Any, y: np.ndarray, names: Any, how: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return issues of any number of labels per row, the worst of all labels first."""
    if not hasattr(model, "predict_proba"):
        raise TypeError(
            f"{type(model).__name__} has no predict_proba, which labels in a matrix need. Pass a "
            "model that has one, e.g. sklearn.multiclass.OneVsRestClassifier of a model with it."
        )
    splits = _splits(X, y, how, KFold, GroupKFold)
    for name, column in zip(names, y.T, strict=True):
        _refuse_unlearned(splits, column, [f"0 of label {name!r}", f"1 of label {name!r}"], "value")
    found = _predicted(model, X, y, splits, how, "predict_proba")
    if isinstance(found, list):  # of a model per label, as of sklearn.multioutput
        found = np.stack([p[:, -1] for p in found], axis=1)
    records = [
        {"row": issue.pop("row"), "label": name, **issue}
        for name, column, ones in zip(names, y.T, found.T, strict=True)
        if len(np.unique(column)) == 2
        for issue in class_issues(np.stack([1 - ones, ones], 1), np.arange(2), column.astype(int))
    ]
    return sorted(records, key=lambda issue: issue["probability_given"])


def _by_error(
    model: Any, X: Any, values: np.ndarray, how: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim > 1:
        raise TargetError(f"y must hold one number per row, got shape {values.shape}.")
    splits = _splits(X, values, how, KFold, GroupKFold)
    likely = np.asarray(_predicted(model, X, values, splits, how, "predict")).reshape(len(values))
    errors = np.abs(values - likely)
    for row in np.argsort(-errors, kind="stable"):
        yield {
            "row": int(row),
            "given": float(values[row]),
            "likely": float(likely[row]),
            "error": float(errors[row]),
        }


def _calibrated(model: Any) -> CalibratedClassifierCV:
    if not hasattr(model, "decision_function"):
        raise TypeError(
            f"{type(model).__name__} has neither predict_proba nor decision_function, so its rows "
            "cannot be ranked. Pass a classifier that has one of them."
        )
    return CalibratedClassifierCV(model, ensemble=False)


def _splits(X: Any, y: np.ndarray, how: dict[str, Any], plain: Any, grouped: Any) -> Splits:
    cv, groups = how["cv"], how["groups"]
    if cv is None:
        raise ValueError("cv must be a number of folds, a splitter or splits, got None.")
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        cv = (plain if groups is None else grouped)(int(cv), shuffle=True, random_state=0)
    splits = list(check_cv(cv).split(X, y, groups))
    tested = np.sort(np.concatenate([[], *(np.arange(len(y))[test] for _, test in splits)]))
    if not np.array_equal(tested, np.arange(len(y))):
        raise ValueError(
            f"cv must have each row in the test rows of exactly one fold, got {cv!r}. Pass a "
            "number of folds, or a splitter such as StratifiedKFold or GroupKFold."
        )
    return splits


def _predicted(
    model: Any, X: Any, y: np.ndarray, splits: Splits, how: dict[str, Any], method: str
) -> Any:
    return cross_val_predict(model, X, y, cv=splits, method=method, n_jobs=how["n_jobs"])


class _Probabilities(BaseEstimator):
    """Predicts probabilities of classes: `cross_val_predict` numbers classes unless it "predicts".

    A model would not find the classes that its parameters name, such as those of `class_weight`.
    """

    def __init__(self, model: Any, classes: np.ndarray) -> None:
        self.model = model
        self.classes = classes

    def __sklearn_tags__(self) -> Any:
        """Return those of the model, by which its rows are chosen."""
        return get_tags(self.model)

    def fit(self, X: Any, y: np.ndarray) -> Self:
        """Fit a clone of the model."""
        self.model_ = clone(self.model).fit(X, y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the probability of each class; 0 of one that the model was not fitted on.

        Classes that the model has by its parameters, and no row has, are left out.
        """
        found = np.asarray(self.model_.predict_proba(X))
        probabilities = np.zeros((len(found), len(self.classes)))
        has_rows = np.isin(self.model_.classes_, self.classes)
        places = np.searchsorted(self.classes, self.model_.classes_[has_rows])
        probabilities[:, places] = found[:, has_rows]
        return probabilities


def _refuse_unlearned(splits: Splits, numbers: np.ndarray, names: list[Any], noun: str) -> None:
    """Raise `TargetError` where a value to predict is in no row that a fold learns from."""
    for fold, (train, test) in enumerate(splits):
        missing = np.setdiff1d(numbers[test], numbers[train]).astype(int)
        # A label that all rows have, or none, is not ranked.
        if len(missing) and len(np.unique(numbers)) > 1:
            name, count = names[missing[0]], int((numbers == missing[0]).sum())
            raise TargetError(
                f"{noun} {name!r} is in test rows of fold {fold} and in none of its training rows "
                f"(rows of it in y: {count}), so nothing can be said of its labels. Pass a cv= "
                f"whose training rows have every {noun}, or only the rows of the others."
            )
