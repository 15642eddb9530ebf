"""Saving estimators to one file of plain data, and loading them without executing anything."""

from sktransfer.persistence._load import load
from sktransfer.persistence._save import save

__all__ = ["load", "save"]
