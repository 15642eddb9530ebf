"""Several processes that train one network together, each on its share of every batch."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from sktransfer.exceptions import TargetError

if TYPE_CHECKING:
    import torch

    from sktransfer.adapt import FineTuned
    from sktransfer.finetune._training import Part


class Alone:
    """One process that does everything."""

    #: Of this process among those that train together.
    number = 0

    def share(self, batch: list[int]) -> list[int]:
        """Return the rows of a batch that this process computes."""
        return batch

    def own(self, random: np.random.RandomState) -> np.random.RandomState:
        """Return what draws for the rows of a share."""
        return random

    def check(self, parts: Sequence[Part | None], random: np.random.RandomState) -> None:
        """Raise an error if not all train on the same rows in the same order."""

    def summed(self, loss: torch.Tensor, rows: int, module: FineTuned) -> torch.Tensor:
        """Return the loss of a whole batch, and put its gradients in place of those of a share."""
        return loss

    def of_first(self, number: float) -> float:
        """Return the number that the first process has."""
        return number

    def align(self, module: FineTuned) -> None:
        """Take over what the first process has trained."""


class Together(Alone):
    """One process of several that do the same, except for what they share out.

    Gradients are summed over the processes before each step, so all take the step that one
    process would take for the whole batch. The statistics of a batch norm that learns are an
    exception: each process takes them from its share, and their means are kept.

    Parameters
    ----------
    accelerator : accelerate.Accelerator
        Knows the processes.
    """

    def __init__(self, accelerator: Any) -> None:
        self._accelerator = accelerator
        self._size = accelerator.num_processes
        self.number = accelerator.process_index

    def share(self, batch: list[int]) -> list[int]:
        """Return every n-th row; of a batch with fewer than two rows for each, all rows."""
        return batch[self.number :: self._size] if len(batch) >= 2 * self._size else batch

    def own(self, random: np.random.RandomState) -> np.random.RandomState:
        """Return one of its own for each process: shares of other lengths draw other numbers."""
        seed = copy.deepcopy(random).randint(2**31) + self.number
        return np.random.RandomState(seed)

    def check(self, parts: Sequence[Part | None], random: np.random.RandomState) -> None:
        """Compare a digest of rows, targets, weights and of what is drawn next."""
        import torch

        digest = xxhash.xxh3_64(copy.deepcopy(random).bytes(8))
        for part in parts:
            if part is not None:
                for row in part.rows:
                    digest.update(part.material.reading.digests[row] or b"")
                for tensor in (part.targets, part.weights):
                    digest.update(tensor.cpu().numpy().tobytes())
        number = torch.tensor([digest.intdigest() >> 1], device=self._accelerator.device)
        if len(self._accelerator.gather(number).unique()) > 1:
            raise TargetError(
                "The processes do not train on the same rows in the same order. Pass the whole X "
                "and y to fit in each of them, sorted alike, and a number as random_state: rows "
                "are shared out batch by batch."
            )

    def summed(self, loss: torch.Tensor, rows: int, module: FineTuned) -> torch.Tensor:
        """Weight each share by its rows, in one sum over all processes."""
        import torch

        tensors = [loss.detach().clone(), *_changed_by_a_step(module)]
        flat = torch.cat([loss.new_ones(1), *(tensor.detach().reshape(-1) for tensor in tensors)])
        total = self._accelerator.reduce(flat.mul_(rows), reduction="sum")
        means = (total[1:] / total[0]).split([tensor.numel() for tensor in tensors])
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.copy_(mean.view_as(tensor))
        return tensors[0]

    def of_first(self, number: float) -> float:
        """Gather the numbers of all."""
        import torch

        own = torch.tensor([number], dtype=torch.float32, device=self._accelerator.device)
        return float(self._accelerator.gather(own)[0])

    def align(self, module: FineTuned) -> None:
        """Send it to the others; also where all computed the same, but on other hardware."""
        from accelerate.utils import broadcast

        for tensor in module.trained().values():
            tensor.data.copy_(broadcast(tensor.data))


def _changed_by_a_step(module: FineTuned) -> list[torch.Tensor]:
    """Return gradients, and the statistics of batch norms that learn."""
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    norms: list[Any] = [part for part in module.modules() if hasattr(part, "running_mean")]
    learning = [norm for norm in norms if norm.training and norm.track_running_stats]
    return gradients + [s for norm in learning for s in (norm.running_mean, norm.running_var)]


_ALONE = Alone()
_TEAM: ContextVar[Alone] = ContextVar("sktransfer_team")


@contextmanager
def train_together(accelerator: Any) -> Iterator[None]:
    """Let fine-tuners that are fitted within the block share their batches with other processes.

    Every process runs the same script on the same data, and each computes its share of every
    batch. The fitted estimators are the same in all of them, and up to rounding those that one
    process would have fitted.

    Parameters
    ----------
    accelerator : accelerate.Accelerator
        Of the library Accelerate, whose ``accelerate launch`` starts the processes (extra
        ``[cluster]``). It says who computes where; precision is that of the estimator.

    Yields
    ------
    None

    Notes
    -----
    Rows that are held out to validate, and what stays frozen, are computed by each process. So
    this is for trainings that take long because much learns: ``trainable="all"``, "lora", or
    several stages. Contrastive epochs compare all rows of a batch, and are not shared out.

    The result is that of one process but for what is drawn (dropout, augmentation, `mixup`), which
    each process draws for its share, and for batch norms that learn: they take their statistics
    from a share, as in DistributedDataParallel.

    Examples
    --------
    A script for ``accelerate launch --num_processes 2 script.py``; started without it, it is
    one process, and does everything:

    >>> from accelerate import Accelerator
    >>> from sktransfer import TextClassifier, train_together
    >>> texts, y = ["good", "lovely", "great", "bad", "awful", "poor"], [1, 1, 1, 0, 0, 0]
    >>> classifier = TextClassifier(trainable=1, max_epochs=1, random_state=0, cache=False)
    >>> with train_together(Accelerator(cpu=True)):
    ...     classifier.fit(texts, y).predict(["wonderful"])
    array([1])
    """
    token = _TEAM.set(Together(accelerator) if accelerator.num_processes > 1 else _ALONE)
    try:
        yield
    finally:
        _TEAM.reset(token)


def team() -> Alone:
    """Return who trains together now."""
    return _TEAM.get(_ALONE)
