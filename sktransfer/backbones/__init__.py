"""Pretrained networks as chains of stages, from several sources behind one door."""

from sktransfer.backbones._adopted import adopt, adopted
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import POOLED, Given, StagedNetwork
from sktransfer.backbones._packing import Packed, pack, unpack
from sktransfer.backbones._recipe import ImageRecipe, TextRecipe
from sktransfer.backbones._registry import get_backbone, list_backbones
from sktransfer.backbones._table import BackboneTable
from sktransfer.backbones._weights import refuse_misfits

__all__ = [
    "POOLED",
    "Backbone",
    "BackboneTable",
    "Given",
    "ImageRecipe",
    "Packed",
    "StagedNetwork",
    "TextRecipe",
    "adopt",
    "adopted",
    "get_backbone",
    "list_backbones",
    "pack",
    "refuse_misfits",
    "unpack",
]
