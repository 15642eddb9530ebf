"""Classification by the names of classes, with or without labelled rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_array, get_tags
from sklearn.utils.extmath import row_norms
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sktransfer._compat import HasMethods, Interval, StrOptions
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import fit_transform
from sktransfer.embedders import TextEmbedder
from sktransfer.exceptions import BadCellError, ColumnError, TargetError
from sktransfer.zero_shot._label_regression import Linear, fit_linear, fit_temperature
from sktransfer.zero_shot._label_texts import check_vectors, described_classes, numbers_of

# Of cosines, where there are no labelled rows; the best ones for news, messages and questions were
# .04, .1 and .067.
_OF_COSINES = 0.05


@public
@with_parameters
class ZeroShotClassifier(ClassifierMixin, BaseEstimator):
    """Classify rows by the names of the classes, and by labelled rows where there are some.

    The names or descriptions go through the same network as the rows. Without labelled rows, the
    class of a row is the one whose vector has the largest cosine with that of the row. With some,
    the vector of each class is one more row of a logistic regression: a class without rows has that
    of its name, and the more rows there are, the less the names count.

    Parameters
    ----------
    labels : list of str, mapping or None, default=None
        Names of the classes, or a mapping of each class to a description or a list of these, whose
        vectors are averaged. None: the classes of `y`, which then are texts.
    embedder : transformer, default=None
        Makes the features of rows: an embedder, or a pipeline with one. None: `TextEmbedder`.
    label_embedder : transformer, default=None
        Makes the features of the descriptions, in the space of those of rows: for images, a
        `TextEmbedder` of the same CLIP or SigLIP model as that of the `ImageEmbedder`. None:
        `embedder`, which then reads texts.
    template : str or list of str, default="It is about {}."
        Text around each description, with ``{}`` in its place; ``"{}"`` for none. For images, ``"a
        photo of a {}"``. The vectors of several are averaged.
    label_weight : float, default=1.0
        Weight of each class's vector among the labelled rows, of which each has weight 1.
    C : float, default=10.0
        Inverse of the strength of the regularization, as in `LogisticRegression`.
    temperature : "auto" or float, default="auto"
        Number by which scores are divided before the softmax. "auto" fits it to labelled rows that
        were left out; without labelled rows it is 0.05. See Notes.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels.
    embedder_ : transformer
        The fitted embedder of rows.
    label_vectors_ : ndarray of shape (k, d)
        Vector of each class's descriptions, of unit length.
    coef_ : ndarray of shape (k, d)
        Weights of the score of each class. Without labelled rows, `label_vectors_`.
    intercept_ : ndarray of shape (k,)
        Added to the scores.
    temperature_ : float
        Temperature of `predict_proba`.

    See Also
    --------
    TextClassifier : Fine-tunes the network, from tens of labelled rows on.
    TextEmbedder : Features of texts.

    Notes
    -----
    Rows and descriptions are scaled to unit length. Without labelled rows probabilities are not
    calibrated: with a temperature of 0.05 they order rows, and may be far from frequencies. The
    published temperature of CLIP is 0.01. With labelled rows, the temperature has the smallest log
    loss on rows that were left out (one by one; twentieths of more than 20), with a log-normal
    prior around 0.4, because few rows say little of it.

    How well names work depends on their words: with MiniLM, names alone give an accuracy of .36 to
    .75 on Reuters news for six templates and two sets of names. Where a class is no subject, such
    as spam, they are below always predicting the larger class; a few labelled rows tell which words
    matter. Rows without labels are not learned from: centering by their mean, and means of the rows
    that are assigned to a class, helped on some data and cost more on other.

    Where scikit-learn numbers the classes (`cross_val_predict` of probabilities, stacking,
    calibration), `labels` must be a mapping of these numbers.

    Examples
    --------
    >>> from sktransfer import TextEmbedder, ZeroShotClassifier
    >>> texts = ["a cat sleeps on the sofa", "the court raised the fine"]
    >>> model = ZeroShotClassifier(["pets", "law"], embedder=TextEmbedder(cache=False))
    >>> model.fit(texts).predict(texts)
    array(['pets', 'law'], dtype='<U4')
    """

    labels: Any = parameter("array-like", Mapping, None, default=None, kw_only=False)
    embedder: Any = parameter(HasMethods(["fit", "transform"]), None, default=None)
    label_embedder: Any = parameter(HasMethods(["fit", "transform"]), None, default=None)
    template: str | list[str] = parameter(str, list, tuple, default="It is about {}.")
    label_weight: float = parameter(Interval(Real, 0, None, closed="left"), default=1.0)
    C: float = parameter(Interval(Real, 0, None, closed="neither"), default=10.0)
    temperature: float | str = parameter(
        StrOptions({"auto"}), Interval(Real, 0, None, closed="neither"), default="auto"
    )

    classes_: np.ndarray = fitted()
    embedder_: Any = fitted()
    label_vectors_: np.ndarray = fitted()
    coef_: np.ndarray = fitted()
    intercept_: np.ndarray = fitted()
    temperature_: float = fitted()

    def fit(self, X: Any, y: Any = None) -> Self:
        """Embed the names of the classes, and learn from labelled rows if there are some.

        Parameters
        ----------
        X : column of n cells, or what `embedder` takes
            Without `y`, only its kind is checked and no row is computed.
        y : array-like of shape (n,), default=None
            Classes, all of which are among `labels`.

        Returns
        -------
        self
        """
        from sktransfer.training.targets import as_labels, as_numpy

        self._validate_params()
        given = None if y is None else as_labels(as_numpy(y), warn=True)
        classes, texts = self._described(given)
        numbers = None if given is None else numbers_of(given, classes)
        embedder = TextEmbedder() if self.embedder is None else clone(self.embedder)
        if numbers is None:
            embedder.fit(X, None)
        else:
            check_consistent_length(X, numbers)
            rows = _unit(fit_transform(embedder, X, numbers))
            check_consistent_length(rows, numbers)
        vectors = self._vectors_of(texts, embedder)
        has_rows = np.isin(np.arange(len(classes)), [] if numbers is None else numbers)
        check_vectors(vectors, classes, has_rows)
        if numbers is None:
            linear, temperature = Linear(vectors, np.zeros(len(classes))), _OF_COSINES
        else:
            linear, temperature = self._learned(rows, numbers, vectors)
        # After all that may fail, which leaves an earlier fit as it is.
        self.classes_, self.embedder_, self.label_vectors_ = classes, embedder, vectors
        self.coef_, self.intercept_ = linear
        is_set = not isinstance(self.temperature, str)
        self.temperature_ = float(self.temperature) if is_set else temperature
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class per row.

        Parameters
        ----------
        X : column of n cells, or what `embedder` takes
            Rows.

        Returns
        -------
        ndarray of shape (n,)
        """
        proba = self.predict_proba(X)
        bad = np.flatnonzero(np.isnan(proba).any(axis=1))
        if len(bad):
            raise BadCellError(
                f"row {bad[0]}: there is no class for a cell that cannot be used "
                f"({len(bad)} such rows). predict_proba gives NaN for them; or leave them out.",
                row=int(bad[0]),
            )
        return self.classes_[proba.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class per row; NaN for a row without features.

        Parameters
        ----------
        X : column of n cells, or what `embedder` takes
            Rows.

        Returns
        -------
        ndarray of shape (n, k), float64
        """
        check_is_fitted(self)
        rows = _checked(_unit(self.embedder_.transform(X)), self.label_vectors_)
        check_consistent_length(X, rows)
        scores = Linear(self.coef_, self.intercept_).scores(rows)
        return softmax(scores / self.temperature_, axis=1)

    @property
    def n_features_in_(self) -> int:
        """Number of columns that `fit` was given."""
        return self.embedder_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the columns that `fit` was given."""
        return self.embedder_.feature_names_in_

    def _described(self, y: np.ndarray | None) -> tuple[np.ndarray, list[list[str]]]:
        return described_classes(self.labels, y)

    def _vectors_of(self, texts: list[list[str]], embedder: Any) -> np.ndarray:
        """Return the mean of the vectors of each class's texts (k, d), of unit length."""
        templates = [self.template] if isinstance(self.template, str) else list(self.template)
        odd = [t for t in templates or [""] if not isinstance(t, str) or "{}" not in t]
        if odd:
            raise ValueError(
                f"template must have '{{}}' in it, the place of the name; got {odd[0]!r}."
            )
        filled = [[t.replace("{}", text) for t in templates for text in own] for own in texts]
        every = [text for own in filled for text in own]
        vectors = _unit(self._embedded(every, embedder))
        check_consistent_length(every, vectors)
        ends = np.cumsum([len(own) for own in filled])[:-1]
        return _unit(np.stack([part.mean(axis=0) for part in np.split(vectors, ends)]))

    def _embedded(self, texts: list[str], embedder: Any) -> Any:
        if self.label_embedder is not None:
            return clone(self.label_embedder).fit(texts, None).transform(texts)
        try:
            return embedder.transform(texts)
        except (ValueError, TypeError) as error:
            raise ColumnError(
                f"embedder cannot read the descriptions of the classes ({error}). Pass "
                "label_embedder=, which reads texts and gives vectors in the space of the rows."
            ) from error

    def _learned(
        self, rows: np.ndarray, y: np.ndarray, vectors: np.ndarray
    ) -> tuple[Linear, float]:
        """Return the model of labelled rows, without those that have no features."""
        usable = ~np.isnan(_checked(rows, vectors)).any(axis=1)
        if not usable.any():
            raise TargetError("no labelled row has features. Leave out y, or pass other rows.")
        rows, y = rows[usable], y[usable]
        how: dict[str, float] = {"label_weight": self.label_weight, "C": self.C}
        is_auto = self.temperature == "auto"
        temperature = fit_temperature(rows, y, vectors, **how) if is_auto else _OF_COSINES
        return fit_linear(rows, y, vectors, **how), temperature

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        embedder = TextEmbedder() if self.embedder is None else self.embedder
        tags.input_tags = replace(get_tags(embedder).input_tags, allow_nan=False)
        tags.target_tags.required = self.labels is None
        return tags


def _checked(rows: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Refuse rows of another length than the vectors of the classes."""
    width = vectors.shape[1]
    if rows.shape[1] != width:
        raise ColumnError(
            f"embedder gives {rows.shape[1]} features per row and the descriptions of the "
            f"classes have {width}: both must come from one model."
        )
    return rows


def _unit(rows: Any) -> np.ndarray:
    """Return features as float64 rows of unit length; those of zeros and NaN stay."""
    found = check_array(rows, dtype=np.float64, ensure_all_finite="allow-nan")
    # Powers of two, which round nothing: squares of large or small numbers are no float64.
    found = np.ldexp(found, -np.frexp(np.abs(found).max(axis=1, keepdims=True))[1])
    lengths = row_norms(found)[:, np.newaxis]
    return found / np.where(lengths == 0, 1, lengths)
