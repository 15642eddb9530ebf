"""Saving estimators to one file of plain data, loading them, and exporting their networks."""

from sktransfer.persistence._export_onnx import export_onnx as export_onnx
from sktransfer.persistence._export_weights import export_weights as export_weights
from sktransfer.persistence._load import load as load
from sktransfer.persistence._save import save as save
