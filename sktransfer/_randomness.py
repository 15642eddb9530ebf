"""Separate streams of random numbers from torch's process-wide generators."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from sktransfer._forks import released_at_fork

if TYPE_CHECKING:
    import torch

# A generator belongs to the whole process, so only one thread may use it at a time.
_lock = released_at_fork(threading.RLock())


class Randomness:
    """A stream of random numbers for code that draws from torch's global generators.

    Weight initialization, dropout and torchvision's transforms draw from them. Two fits in two
    threads would take numbers from each other, and seeding a global generator would change what
    the user draws next. So each block under `own` runs with this stream in place of the
    generator's, one thread at a time.

    Parameters
    ----------
    seed : int
        Seed of the stream.
    device : torch.device, optional
        Device whose generator is replaced too.
    """

    def __init__(self, seed: int, device: torch.device | None = None) -> None:
        import torch

        self._devices = [] if device is None or device.type == "cpu" else [device]
        with self._forked():
            # torch.manual_seed would seed the generators of all devices for good.
            torch.default_generator.manual_seed(seed)
            for other in self._devices:
                torch.get_device_module(other).manual_seed(seed)

    @contextmanager
    def own(self) -> Iterator[None]:
        """Draw from this stream within the block, then restore the generators."""
        import torch

        with self._forked():
            torch.set_rng_state(self._state)
            for device, state in zip(self._devices, self._others, strict=True):
                torch.get_device_module(device).set_rng_state(state, device)
            yield

    @contextmanager
    def _forked(self) -> Iterator[None]:
        """Keep what the generators come to within the block, and restore them."""
        import torch

        kind = self._devices[0].type if self._devices else "cuda"
        with _lock, torch.random.fork_rng(self._devices, device_type=kind):
            try:
                yield
            finally:
                self._state = torch.get_rng_state()
                modules = [(torch.get_device_module(device), device) for device in self._devices]
                self._others = [module.get_rng_state(device) for module, device in modules]


def seeded(seed: int) -> AbstractContextManager[None]:
    """Draw from a stream with this seed within the block."""
    return Randomness(seed).own()
