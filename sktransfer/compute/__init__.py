"""Columns through a frozen network: each distinct cell once, in batches, by torch or an engine."""

from sktransfer.compute._batching import equal_batches as equal_batches
from sktransfer.compute._cell_errors import CellErrors as CellErrors
from sktransfer.compute._cell_errors import digest_column as digest_column
from sktransfer.compute._extractor import FeatureExtractor as FeatureExtractor
from sktransfer.compute._layers import LayersExtractor as LayersExtractor
from sktransfer.compute._layers import LayersPlan as LayersPlan
from sktransfer.compute._out_of_memory import OutOfMemorySplitter as OutOfMemorySplitter
from sktransfer.compute._plan import CHUNK as CHUNK
from sktransfer.compute._plan import RowPlan as RowPlan
from sktransfer.compute._plan import TextPlan as TextPlan
from sktransfer.compute._plan import first_rows as first_rows
from sktransfer.compute._progress_bar import progress_bar as progress_bar
from sktransfer.compute._runner import Batch as Batch
from sktransfer.compute._runner import Runner as Runner
