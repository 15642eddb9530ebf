"""Estimators in one file of plain data, and back: nothing in such a file is executed."""

from sktransfer.persistence._load import load
from sktransfer.persistence._save import save

__all__ = ["load", "save"]
