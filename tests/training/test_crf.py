"""A conditional random field, beside sums over all sequences of tags."""

from itertools import pairwise, product

import numpy as np
import torch

from sktransfer.training._crf import Marginals, best_tags, negative_log_likelihood
from sktransfer.training.targets import SpanTarget

TARGET = SpanTarget(["A", "B"], "tuples")
LENGTHS = [4, 1, 3]


def random_scores(words, seed=0):
    random = np.random.default_rng(seed)
    legal = TARGET.legal.numpy()
    return random.normal(size=(words, 5)) * 2, np.where(legal, random.normal(size=(6, 5)), -1e4)


def total(emissions, transitions, tags):
    found = transitions[-1, tags[0]] + sum(emissions[word, tag] for word, tag in enumerate(tags))
    return found + sum(transitions[pair] for pair in pairwise(tags))


def weights_of_all(emissions, transitions):
    every = list(product(range(5), repeat=len(emissions)))
    shares = np.exp([total(emissions, transitions, tags) for tags in every])
    return dict(zip(every, shares / shares.sum(), strict=True))


def test_the_loss_is_the_negative_logarithm_of_the_share_of_the_sequence():
    transitions = random_scores(1)[1]
    rows = [random_scores(length, seed)[0] for seed, length in enumerate(LENGTHS)]
    tags = [(1, 2, 0, 3), (0,), (1, 1, 2)]
    padded = torch.nn.utils.rnn.pad_sequence
    mask = padded([torch.ones(length) for length in LENGTHS], True).bool()
    losses = negative_log_likelihood(
        padded([torch.tensor(row) for row in rows], True, padding_value=7.0),
        torch.tensor(transitions),
        padded([torch.tensor(row) for row in tags], True),
        mask,
    )
    expected = [
        -np.log(weights_of_all(row, transitions)[t]) for row, t in zip(rows, tags, strict=True)
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-10)


def test_the_best_tags_have_the_highest_sum_of_all_sequences():
    for seed in range(20):
        emissions, transitions = random_scores(5, seed)
        shares = weights_of_all(emissions, transitions)
        found = best_tags(emissions, transitions, greedy=False)
        assert tuple(found.tolist()) == max(shares, key=shares.get)


def test_greedy_tags_are_the_best_that_may_follow_the_tag_before():
    emissions, transitions = random_scores(5, 3)
    tags = [int((transitions[-1] + emissions[0]).argmax())]
    for scores in emissions[1:]:
        tags.append(int((transitions[tags[-1]] + scores).argmax()))
    assert best_tags(emissions, transitions, greedy=True).tolist() == tags


def test_decoded_tags_are_legal_however_high_the_others_are():
    emissions = np.zeros((4, 5))
    emissions[:, 4] = 1000.0  # inside of the second label, which must be begun
    transitions = np.where(TARGET.legal.numpy(), 0.0, -1e4)
    for greedy in (True, False):
        tags = best_tags(emissions, transitions, greedy=greedy)
        assert all(TARGET.legal[before, tag] for before, tag in zip([5, *tags], tags, strict=False))


def test_marginals_are_sums_over_all_sequences():
    emissions, transitions = random_scores(4, 1)
    shares = weights_of_all(emissions, transitions)
    marginals, tags = Marginals(emissions, transitions), np.array([0, 1, 2, 0])
    expected = [sum(p for t, p in shares.items() if t[w] == tags[w]) for w in range(4)]
    np.testing.assert_allclose(marginals.of_tags(tags), expected, rtol=1e-10)
    # The first label of exactly the words 1 and 2.
    exact = sum(p for t, p in shares.items() if t[1:3] == (1, 2) and t[3] != 2)
    assert np.isclose(marginals.of_entity(1, 3, tags), exact)
    at_end = sum(p for t, p in shares.items() if t[3] == 3)
    assert np.isclose(marginals.of_entity(3, 4, np.array([0, 1, 2, 3])), at_end)
