"""One training from the first epoch to the last: which parts learn when, and from what."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from sktransfer import _runtime
from sktransfer._randomness import Randomness
from sktransfer.adapt import FineTuned, cut_below, parameter_groups
from sktransfer.backbones import POOLED
from sktransfer.exceptions import BackboneError, StoppedWarning
from sktransfer.finetune._batching import BalancedBatches, Batches, in_batches
from sktransfer.finetune._callbacks import own_callbacks
from sktransfer.finetune._loss import BatchLoss, contrastive_loss, weighted_mean
from sktransfer.finetune._material import Material
from sktransfer.finetune._net import Net
from sktransfer.finetune._optimizer import make_optimizer, make_schedule
from sktransfer.finetune._outputs import outputs_of
from sktransfer.finetune._stream import FeatureRows, Stream
from sktransfer.finetune._tasks import Task
from sktransfer.finetune._team import Alone, team
from sktransfer.finetune._watch import Watch

CONTRASTIVE = "contrastive"

# A head learns well with ten times the rate that pretrained stages can take.
_CONTRASTIVE_RATE = 0.1
# The head takes the scale of features from so many rows.
_SCALED_ON = 256


@dataclass
class Part:
    """The rows of a column that are trained on, or those that validate.

    Attributes
    ----------
    material : Material
        The column.
    rows : ndarray of int
        Positions in it.
    targets, weights : Tensor
        One entry a row of the column.
    """

    material: Material
    rows: np.ndarray
    targets: torch.Tensor
    weights: torch.Tensor

    def batches(
        self,
        stream: Stream,
        size: int,
        random: np.random.RandomState | None = None,
        kind: type[Batches] = Batches,
    ) -> Batches:
        """Return the rows in batches, as a stream brings them."""
        return kind(stream, self.rows, self.targets, self.weights, size, random)


@dataclass(frozen=True)
class Phase:
    """Some epochs in which the same stages learn."""

    name: str
    learning: tuple[str, ...]
    epochs: int


@dataclass
class Training:
    """Train a module by the parameters of an estimator.

    Parameters
    ----------
    params : estimator
        Its parameters are read, nothing else.
    module : FineTuned
        Is trained in place.
    task : Task
        What is learned.
    train : Part
        Rows to learn from.
    valid : Part, optional
        Rows to validate on.
    random : RandomState
        Draws the order of rows; everything random follows from it.
    watch : Watch
        Hears of every epoch.
    augment : callable, optional
        What is done to prepared cells of training rows.
    changed : tuple of str
        The stages that are not any more what they are in the backbone.
    """

    params: Any
    module: FineTuned
    task: Task
    train: Part
    valid: Part | None
    random: np.random.RandomState
    watch: Watch
    augment: Callable[[Any], Any] | None = None
    changed: tuple[str, ...] = ()
    randomness: Randomness = field(init=False)
    callbacks: list[Any] = field(init=False)
    team: Alone = field(init=False, default_factory=team)
    _streams: dict[Any, Stream] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.team.check([self.train, self.valid], self.random)
        self.callbacks = own_callbacks(self.params.callbacks)
        seed = self.random.randint(2**31) + self.team.number
        self.randomness = Randomness(seed, self.train.material.device)

    def run(self, *, epochs: int, start_head: bool, prepare: bool) -> None:
        """Train; on an interrupt, keep the epochs that are done.

        Parameters
        ----------
        epochs : int
            Besides those in which only the head learns.
        start_head : bool
            Whether the head takes the scale of features and targets first: not where it goes on.
        prepare : bool
            Whether there are epochs of another kind before: contrastive ones, and a probe.
        """
        watch = self.watch
        try:
            if prepare:
                self._contrast()
            groups = list(self._groups(epochs, prepare))
            if start_head:
                self._start_head(groups[0][0].learning)
            row_loss = self.task.row_loss(self.params.label_smoothing)
            for group in groups:
                self._run_group(group, weighted_mean(row_loss))
        except KeyboardInterrupt:
            if not watch.done or watch.phase == CONTRASTIVE:  # there is no head yet
                raise
            watch.restore_last(self.module)
            warnings.warn(
                f"The fit was interrupted; the estimator is fitted with the {watch.done} of "
                f"{watch.expected} epochs that were done. With warm_start=True, fit goes on.",
                StoppedWarning,
                stacklevel=6,
            )
        if self.params.early_stopping:
            watch.restore_best(self.module)
        self.team.align(self.module)
        self.module.open(self.module.opened)
        self.module.eval()

    def _contrast(self) -> None:
        """Let opened stages bring rows of a class together, before there is a head."""
        if self.params.contrastive_epochs:
            if not any(p.requires_grad for p in self.module.network.parameters()):
                raise BackboneError(
                    f"contrastive_epochs trains opened stages, and {', '.join(self.module.opened)} "
                    "have no weights. Open more of them."
                )
            phase = Phase(CONTRASTIVE, self.module.opened, self.params.contrastive_epochs)
            self._run_group([phase], contrastive_loss, with_head=False, kind=BalancedBatches)

    def _groups(self, epochs: int, prepare: bool) -> Iterator[list[Phase]]:
        """Yield phases that share an optimizer and a schedule."""
        opened = self.module.opened
        if opened and prepare and self.params.probe_epochs:
            yield [Phase("probe", (), self.params.probe_epochs)]
        if prepare and self.params.contrastive_epochs:
            yield [Phase("head", (), epochs)]  # more of the network would forget what it learned
        elif self.params.trainable == "gradual":
            done = sum(record.get("phase") == "gradual" for record in self.watch.log)
            counts = [min(done + epoch, len(opened)) for epoch in range(1, epochs + 1)]
            yield [Phase("gradual", opened[len(opened) - count :], 1) for count in counts]
        else:
            yield [Phase("train", opened, epochs)]

    def _run_group(
        self,
        phases: list[Phase],
        loss: BatchLoss,
        *,
        with_head: bool = True,
        kind: type[Batches] = Batches,
    ) -> None:
        if self.watch.is_ended:
            return
        self.watch.is_over = False
        steps = kind.per_epoch(self.train.rows, self.params.batch_size)
        net = self._net(steps * sum(phase.epochs for phase in phases), loss, with_head)
        try:
            for phase in phases:
                self._run_phase(net, phase, with_head, kind)
                if self.watch.is_over:
                    return
        finally:
            net.end()

    def _run_phase(self, net: Net, phase: Phase, with_head: bool, kind: type[Batches]) -> None:
        self.module.open(phase.learning)
        size = self.params.batch_size
        stream = self._stream(self.train, phase.learning, self._change())
        train = self.train.batches(stream, size, self.random, kind)
        valid = None
        if self.valid and with_head:
            valid = self.valid.batches(self._stream(self.valid, phase.learning), size)
        self.watch.phase = phase.name
        net.run(train, valid, phase.epochs)
        self.changed = max(self.changed, phase.learning, key=len)

    def _change(self) -> Callable[[Any], Any] | None:
        augment = self.augment
        if augment is None:
            return None

        def change(batch: Any) -> Any:
            with self.randomness.own():
                return augment(batch)

        return change

    def _stream(
        self, part: Part, learning: tuple[str, ...], change: Callable[[Any], Any] | None = None
    ) -> Stream:
        """Return how rows come to what learns; nothing that has learned is below the cut."""
        cut = cut_below(list(self.module.network.stages), max(self.changed, learning, key=len))
        if change is not None:
            return part.material.stream(cut, part.rows.tolist(), change=change)
        key = (part is self.train, cut, self.changed and not learning)
        if key not in self._streams:
            for other in [k for k in self._streams if k[0] == key[0]]:
                del self._streams[other]  # its memory is free before that of the next is taken
            self._streams[key] = self._new_stream(part, cut, features=bool(key[2]))
        return self._streams[key]

    def _new_stream(self, part: Part, cut: str | None, *, features: bool) -> Stream:
        material = part.material
        if not features:
            return material.stream(cut, part.rows.tolist())
        width = self.module.head.n_features
        rows = part.rows.tolist()
        found = outputs_of(self.module, material, width, head=False, rows=rows)
        return FeatureRows(torch.from_numpy(found).to(material.device))

    def _net(self, steps: int, loss: BatchLoss, with_head: bool) -> Net:
        params, device = self.params, self.train.material.device

        def optimizer(module: FineTuned) -> torch.optim.Optimizer:
            groups = parameter_groups(
                module,
                lr=params.lr if with_head else params.lr * _CONTRASTIVE_RATE,
                layer_decay=params.layer_decay,
                weight_decay=params.weight_decay,
            )
            return make_optimizer(groups, params.optimizer, momentum=params.momentum)

        net = Net(
            self.module,
            batch_loss=loss,
            with_head=with_head,
            task=self.task,
            make_optimizer=optimizer,
            make_schedule=lambda made: make_schedule(
                made, params.lr_schedule, warmup=params.warmup, steps=steps
            ),
            randomness=self.randomness,
            random=self.team.own(self.random),
            team=self.team,
            precision=self.train.material.precision,
            mixup=params.mixup if with_head else 0.0,
            watch=self.watch,
            # Contrastive epochs have no predictions, which most callbacks are about.
            callbacks=self.callbacks if with_head else [],
            device=str(device),
            verbose=0,
        )
        return net.initialize()

    def _start_head(self, learning: tuple[str, ...]) -> None:
        """Give the head the scale of what comes to it when these stages begin to learn."""
        head, material = self.module.head, self.train.material
        rows = self.train.rows
        if len(rows) > _SCALED_ON:
            rows = np.sort(self.random.permutation(rows)[:_SCALED_ON])
        self.module.eval()
        with _runtime.inference(material.device, material.precision):
            parts = [
                self.module.features(part.inputs, part.given)
                for part in self._at_first(rows, learning)(in_batches(rows, 32))
            ]
        if parts:
            features = torch.cat(parts).clone()
            if not features.isfinite().all():
                raise BackboneError(
                    f"{material.backbone.name!r} gives features that are no numbers, before "
                    "anything has been trained. Try whether ImageEmbedder or TextEmbedder gives "
                    "better ones, as with another precision."
                )
            train = self.train.rows.tolist()
            bias = self.task.bias(self.train.targets[train], self.train.weights[train])
            head.start(features, bias)

    def _at_first(self, rows: np.ndarray, learning: tuple[str, ...]) -> Stream:
        """Return how these rows come to the head before these stages have learned."""
        is_kept = self.augment is None and len(learning) < len(self.module.network.stages)
        if self.changed or is_kept:
            return self._stream(self.train, learning)
        # No epoch would use what a cut gives; features of the backbone may be in the cache.
        return self.train.material.stream(POOLED, rows.tolist())
