"""Random numbers of one's own from generators that a whole process shares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sktransfer.backbones import GENERATOR_LOCK


class Randomness:
    """A stream of random numbers for what draws from torch's global generator: dropout, v2.

    Two fits in two threads would take numbers from each other, and one that seeds the global
    generator would change what the user draws next. So each block under `own` runs with this
    stream in the generator's place, one thread at a time.

    Parameters
    ----------
    seed : int
        Start of the stream.
    device : torch.device
        Has a generator too, unless it is the CPU.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._devices = [] if device.type == "cpu" else [device]
        with self._forked():
            # torch.manual_seed would seed the generators of all devices, and those stay seeded.
            torch.default_generator.manual_seed(seed)
            for other in self._devices:
                torch.get_device_module(other).manual_seed(seed)
            self._states = self._get()

    @contextmanager
    def own(self) -> Iterator[None]:
        """Draw from this stream within the block."""
        with self._forked():
            self._set(self._states)
            try:
                yield
            finally:
                self._states = self._get()

    @contextmanager
    def _forked(self) -> Iterator[None]:
        kind = self._devices[0].type if self._devices else "cuda"
        with GENERATOR_LOCK, torch.random.fork_rng(self._devices, device_type=kind):
            yield

    def _get(self) -> list[torch.Tensor]:
        others = [torch.get_device_module(d).get_rng_state(d) for d in self._devices]
        return [torch.get_rng_state(), *others]

    def _set(self, states: list[torch.Tensor]) -> None:
        torch.set_rng_state(states[0])
        for device, state in zip(self._devices, states[1:], strict=True):
            torch.get_device_module(device).set_rng_state(state, device)
