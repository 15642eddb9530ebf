"""Peak memory of a transform beyond its output is small and bounded."""

import mmap
from pathlib import Path

import pytest

from tests.faults.memory import MB, growth, images_peak, resident, texts_peak
from tests.faults.trials import CRASHED, RIGHT, in_child

pytestmark = [
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="the system does not report memory"
    ),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),  # it forks
]

_TEXTS, _IMAGES = 40_000, 4_000


def _texts(folder):
    peak = texts_peak(_TEXTS, folder)
    assert peak.output == _TEXTS * 384 * 4
    return peak.beside


def _images(folder):
    return images_peak(_IMAGES, folder).beside


def _many(folder):
    return growth(60, folder)


@pytest.mark.parametrize(
    ("work", "most"),
    [
        (_texts, 45 * MB),  # a second array of rows would be 61
        (_images, 60 * MB),  # mostly from the first use of libraries
        (_many, 4 * MB),
    ],
)
def test_memory_is_bounded(tmp_path, work, most):
    def child():
        taken = work(tmp_path)
        print(f"{taken / MB:.1f} MB")
        return RIGHT if taken < most else CRASHED

    assert in_child(child) == RIGHT


def test_allocated_memory_is_measured():
    before = resident()
    # Not from the heap, which may reuse memory that the process already has.
    with mmap.mmap(-1, 30 * MB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as taken:
        taken.write(b"x" * (30 * MB))
        assert resident() - before > 25 * MB
