"""How many images go together is found out on the rows themselves."""

import numpy as np
import pytest
import torch
from torch import nn

from sktransfer import ImageEmbedder
from sktransfer.extraction import _pace
from sktransfer.extraction._images import ImageReader
from sktransfer.extraction._pace import Pace, pace_of
from tests._tiny import counted_rows, images, tiny_network

MANY = Pace(32).enough


def run(pace, seconds_a_row, rows=MANY):
    """Go through a column with a pace, and return the sizes of its batches."""
    sizes, done = [], 0
    for size in pace.sizes(rows):
        size = min(size, rows - done)
        pace.note(size, size * seconds_a_row[size], rows)
        sizes.append(size)
        done += size
        if done == rows:
            return sizes
    raise AssertionError


@pytest.mark.parametrize("fastest", [4, 8, 16, 32])
def test_the_fastest_size_is_tried_and_then_taken(fastest):
    times = dict.fromkeys(range(1, 33), 0.01) | {fastest: 0.005}
    pace = Pace(32)
    sizes = run(pace, times)
    assert set(sizes[:12]) == {4, 8, 16, 32}
    assert set(sizes[12:-1]) <= {fastest}
    assert run(pace, times, rows=40)[0] == fastest  # remembered, also for fewer rows


def test_what_is_hardly_faster_does_not_count():
    pace = Pace(32)
    run(pace, dict.fromkeys(range(1, 33), 0.01) | {32: 0.0097})
    assert pace.best == 8


def test_one_slow_batch_does_not_decide():
    pace = Pace(32)
    first = True
    for size in pace.sizes(MANY):
        took = 0.01 if size != 16 else (5.0 if first else 0.005)
        first = first and size != 16
        pace.note(size, size * took, MANY)
        if size == 16 and not pace._to_try:
            break
    assert pace.best == 16


def test_the_end_of_a_column_is_no_trial():
    pace = Pace(32)
    times = dict.fromkeys(range(1, 33), 0.01) | {5: 0.001}
    run(pace, times)
    for _ in range(4):
        run(pace, times, rows=MANY + 5 - MANY % 8)
    assert pace.best == 8


def test_a_few_rows_are_taken_as_usual_and_try_nothing():
    pace = Pace(32)
    assert set(run(pace, dict.fromkeys(range(1, 33), 0.01), rows=MANY - 8)) <= {8}
    assert set(run(pace, dict.fromkeys(range(1, 33), 0.01))) > {8}


@pytest.mark.parametrize(("largest", "tried"), [(20, {4, 8, 16}), (8, {4, 8}), (3, {3}), (1, {1})])
def test_no_batch_is_larger_than_the_images_allow(largest, tried):
    sizes = run(Pace(largest), dict.fromkeys(range(1, 33), 0.01), rows=24 * 30)
    assert set(sizes) == tried


@pytest.mark.parametrize(("size", "most"), [(224, 41), (512, 8), (1024, 2), (4000, 1)])
def test_large_images_go_through_in_fewer_at_a_time(size, most):
    from sktransfer.backbones import get_backbone

    backbone = get_backbone(tiny_network(), modality="image")
    assert ImageReader(image_size=size).most_together(backbone) == most
    assert ImageReader(image_size=size, batch_size=100).most_together(backbone) is None


def test_large_images_are_in_small_batches():
    network = tiny_network()
    with counted_rows(network) as counts:
        ImageEmbedder(network, image_size=1024, cache=False).fit_transform(images(5))
    assert [count for count in counts if count] == [2, 2, 1]  # none, to see the width


@pytest.mark.parametrize(("largest", "rows"), [(32, 720), (20, 336), (8, 144)])
def test_the_fewer_sizes_there_are_to_try_the_fewer_rows_are_enough(largest, rows):
    assert Pace(largest).enough == rows
    times = dict.fromkeys(range(1, 33), 0.01) | {4: 0.005}
    assert 4 in run(Pace(largest), times, rows=rows)
    assert 4 not in run(Pace(largest), times, rows=rows - 8)


def test_a_pace_is_kept_for_all_that_is_alike():
    key = object()
    assert pace_of(key, 32) is pace_of(key, 32)
    assert pace_of(object(), 32) is not pace_of(key, 32)


class Pooled(nn.Module):
    def forward(self, x):
        return torch.stack([x.mean((2, 3)), x.amax((2, 3))], 1).flatten(1)


def test_the_sizes_that_are_tried_do_not_change_the_features(monkeypatch):
    monkeypatch.setattr(_pace, "_paces", {})
    network = Pooled()
    column = np.random.RandomState(0).randint(0, 256, (MANY, 8, 8, 3)).astype("uint8")
    embedder = ImageEmbedder(network, image_size=8, cache=False, device="cpu")
    with counted_rows(network) as counts:
        found = embedder.fit_transform(column)
    assert {4, 8, 16, 32} <= set(counts[:13])
    plain = ImageEmbedder(network, image_size=8, cache=False, batch_size=8).fit_transform(column)
    np.testing.assert_allclose(found, plain, rtol=1e-5, atol=1e-6)
