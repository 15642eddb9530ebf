"""Measurements side by side in one run: ``python -m benchmarks.<name>``."""

import os

# Read by OpenMP when torch is imported; without it, threads that share cores spin in vain.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
