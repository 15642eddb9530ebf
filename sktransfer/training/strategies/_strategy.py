"""Interface of a strategy: which parts of a network are trained, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sktransfer.backbones import StagedNetwork

#: Names of stages, from below.
Stages = tuple[str, ...]


class Strategy:
    """All opened stages are trained in all epochs.

    A new strategy is a file here, with a line in the table `STRATEGIES`.

    Attributes
    ----------
    name : str
        Value of the parameter `trainable`.
    copies_stages : bool
        Whether weights of opened stages change, so that the network needs its own copies.
    """

    name: ClassVar[str] = "all"
    copies_stages: ClassVar[bool] = True

    def opened(self, stages: Sequence[str]) -> Stages:
        """Return the stages that training may change, the last ones of the network."""
        return tuple(stages)

    def epochs(self, opened: Stages, count: int, done: int) -> list[Stages]:
        """Return the stages that are trained in each of some epochs.

        Parameters
        ----------
        opened : tuple of str
            Stages that training may change.
        count : int
            Number of epochs.
        done : int
            Number of epochs of this strategy in fits that this one continues.
        """
        return [opened] * count

    def adapt(self, network: StagedNetwork) -> None:
        """Add modules to a network, in place."""

    def trains(self, name: str) -> bool:
        """Return whether a parameter of an opened stage is trained, by its name."""
        return True
