"""The eigenvalues of features, from which linear models are solved at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

#: Rows, or columns, that are converted to float64 at a time.
CHUNK = 2048
# Eigenvalues below this share of the largest are rounding.
_RANK = 1e-12


class Spectrum(NamedTuple):
    """Nonzero eigenvalues of ``Z @ Z.T`` for centred features Z.

    Attributes
    ----------
    values : ndarray of shape (r,)
    vectors : ndarray of shape (n, r)
        Of unit length, and orthogonal to each other and to a constant.
    """

    values: np.ndarray
    vectors: np.ndarray


def spectrum(features: np.ndarray, *, scale: bool) -> Spectrum:
    """Decompose features (n, d), with mean 0 and maybe scaled to variance 1, in float64.

    It takes ``n * d * min(n, d)`` operations, and memory for ``n * min(n, d)`` numbers beside
    the features.
    """
    n, d = features.shape
    if n < d:
        return _kept(*eigh(_gram_of_rows(features, scale), driver="evd", overwrite_a=True))
    scaler = StandardScaler(with_std=scale)
    for rows in gen_batches(n, CHUNK):
        scaler.partial_fit(features[rows].astype(np.float64))
    gram = np.zeros((d, d))
    for rows in gen_batches(n, CHUNK):
        part = scaler.transform(features[rows].astype(np.float64))
        gram += part.T @ part
    values, turns = _kept(*eigh(gram, driver="evd", overwrite_a=True))
    turns /= np.sqrt(values)
    vectors = np.empty((n, len(values)))
    for rows in gen_batches(n, CHUNK):
        np.matmul(scaler.transform(features[rows].astype(np.float64)), turns, out=vectors[rows])
    return Spectrum(values, vectors)


def _gram_of_rows(features: np.ndarray, scale: bool) -> np.ndarray:
    n, d = features.shape
    gram = np.zeros((n, n))
    for columns in gen_batches(d, CHUNK):
        part = StandardScaler(with_std=scale).fit_transform(features[:, columns].astype(np.float64))
        gram += part @ part.T
    return gram


def _kept(values: np.ndarray, vectors: np.ndarray) -> Spectrum:
    kept = values > _RANK * values[-1]
    return Spectrum(values[kept], vectors[:, kept])
