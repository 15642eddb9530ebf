"""Accidents and attacks on the cache, transforms and saved files.

``python -m tests.faults`` runs the whole table; the tests run a few of the same trials.
"""

import os

# Read by OpenMP when torch is imported; without it, threads that share cores busy-wait.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
