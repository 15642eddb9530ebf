"""The small parts of a training: schedules, batches, stores, augmentations."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from sktransfer.backbones import ImageRecipe
from sktransfer.finetune._augment import image_augmentation, text_augmentation
from sktransfer.finetune._batching import in_batches
from sktransfer.finetune._optimizer import make_optimizer, make_schedule
from sktransfer.finetune._store import RowStore, size_of
from tests._tiny import images


def rates(name, warmup, steps=20):
    """Return the learning rate of each step."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 1.0}]
    optimizer = make_optimizer(groups, "sgd", momentum=0.9)
    schedule = make_schedule(optimizer, name, warmup=warmup, steps=steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return np.array(found)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", ["cosine", "onecycle", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 20])
def test_every_schedule_is_as_long_as_the_training(name, warmup, steps):
    found = rates(name, warmup, steps)
    assert len(found) == steps
    assert (found > 0).all()
    assert found.max() <= 1 + 1e-9


def test_rates_rise_and_fall_as_their_names_say():
    constant = rates("constant", 0.25)
    assert (np.diff(constant[:5]) > 0).all()
    assert (constant[5:] == 1).all()
    cosine = rates("cosine", 0.25)
    np.testing.assert_allclose(cosine[:5], constant[:5])
    np.testing.assert_allclose(cosine[5:], (1 + np.cos(np.pi * np.arange(15) / 15)) / 2, atol=1e-9)
    assert rates("cosine", 0.0)[[0, -1]] == pytest.approx([1.0, (1 + np.cos(np.pi * 0.95)) / 2])
    assert rates("onecycle", 0.25).argmax() in (4, 5)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_optimizers_are_torchs(name, kind):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1}]
    assert type(make_optimizer(groups, name, momentum=0.9)) is kind


def test_no_last_batch_has_a_single_row():
    assert [len(b) for b in in_batches(np.arange(9), 4)] == [4, 5]
    assert [len(b) for b in in_batches(np.arange(10), 4)] == [4, 4, 2]
    assert [len(b) for b in in_batches(np.arange(1), 4)] == [1]
    assert [len(b) for b in in_batches(np.arange(3), 1)] == [1, 1, 1]


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_store_keeps_rows_of_any_shape(on_disk):
    shapes = [(2, 3), (4, 3), (1, 3)]
    store = RowStore(shapes, on_disk)
    for number, shape in enumerate(shapes):
        store[number][...] = number + 1
        assert store[number].shape == shape
    together = store.take([2, 1])
    assert together.shape == (2, 4, 3)
    assert together.sum(axis=(1, 2)).tolist() == [9, 24]
    assert size_of(shapes) == 84
    uniform = RowStore([(2,)] * 3, on_disk)
    uniform[1][...] = 5
    assert uniform.take([1, 1]).tolist() == [[5, 5], [5, 5]]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_an_augmentation_may_leave_one_channel(dtype):
    batch = (images(3) / (1 if dtype == np.uint8 else 255)).astype(dtype)
    changed = image_augmentation(v2.Grayscale())(batch)
    assert changed.shape == batch.shape
    assert changed.dtype == dtype
    np.testing.assert_array_equal(changed, image_augmentation(v2.Grayscale(3))(batch))
    assert ImageRecipe().scale(torch.from_numpy(changed)).shape == (3, 3, *batch.shape[1:3])


def test_dropped_tokens_are_never_the_first_or_last_and_never_all():
    change = text_augmentation("token_dropout")
    tokens = list(range(100, 150))
    thinned = change([tokens] * 200)
    assert all(row[0] == 100 and row[-1] == 149 for row in thinned)
    assert 40 < np.mean([len(row) for row in thinned]) < 48
    assert change([[1], [1, 2], [1, 2, 3]])[:2] == [[1], [1, 2]]
    assert all(len(change([[1, 2, 3]])[0]) == 3 for _ in range(50))
