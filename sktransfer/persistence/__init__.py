"""Saving estimators to one file of plain data, and loading them without executing anything."""

from sktransfer.persistence._load import load as load
from sktransfer.persistence._save import save as save
