"""The eigenvalues of standardized features, from which linear models are solved at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

# Rows, or columns, that are converted to float64 at a time.
_CHUNK = 2048
# Eigenvalues below this share of the largest are rounding.
_RANK = 1e-12


class Spectrum(NamedTuple):
    """Nonzero eigenvalues of ``Z @ Z.T`` for standardized features Z.

    Attributes
    ----------
    values : ndarray of shape (r,)
    vectors : ndarray of shape (n, r)
        Of unit length, and orthogonal to each other and to a constant.
    """

    values: np.ndarray
    vectors: np.ndarray


def spectrum(features: np.ndarray) -> Spectrum:
    """Decompose features (n, d), each scaled to mean 0 and variance 1, in float64.

    It takes ``n * d * min(n, d)`` operations, and memory for ``n * min(n, d)`` numbers beside
    the features.
    """
    n, d = features.shape
    if n < d:
        values, vectors = np.linalg.eigh(_gram_of_rows(features))
        kept = values > _RANK * values[-1]
        return Spectrum(values[kept], vectors[:, kept])
    scaler = _fitted_scaler(features)
    gram = np.zeros((d, d))
    for rows in gen_batches(n, _CHUNK):
        part = scaler.transform(features[rows].astype(np.float64))
        gram += part.T @ part
    values, vectors = np.linalg.eigh(gram)
    kept = values > _RANK * values[-1]
    turned = vectors[:, kept] / np.sqrt(values[kept])
    found = np.empty((n, kept.sum()))
    for rows in gen_batches(n, _CHUNK):
        found[rows] = scaler.transform(features[rows].astype(np.float64)) @ turned
    return Spectrum(values[kept], found)


def _gram_of_rows(features: np.ndarray) -> np.ndarray:
    n, d = features.shape
    gram = np.zeros((n, n))
    for columns in gen_batches(d, _CHUNK):
        part = StandardScaler().fit_transform(features[:, columns].astype(np.float64))
        gram += part @ part.T
    return gram


def _fitted_scaler(features: np.ndarray) -> StandardScaler:
    scaler = StandardScaler()
    for rows in gen_batches(len(features), _CHUNK):
        scaler.partial_fit(features[rows].astype(np.float64))
    return scaler
