"""Containers of one column: lists, arrays, Series and frames of any library."""

from sktransfer.columns._as_column import as_column as as_column
from sktransfer.columns._as_column import row_labels as row_labels
from sktransfer.columns._cells import describe as describe
from sktransfer.columns._cells import is_blank as is_blank
from sktransfer.columns._cells import is_missing as is_missing
from sktransfer.columns._cells import name_cell as name_cell
from sktransfer.columns._column import CellType as CellType
from sktransfer.columns._column import Column as Column
from sktransfer.columns._rows import FlatRows as FlatRows
from sktransfer.columns._rows import Rows as Rows
from sktransfer.columns._rows import rows_of as rows_of
from sktransfer.columns._table_values import Values as Values
from sktransfer.columns._table_values import numbers_of as numbers_of
from sktransfer.columns._table_values import seconds_of as seconds_of
from sktransfer.columns._table_values import values_of as values_of
