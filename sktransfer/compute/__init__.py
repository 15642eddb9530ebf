"""Columns through a frozen network: each distinct cell once, in batches, by torch or an engine."""

from sktransfer.compute._batching import equal_batches
from sktransfer.compute._cell_errors import CellErrors, digest_column
from sktransfer.compute._extractor import FeatureExtractor
from sktransfer.compute._out_of_memory import OutOfMemorySplitter
from sktransfer.compute._plan import CHUNK, RowPlan, first_rows
from sktransfer.compute._progress_bar import progress_bar
from sktransfer.compute._runner import Batch, Runner

__all__ = [
    "CHUNK",
    "Batch",
    "CellErrors",
    "FeatureExtractor",
    "OutOfMemorySplitter",
    "RowPlan",
    "Runner",
    "digest_column",
    "equal_batches",
    "first_rows",
    "progress_bar",
]
