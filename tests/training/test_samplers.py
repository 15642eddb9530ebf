"""Assignment of rows to training batches."""

import numpy as np
import torch

from sktransfer.training import Split
from sktransfer.training._processes import Processes
from sktransfer.training._samplers import BalancedSampler, Sampler, in_batches
from sktransfer.training._sources import TrainingBatch
from sktransfer.training.targets import ClassTarget
from tests.training.test_processes import Accelerator


def source(batches):
    """Yield batches without network inputs."""
    for batch in batches:
        yield TrainingBatch(list(batch), None)


def split(rows, targets):
    """Return rows whose targets, one per row of their column, are classes."""
    targets = torch.tensor(targets)
    return Split(None, rows, ClassTarget(np.unique(targets)), targets, torch.ones(len(targets)))


def test_no_last_batch_has_a_single_row():
    assert [len(b) for b in in_batches(np.arange(9), 4)] == [4, 5]
    assert [len(b) for b in in_batches(np.arange(10), 4)] == [4, 4, 2]
    assert [len(b) for b in in_batches(np.arange(1), 4)] == [1]
    assert [len(b) for b in in_batches(np.arange(3), 1)] == [1, 1, 1]


def test_training_batches_are_divided_among_processes_and_validation_batches_are_not():
    rows = split(np.arange(8), [0] * 8)
    for random, share in ((None, 8), (np.random.RandomState(0), 4)):
        [(batch, _)] = Sampler(source, rows, 8, random, Processes(Accelerator(1)))
        assert (len(batch), batch.batch_size) == (share, 8)


def balanced(targets, batch_size):
    """Return the rows and the classes of each balanced batch; row 3 has the first target."""
    rows = split(np.arange(3, 3 + len(targets)), [9] * 3 + targets)
    batches = BalancedSampler(source, rows, batch_size, np.random.RandomState(0))
    drawn = list(batches)
    assert len(drawn) == len(batches)
    return [batch.rows for batch, _ in drawn], [classes.numpy() for _, classes in drawn]


def test_classes_are_balanced_in_each_batch():
    rows, classes = balanced([0] * 15 + [1] * 3 + [2] * 2, 9)
    assert len(classes) == 32  # a small class is drawn several times per epoch
    assert all(np.bincount(batch).tolist() == [3, 3, 3] for batch in classes)
    of_the_first = [row for batch in rows for row in batch if row < 18]
    for start in range(0, 90, 15):  # none is repeated before all were drawn
        assert len(set(of_the_first[start : start + 15])) == 15


def test_many_classes_take_turns_in_balanced_batches():
    _, classes = balanced(list(range(20)) * 3, 8)
    assert all(
        sorted(np.bincount(batch, minlength=20))[-5:] == [0, 2, 2, 2, 2] for batch in classes[:5]
    )
    assert len(set(np.concatenate(classes[:5]))) == 20
