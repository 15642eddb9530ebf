"""A child forked while another thread holds a lock does not deadlock."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, threading
import torch
from PIL import Image
from sktransfer import _randomness
from sktransfer.backbones import _backbone, get_backbone
from sktransfer.modalities.image import _decode

backbone = get_backbone("resnet18", weights=None, modality="image")
backbone.fast(torch.device("cpu"))

def draw():
    with _randomness.seeded(0):
        pass

cases = {
    "images": (_decode._shared_images, lambda: _decode.decode_image(Image.new("RGB", (2, 2)))),
    "random numbers": (_randomness._lock, draw),
    "a backbone": (_backbone._lock, lambda: backbone.fast(torch.device("cpu"))),
}
for name, (lock, work) in cases.items():
    is_held, is_over = threading.Event(), threading.Event()

    def hold():
        with lock:
            is_held.set()
            is_over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        work()
        os._exit(0)
    print(name, os.waitpid(child, 0)[1])
    is_over.set()
    thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_does_not_wait_for_locks_of_its_parents_threads():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["images 0", "random numbers 0", "a backbone 0"]
