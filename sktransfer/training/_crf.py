"""A linear-chain conditional random field over the tags of words.

Emissions are the scores (words, k) of tags. Transitions (k + 1, k) are the scores of a tag after
each other; in the last row, of those that a text begins with.

References
----------
Lafferty, McCallum and Pereira, Conditional Random Fields, 2001
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import logsumexp


def negative_log_likelihood(
    emissions: torch.Tensor, transitions: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Return the loss of each row (n,), the sum over its words.

    Parameters
    ----------
    emissions : Tensor of shape (n, words, k)
    transitions : Tensor of shape (k + 1, k)
    tags : Tensor of int64, shape (n, words)
        Any valid number where there is no word.
    mask : Tensor of bool, shape (n, words)
        Where there are words; they come first.
    """
    inner, start = transitions[:-1], transitions[-1]
    total = start + emissions[:, 0]
    for word in range(1, emissions.shape[1]):
        longer = torch.logsumexp(total[:, :, None] + inner, 1) + emissions[:, word]
        total = torch.where(mask[:, word, None], longer, total)
    own = emissions.gather(2, tags[:, :, None])[:, :, 0]
    own = own + torch.cat([start[tags[:, :1]], inner[tags[:, :-1], tags[:, 1:]]], 1)
    return torch.logsumexp(total, 1) - (own * mask).sum(1)


def best_tags(emissions: np.ndarray, transitions: np.ndarray, *, greedy: bool) -> np.ndarray:
    """Return the tags (words,) of the highest sum of scores, or the best tag word by word.

    Parameters
    ----------
    emissions : ndarray of shape (words, k)
    transitions : ndarray of shape (k + 1, k)
    greedy : bool
        Whether each word has the best tag that may follow the tag before it.
    """
    inner, start = transitions[:-1], transitions[-1]
    total, back = start + emissions[0], []
    for scores in emissions[1:]:
        before = inner + total[:, None]
        if greedy:
            before[np.arange(len(total)) != total.argmax()] = -np.inf
        back.append(before.argmax(0))
        total = before.max(0) + scores
    tags = [int(total.argmax())]
    for chosen in reversed(back):
        tags.append(int(chosen[tags[-1]]))
    return np.array(tags[::-1])


class Marginals:
    """Probabilities of tags and of entities, over all sequences of tags of a text.

    Parameters
    ----------
    emissions : ndarray of shape (words, k)
    transitions : ndarray of shape (k + 1, k)
    """

    def __init__(self, emissions: np.ndarray, transitions: np.ndarray) -> None:
        self._emissions = emissions = emissions.astype(np.float64)
        self._inner, start = transitions[:-1].astype(np.float64), transitions[-1]
        before, after = [start + emissions[0]], [np.zeros(emissions.shape[1])]
        for scores in emissions[1:]:
            before.append(logsumexp(before[-1][:, None] + self._inner, axis=0) + scores)
        for scores in emissions[:0:-1]:
            after.append(logsumexp(self._inner + scores + after[-1], axis=1))
        self._before, self._after = np.array(before), np.array(after[::-1])
        self._total = logsumexp(before[-1])

    def of_tags(self, tags: np.ndarray) -> np.ndarray:
        """Return the probability of each word's tag."""
        words = np.arange(len(tags))
        return np.exp(self._before[words, tags] + self._after[words, tags] - self._total)

    def of_entity(self, start: int, stop: int, tags: np.ndarray) -> float:
        """Return the probability that the words from `start` to `stop` are exactly one entity.

        Parameters
        ----------
        start, stop : int
            First word, and the one after the last.
        tags : ndarray of int
            Tags of all words; that of `start` begins the entity.
        """
        first, inside = tags[start], tags[start] + 1
        found, last = self._before[start, first], first
        for word in range(start + 1, stop):
            found = found + self._inner[last, inside] + self._emissions[word, inside]
            last = inside
        if stop < len(tags):
            rest = self._inner[last] + self._emissions[stop] + self._after[stop]
            found = found + logsumexp(np.delete(rest, inside))
        return float(np.exp(min(0.0, found - self._total)))
