"""Pretrained networks as chains of stages, from several sources behind one door."""

from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import POOLED, Given, StagedNetwork
from sktransfer.backbones._recipe import ImageRecipe, TextRecipe
from sktransfer.backbones._registry import get_backbone, list_backbones
from sktransfer.backbones._table import BackboneTable

__all__ = [
    "POOLED",
    "Backbone",
    "BackboneTable",
    "Given",
    "ImageRecipe",
    "StagedNetwork",
    "TextRecipe",
    "get_backbone",
    "list_backbones",
]
