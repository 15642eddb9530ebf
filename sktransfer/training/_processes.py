"""Data parallel training: several processes, each with a share of every batch."""

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

    from sktransfer.training._column_data import Split
    from sktransfer.training._fine_tuned import FineTuned


class Processes:
    """The processes that train together, each with a share of every batch; by default one.

    Gradients are summed over the processes before each step, so all take the step of the whole
    batch. Statistics of batch norms in training mode are the exception: they are taken from
    each share and averaged.

    Parameters
    ----------
    accelerator : accelerate.Accelerator, optional
        Connects the processes.

    Attributes
    ----------
    size : int
        Number of processes.
    number : int
        Number of this process among them.
    """

    def __init__(self, accelerator: Any = None) -> None:
        self._accelerator = accelerator
        self.size = 1 if accelerator is None else accelerator.num_processes
        self.number = 0 if accelerator is None else accelerator.process_index

    def share(self, batch: list[int]) -> list[int]:
        """Return every n-th row; all rows of a batch with fewer than two rows per process."""
        return batch[self.number :: self.size] if len(batch) >= 2 * self.size else batch

    def own(self, random: np.random.RandomState) -> np.random.RandomState:
        """Return a generator per process: shares differ in length and in what they draw."""
        if self.size == 1:
            return random
        seed = copy.deepcopy(random).randint(2**31) + self.number
        return np.random.RandomState(seed)

    def check(self, splits: Sequence[Split | None], random: np.random.RandomState) -> None:
        """Raise `TargetError` if the processes have other rows or another order."""
        import torch

        if self.size == 1:
            return

        digest = xxhash.xxh3_64(copy.deepcopy(random).bytes(8))
        for split in splits:
            if split is not None:
                digests = split.data.digests  # of a table, computed by each call
                for row in split.rows:
                    digest.update(digests[row] or b"")
                for tensor in (split.weights, split.targets_of(split.rows.tolist())):
                    if tensor is not None:
                        digest.update(tensor.cpu().numpy().tobytes())
        number = torch.tensor([digest.intdigest() >> 1], device=self._accelerator.device)
        if len(self._accelerator.gather(number).unique()) > 1:
            raise TargetError(
                "The processes do not train on the same rows in the same order. Pass the whole X "
                "and y to fit in each of them, sorted alike, and a number as random_state: each "
                "batch is divided among them."
            )

    def summed(self, loss: torch.Tensor, rows: int, module: FineTuned) -> torch.Tensor:
        """Return the loss of the whole batch; gradients of a share become those of the batch."""
        import torch

        if self.size == 1:
            return loss

        learning = [p for p in module.parameters() if p.requires_grad]
        # A share without a cell of a tower has no gradients of it, but the batch may have.
        known = loss.new_tensor([float(p.grad is not None) for p in learning])
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in learning]
        tensors = [loss.detach().clone(), known, *gradients, *_statistics(module)]
        flat = torch.cat([loss.new_ones(1), *(tensor.detach().reshape(-1) for tensor in tensors)])
        total = self._accelerator.reduce(flat.mul_(rows), reduction="sum")
        means = (total[1:] / total[0]).split([tensor.numel() for tensor in tensors])
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.copy_(mean.view_as(tensor))
        for parameter, gradient, share in zip(learning, gradients, known.tolist(), strict=True):
            parameter.grad = gradient if share else None
        return tensors[0]

    def of_first(self, number: float) -> float:
        """Return the number of the first process."""
        import torch

        if self.size == 1:
            return number

        own = torch.tensor([number], dtype=torch.float32, device=self._accelerator.device)
        return float(self._accelerator.gather(own)[0])

    def align(self, module: FineTuned) -> None:
        """Copy what the first process has trained: other hardware may round differently."""
        if self.size == 1:
            return
        from accelerate.utils import broadcast

        for tensor in module.trained().values():
            tensor.data.copy_(broadcast(tensor.data))


def _statistics(module: FineTuned) -> list[torch.Tensor]:
    """Return the statistics of batch norms in training mode, which a step changes."""
    norms = [m for m in module.modules() if getattr(m, "track_running_stats", False) and m.training]
    return [norm.get_buffer(f"running_{s}") for norm in norms for s in ("mean", "var")]


_ALONE = Processes()
_PROCESSES: ContextVar[Processes] = ContextVar("sktransfer_processes")


@contextmanager
def train_together(accelerator: Any) -> Iterator[None]:
    """Fit within the block in data parallel: processes share the batches of fine-tuners.

    Every process runs the same script on the same data and computes its share of every batch.
    The fitted estimators are the same in all of them, and equal to those of one process up to
    rounding.

    Parameters
    ----------
    accelerator : accelerate.Accelerator
        Of the library Accelerate, whose ``accelerate launch`` starts the processes (extra
        ``[cluster]``). It assigns devices; the precision is the estimator's.

    Yields
    ------
    None

    Notes
    -----
    Validation rows, and outputs of frozen parts, are computed by each process. So this pays
    where much is trained: ``trainable="all"``, "lora", or several stages. Contrastive epochs
    compare all rows of a batch and are not divided.

    The result equals that of one process except for random draws (dropout, augmentation,
    `mixup`), which each process makes for its share, and for batch norms in training mode,
    which take their statistics from a share, as in DistributedDataParallel.

    Examples
    --------
    A script for ``accelerate launch --num_processes 2 script.py``; without it, one process
    does everything:

    >>> from accelerate import Accelerator
    >>> from sktransfer import TextClassifier, train_together
    >>> texts, y = ["good", "lovely", "great", "bad", "awful", "poor"], [1, 1, 1, 0, 0, 0]
    >>> classifier = TextClassifier(trainable=1, max_epochs=1, random_state=0, cache=False)
    >>> with train_together(Accelerator(cpu=True)):
    ...     classifier.fit(texts, y).predict(["wonderful"])
    array([1])
    """
    token = _PROCESSES.set(Processes(accelerator))
    try:
        yield
    finally:
        _PROCESSES.reset(token)


def processes() -> Processes:
    """Return the processes that train together now."""
    return _PROCESSES.get(_ALONE)
