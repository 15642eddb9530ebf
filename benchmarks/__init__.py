"""Benchmarks: ``python -m benchmarks.<name>``. All alternatives are measured in one run."""

import os

# Read by OpenMP when torch is imported; without it, threads that share cores busy-wait.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
