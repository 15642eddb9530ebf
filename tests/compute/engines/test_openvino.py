"""OpenVINO writes, sends, prints and changes nothing in our process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import builtins, logging, os, socket, subprocess, sys, threading, warnings
import multiprocessing
import numpy as np
import torch
from sktransfer import ImageEmbedder, TextEmbedder
from sktransfer.backbones import get_backbone
from tests._tiny import images, texts

def refuse(*args, **options):
    print("tried to leave this process")
    os._exit(1)

socket.socket.connect = socket.getaddrinfo = refuse
subprocess.Popen.__init__ = multiprocessing.Process.start = refuse
get_backbone("all-MiniLM-L6-v2", modality="text")
get_backbone("efficientnet_lite0", modality="image")

def state():
    root = logging.getLogger()
    return {
        "filters": list(warnings.filters),
        "logging": (list(root.handlers), root.level, logging.root.manager.disable),
        "torch": (torch.get_num_threads(), torch.is_grad_enabled(), torch.initial_seed()),
        "random": torch.random.get_rng_state().tolist(),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "cores": os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None,
        "hooks": (sys.excepthook, sys.stdout, sys.stderr, builtins.divmod),
        "telemetry": [name for name in sys.modules if "telemetry" in name and "openvino_" in name],
    }

before = state()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    TextEmbedder(engine="openvino").fit_transform(texts(3))
    ImageEmbedder(engine="openvino").fit_transform(images(3))
assert caught == [], [str(warning.message) for warning in caught]
after = state()
assert before == after, [name for name in before if before[name] != after[name]]
"""


@pytest.mark.slow
def test_nothing_is_written_sent_printed_or_changed(tmp_path):
    home, cache = tmp_path / "home", tmp_path / "cache"
    home.mkdir()
    # Under continuous integration it would send no telemetry anyway.
    known = {name: value for name, value in os.environ.items() if name not in _CI}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env={**known, "HOME": str(home), "SKTRANSFER_CACHE": str(cache)},
        cwd=Path(__file__).parents[3],
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.iterdir()) == []
    assert sorted(path.name for path in cache.iterdir()) == ["v3"]


_CI = {
    "CI",
    "TF_BUILD",
    "JENKINS_URL",
    "GITHUB_ACTIONS",
    "TRAVIS",
    "CIRCLECI",
    "GITLAB_CI",
    "BUILD_ID",
    "TEAMCITY_VERSION",
}
