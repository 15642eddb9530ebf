"""A column through a frozen network: read, put into batches, computed once a distinct cell."""

from sktransfer.extraction._ahead import ahead
from sktransfer.extraction._bar import new_bar
from sktransfer.extraction._batches import (
    CPU_IMAGES,
    CPU_TOKENS,
    GPU_IMAGES,
    GPU_TOKENS,
    equal_batches,
)
from sktransfer.extraction._converted import ConvertedExtraction
from sktransfer.extraction._estimator import ColumnEstimator
from sktransfer.extraction._extraction import Extraction
from sktransfer.extraction._failures import Failures
from sktransfer.extraction._image_column import ImageColumnEstimator
from sktransfer.extraction._images import ImageReader
from sktransfer.extraction._once import ROWS_TOGETHER, Lookup, first_rows
from sktransfer.extraction._portions import Portions
from sktransfer.extraction._reader import Batch, Batching, Reader, Reading
from sktransfer.extraction._state import StateHooks, state_hooks, use_state_hooks
from sktransfer.extraction._text_column import TextColumnEstimator
from sktransfer.extraction._texts import TextReader

__all__ = [
    "CPU_IMAGES",
    "CPU_TOKENS",
    "GPU_IMAGES",
    "GPU_TOKENS",
    "ROWS_TOGETHER",
    "Batch",
    "Batching",
    "ColumnEstimator",
    "ConvertedExtraction",
    "Extraction",
    "Failures",
    "ImageColumnEstimator",
    "ImageReader",
    "Lookup",
    "Portions",
    "Reader",
    "Reading",
    "StateHooks",
    "TextColumnEstimator",
    "TextReader",
    "ahead",
    "equal_batches",
    "first_rows",
    "new_bar",
    "state_hooks",
    "use_state_hooks",
]
