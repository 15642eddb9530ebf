"""Histories of users, and vectors of users from those of what they liked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

#: Arrays of the tower of users, by name.
Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Histories:
    """The items of each user, the latest last.

    Attributes
    ----------
    ends : ndarray of int, shape (users + 1,)
        The items of user u are those from ``ends[u]`` up to ``ends[u + 1]``.
    items : ndarray of int
        Positions of items.
    weights : ndarray of float
        How much each is liked; 0 for what was seen and not liked.
    """

    ends: np.ndarray
    items: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, users: np.ndarray, items: np.ndarray, weights: np.ndarray, n: int) -> Histories:
        """Return the histories of n users; of an item that a user has twice, the last counts.

        Parameters
        ----------
        users, items, weights : ndarray
            One value per interaction, in the order of time.
        n : int
            Number of users.
        """
        pairs = np.stack([users, items])[:, ::-1]
        last = len(users) - 1 - np.unique(pairs, axis=1, return_index=True)[1]
        last = last[np.lexsort((last, users[last]))]
        ends = np.searchsorted(users[last], np.arange(n + 1))
        return cls(ends, items[last], weights[last])

    @classmethod
    def from_lists(cls, lists: Sequence[np.ndarray]) -> Histories:
        """Return histories of items that are all liked, one list of positions per user."""
        users = np.repeat(np.arange(len(lists)), [len(items) for items in lists])
        items = np.concatenate([np.empty(0, np.intp), *lists]).astype(np.intp)
        return cls.of(users, items, np.ones(len(items)), len(lists))

    def take(self, users: np.ndarray) -> Histories:
        """Return the histories of some users."""
        starts, lengths = self.ends[users], self.ends[users + 1] - self.ends[users]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(ends[-1]) - np.repeat(ends[:-1] - starts, lengths)
        return Histories(ends, self.items[places], self.weights[places])

    def rows(self) -> np.ndarray:
        """Return the user of each item."""
        return np.repeat(np.arange(len(self.ends) - 1), np.diff(self.ends))

    def liked(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the liked items of each user, and their weights."""
        bounds = zip(self.ends[:-1], self.ends[1:], strict=True)
        parts = [(self.items[a:b], self.weights[a:b]) for a, b in bounds]
        return [(items[w > 0], w[w > 0]) for items, w in parts]


def means(
    liked: Sequence[tuple[np.ndarray, np.ndarray]], n_items: int, half_life: float | None
) -> csr_array:
    """Return the weights of the items in the mean of each user, of shape (users, items).

    Parameters
    ----------
    liked : sequence of (items, weights)
        Per user, the latest last.
    n_items : int
        Number of items.
    half_life : float or None
        Number of later likes that halve a weight.
    """
    rows = []
    for _, weights in liked:
        if half_life is not None:
            weights = weights * np.exp2(-np.arange(len(weights))[::-1] / half_life)
        weights = weights / weights.max(initial=0)  # whose sum is finite
        rows.append(weights / weights.sum())
    ends = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    items = np.concatenate([np.empty(0, np.intp), *(items for items, _ in liked)])
    values = np.concatenate([np.empty(0), *rows]).astype(np.float32)
    return csr_array((values, items, ends), shape=(len(liked), n_items))


def user_vectors(weights: Weights, liked: np.ndarray) -> np.ndarray:
    """Return the vectors of users from the means of the vectors of what they liked."""
    hidden = np.maximum(_linear(weights, "user.0", liked), 0)
    return liked + _linear(weights, "user.3", hidden)


def _linear(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    found: np.ndarray = x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return found
