"""Random number streams that do not depend on other threads."""

from concurrent.futures import ThreadPoolExecutor

import torch

from sktransfer._randomness import Randomness, seeded


def test_a_stream_does_not_depend_on_draws_of_other_threads():
    outside = torch.get_rng_state()

    def drawn(_):
        randomness = Randomness(7)
        found = []
        for _ in range(20):
            with randomness.own():
                found.append(torch.rand(3))
        return torch.stack(found)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(drawn, range(4)))
    assert all(torch.equal(numbers, found[0]) for numbers in found)
    assert len(found[0].unique()) == 60
    assert torch.equal(torch.get_rng_state(), outside)


def test_seeded_restores_every_generator():
    before = torch.get_rng_state()
    seed = torch.initial_seed()
    with seeded(5), seeded(6):
        drawn = torch.rand(3)
    with seeded(6):
        assert torch.equal(torch.rand(3), drawn)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.initial_seed() == seed
