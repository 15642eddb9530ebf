"""Each step of the page runs as it stands there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sktransfer import load
from tests._jobs import two_workers
from tests._pages import DOCS, blocks, run_in_order

PAGE = (DOCS / "from_a_laptop_to_a_cluster.md").read_text()
STEPS = [code for code in blocks(PAGE) if not code.startswith("# train.py")]
SCRIPTS = [code for code in blocks(PAGE) if code.startswith("# train.py")]
LAUNCHED = [line for text in blocks(PAGE, "console") for line in text.splitlines()]


def test_the_page_has_steps_a_script_and_two_ways_to_launch_it():
    assert (len(STEPS), len(SCRIPTS), len(LAUNCHED)) == (5, 1, 2)


def test_the_steps_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    with two_workers() as client:
        # That of the page would be one more of the same kind.
        monkeypatch.setattr("dask.distributed.LocalCluster", lambda **options: client.cluster)
        workers_at = client.run(os.getcwd)
        client.run(os.chdir, str(tmp_path))
        try:
            run_in_order(STEPS, tmp_path, monkeypatch)
        finally:
            for worker, folder in workers_at.items():
                client.run(os.chdir, folder, workers=[worker])


def test_two_processes_train_together(tmp_path):
    pytest.importorskip("accelerate")
    (tmp_path / "train.py").write_text(SCRIPTS[0])
    setting, *command = LAUNCHED[1].removeprefix("$ ").split()
    assert command[0] == "torchrun"
    command[0] = str(Path(sys.executable).with_name("torchrun"))
    done = subprocess.run(
        command,
        env={**os.environ, **dict([setting.split("=")])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    classifier = load(tmp_path / "classifier.skt")
    assert classifier.predict(["a kitten", "a judge"]).tolist() == ["pet", "law"]
