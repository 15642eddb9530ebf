"""Why a model says what it says of a row: which columns, pixels, words and seconds it goes by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sktransfer._parameters import check_integer
from sktransfer._warnings import warn
from sktransfer.columns import FlatRows, Rows, describe, row_labels, rows_of
from sktransfer.exceptions import ColumnError, LeftOutWarning
from sktransfer.inspection._column_shares import Others, scores_without
from sktransfer.inspection._explanation import Explanation
from sktransfer.inspection._left_out import CopyScores
from sktransfer.inspection._model_scores import columns_of, scorer_of
from sktransfer.inspection._part_weights import Place, part_weights
from sktransfer.inspection._watched_columns import Reader, readers_of, watch
from sktransfer.modalities import Parts, Weighted

# Names of columns in a message.
_MOST_NAMES = 8


def explain(
    model: Any,
    X: Any,
    *,
    target: Any = None,
    method: str = "auto",
    background: Any = None,
    n_background: int = 10,
    max_evals: int = 64,
    random_state: int | np.random.RandomState | None = 0,
) -> Explanation:
    """Explain what a fitted model predicts, by leaving out columns and parts of their cells.

    The share of a column is how much lower the model's score is, on average, with cells of other
    rows in it. The weight of a word, of a window of an image or of a second of a sound is how much
    lower the score is without it.

    Parameters
    ----------
    model : estimator
        Fitted: a Pipeline or a search with embedders of this package anywhere in it, a fine-tuner,
        or any other model with predict_proba, decision_function or predict. Columns that no
        estimator of this package reads have shares and no parts.
    X : column or table of n cells or rows
        The rows to explain, as `model` takes them.
    target : object, default=None
        The class, label or number to explain, one for all rows or a list of one per row. None: the
        class or label of the highest score of each row, or the number of a regressor. Of several
        numbers per row, the position of one.
    method : {"auto", "leave_out"}, default="auto"
        How parts get weights. "auto" leaves them out, for all models.
    background : table, default=None
        Rows in the form of `X`, such as training rows, whose cells take the place of a column's
        own. None: a blank cell of an image, text or sound (an image of its mean colour, a text of
        "." and silence), and the cells of other rows of `X` in other columns.
    n_background : int, default=10
        Number of rows drawn from these.
    max_evals : int, default=64
        Maximum number of copies of a row for the parts of its cells, shared equally by the columns
        with parts. With fewer than there are parts, windows of images are larger; runs of words
        and of seconds are left out together, and those of the largest weights are split further.
    random_state : int, RandomState or None, default=0
        Controls which rows are drawn.

    Returns
    -------
    Explanation
        Arrays and lists per row; prints as a table, plots, and is a page of HTML.

    Raises
    ------
    BadCellError
        If a cell cannot be used, unless the model predicts nevertheless.
    TargetError
        If `target` is no class of the model.

    Warns
    -----
    LeftOutWarning
        If a column has no share because there is one row only and no `background`.

    See Also
    --------
    ExplanationDisplay : Draws explanations.

    Notes
    -----
    A row with d columns and p parts costs p + 1 predictions and, per column, one or `n_background`
    more; copies go through the networks in batches. Caches are read, and the features of copies
    are not written to them.

    Columns that say the same hide each other: without one of them the model goes by the other, so
    both have small shares.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktransfer import TextEmbedder, explain
    >>> model = make_pipeline(TextEmbedder(cache=False), LogisticRegression())
    >>> texts = ["a good film", "good books", "a bad film", "such bad books"]
    >>> model = model.fit(texts, ["+", "+", "-", "-"])
    >>> found = explain(model, ["what a bad day"])
    >>> max(found.parts[0]["0"], key=lambda word: word[3])[2]
    'bad'
    """
    if method not in ("auto", "leave_out"):
        raise ValueError(f"method must be 'auto' or 'leave_out', got {method!r}.")
    check_integer("n_background", n_background, least=1)
    check_integer("max_evals", max_evals, least=1)
    predict, rows = scorer_of(model), rows_of(X)
    # A copy: a model may change what it is given, as StandardScaler(copy=False) does.
    scores, calls = watch(predict, rows.take(range(len(rows)), {}))
    if len(scores.values) != len(rows):
        raise ColumnError(f"the model predicts {len(scores.values)} rows for {len(rows)} of X.")
    targets = columns_of(scores, target)
    outputs = scores.values[range(len(rows)), targets]
    usable = np.flatnonzero(np.isfinite(outputs)).tolist()
    rows, readers = readers_of(calls, rows, predict)
    score = CopyScores(predict, rows, targets)
    cells = dict(_parts(rows, readers, usable))
    drawn_from = None if background is None else _background(background, rows, readers)
    random = check_random_state(random_state)
    without = scores_without(usable, Others(rows, cells, drawn_from, n_background, random), score)
    _warn_of_lacking(without[usable, :-1], rows.names)
    most = max(1, max_evals // max(1, len(readers)))
    return Explanation(
        columns=rows.names,
        shares=outputs[:, np.newaxis] - without[:, :-1],
        parts=_by_row(part_weights(cells, outputs, score, most), rows),
        output=outputs,
        baseline=without[:, -1],
        target=None if scores.names is None else [scores.names[place] for place in targets],
        unit=scores.unit,
        rows=_row_names(len(rows), row_labels(X)),
        cells=[[describe(cell) for cell in rows.cells(n)] for n in range(len(rows.names))],
    )


def _row_names(n: int, index: Sequence[object] | None) -> list[str]:
    if index is None:
        return [f"row {row}" for row in range(n)]
    return [f"row {row} (index {describe(label)})" for row, label in enumerate(index)]


def _parts(
    rows: Rows, readers: dict[int, Reader], usable: Sequence[int]
) -> Iterator[tuple[Place, Parts]]:
    for column, reader in readers.items():
        cells = rows.cells(column)
        for row in usable:
            parts = reader.parts(cells[row])
            if parts is not None:
                yield (row, column), parts


def _background(X: Any, rows: Rows, readers: dict[int, Reader]) -> Rows:
    """Return rows of a container that has the columns of the rows to explain."""
    found = rows_of(X)
    if isinstance(rows, FlatRows):
        found = FlatRows(X, readers[0].modality.column(X).cells)
    if len(found.names) != len(rows.names) or (rows.is_named and found.names != rows.names):
        raise ColumnError(
            f"background has the columns {_short(found.names)}, and X has {_short(rows.names)}; "
            "pass rows of the same table."
        )
    return found


def _short(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")


def _warn_of_lacking(scores: np.ndarray, names: Sequence[str]) -> None:
    lacking = [name for name, column in zip(names, scores.T, strict=True) if np.isnan(column).any()]
    if lacking:
        warn(
            f"{_short([*map(repr, lacking)])}: the share is NaN, because there is no other row "
            "whose cells could be put there. Pass background=, such as the training rows.",
            LeftOutWarning,
        )


def _by_row(weights: dict[Place, Weighted], rows: Rows) -> list[dict[str, Weighted]]:
    found: list[dict[str, Weighted]] = [{} for _ in range(len(rows))]
    for (row, column), weighted in sorted(weights.items(), key=lambda item: item[0]):
        found[row][rows.names[column]] = weighted
    return found
