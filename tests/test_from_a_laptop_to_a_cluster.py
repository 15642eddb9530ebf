"""Each step of the page runs as written; its script for several processes is tested in `training`."""

import os

import joblib

from tests._jobs import two_workers
from tests._pages import DOCS, blocks, run_in_order

PAGE = (DOCS / "from_a_laptop_to_a_cluster.md").read_text()
STEPS = [code for code in blocks(PAGE) if not code.startswith("# train.py")]


def test_the_steps_of_the_page_run_in_order(tmp_path, monkeypatch):
    assert len(STEPS) == 5
    # `n_jobs` means threads here: processes take long to start, and are tested elsewhere.
    with two_workers() as client, joblib.parallel_config("threading"):
        # Reuse the running cluster: the page would start a second one of the same kind.
        monkeypatch.setattr("dask.distributed.LocalCluster", lambda **options: client.cluster)
        workers_at = client.run(os.getcwd)
        client.run(os.chdir, str(tmp_path))
        try:
            run_in_order(STEPS, tmp_path, monkeypatch)
        finally:
            for worker, folder in workers_at.items():
                client.run(os.chdir, folder, workers=[worker])
