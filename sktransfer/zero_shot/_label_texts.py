"""Classes and the texts that describe them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from sktransfer.columns import is_blank
from sktransfer.exceptions import TargetError

# Vectors of unit length at a smaller distance are equal up to rounding in float32.
_ROUNDING = 1e-5


def described_classes(labels: Any, y: np.ndarray | None) -> tuple[np.ndarray, list[list[str]]]:
    """Return the sorted classes, and the texts that describe each.

    Parameters
    ----------
    labels : list, mapping or None
        Names, or descriptions by class; None for the classes of `y`.
    y : ndarray of shape (n,) or None
        Classes of rows.

    Raises
    ------
    TargetError
        If there are fewer than two classes, one comes twice or has no text, or two have the same.
    """
    if labels is None:
        if y is None:
            raise TargetError(
                "With labels=None, a ZeroShotClassifier requires y to be passed, but the target y "
                "is None. Pass y, or labels: a list of names or a mapping of classes to "
                "descriptions."
            )
        labels = np.unique(y).tolist()
    names = labels if isinstance(labels, Mapping) else list(labels)
    odd = [
        name for name in names if not isinstance(_plain(name), str | int | float) or name != name
    ]
    if odd:
        raise TargetError(
            f"labels names the class {odd[0]!r}, and a class is a str, a number or a bool. Pass a "
            "list of names, or a mapping of each class to a description or a list of them."
        )
    texts = names if isinstance(names, Mapping) else {name: name for name in names}
    if len(texts) < len(names):
        twice = next(name for place, name in enumerate(names) if name in list(names)[:place])
        raise TargetError(f"labels names the class {_plain(twice)!r} more than once.")
    if len(texts) < 2:
        count = f"{len(texts)} class{'es' if not texts else ''}"
        raise TargetError(
            f"labels must name at least 2 classes, got {count}: {[*map(_plain, texts)]}."
        )
    classes = np.array([*texts])
    if len({type(_plain(name)) for name in texts}) > 1:
        raise TargetError(f"labels must be of one type, got {[*map(_plain, texts)]}.")
    if classes.tolist() != [*map(_plain, texts)]:
        raise TargetError(
            f"labels are {[*map(_plain, texts)]}, which an array of NumPy holds as "
            f"{classes.tolist()}; name the classes in another way."
        )
    order = np.argsort(classes, kind="stable")
    found = [_checked(name, text) for name, text in texts.items()]
    _check_texts(classes, found)
    return classes[order], [found[place] for place in order]


def numbers_of(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the position of each row's class among the sorted classes.

    Raises
    ------
    TargetError
        Naming the first row whose class is none of them.
    """
    places = {label: place for place, label in enumerate(classes.tolist())}
    for row, label in enumerate(y.tolist()):
        if label not in places:
            raise TargetError(
                f"row {row} of y: {label!r} is none of the labels {classes.tolist()!r:.200}. Name "
                "all classes in labels; one that has no rows may be there too. Where scikit-learn "
                "numbers the classes (probabilities of cross_val_predict, stacking, calibration), "
                "labels must be a mapping of these numbers, in y too."
            )
    return np.array([places[label] for label in y.tolist()], dtype=int)


def check_vectors(vectors: np.ndarray, classes: np.ndarray, has_rows: np.ndarray) -> None:
    """Check that the vectors of descriptions tell classes without labelled rows from the others.

    Parameters
    ----------
    vectors : ndarray of shape (k, d)
        Of unit length; zeros where no word of a description is known to the embedder.
    classes : ndarray of shape (k,)
        Classes.
    has_rows : ndarray of bool, shape (k,)
        Whether a class has labelled rows.

    Raises
    ------
    TargetError
        Naming the class without a vector, or two classes of the same one.
    """
    names = classes.tolist()
    is_empty = np.isnan(vectors).any(axis=1) | (~vectors.any(axis=1) & ~has_rows)
    if is_empty.any():
        raise TargetError(
            f"the embedder gives no features for the description of class "
            f"{names[is_empty.argmax()]!r}, only zeros or NaN. Describe it in other words."
        )
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(vectors)
    distances, others = search.kneighbors()
    is_alike = (distances[:, 0] < _ROUNDING) & ~has_rows
    if is_alike.any():
        one = is_alike.argmax()
        raise _alike(names[one], names[others[one, 0]])


def _check_texts(classes: np.ndarray, texts: list[list[str]]) -> None:
    """Refuse two classes of the same texts."""
    first: dict[frozenset[str], Any] = {}
    for name, own in zip(classes.tolist(), map(frozenset, texts), strict=True):
        if own in first:
            raise _alike(first[own], name)
        first[own] = name


def _alike(*names: Any) -> TargetError:
    one, other = sorted(names)
    return TargetError(
        f"the descriptions of the classes {one!r} and {other!r} are the same for the embedder, so "
        "that nothing tells these classes apart. Describe them differently in labels; many models "
        "ignore case, accents and extra spaces."
    )


def _checked(label: Any, text: Any) -> list[str]:
    is_one = isinstance(text, str | Mapping) or not isinstance(text, Collection)
    texts = [text] if is_one else list(text)
    for one in texts or [""]:
        if not isinstance(one, str) or is_blank(one):
            raise TargetError(
                f"the class {_plain(label)!r} is described by {one!r}, which is no text. Pass "
                "labels as a mapping of each class to a description or a list of them."
            )
    return [str(one) for one in texts]


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label
