"""Whole tables: what their columns are, and all of them as one block of features."""

from sktransfer.tables._columns import TableColumn as TableColumn
from sktransfer.tables._columns import recognize_columns as recognize_columns
from sktransfer.tables._mixed_classifier import MixedClassifier as MixedClassifier
from sktransfer.tables._mixed_regressor import MixedRegressor as MixedRegressor
from sktransfer.tables._table_embedder import TableEmbedder as TableEmbedder
