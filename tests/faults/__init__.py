"""Accidents and attacks that are tried on the cache, transforms and files.

``python -m tests.faults`` runs the whole table; the tests run the same trials in small numbers.
"""

import os

# Read by OpenMP when torch is imported; without it, threads that share cores spin in vain.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
