"""Pretrained networks as chains of stages, from several sources behind one function."""

from typing import Any

from sktransfer.backbones._backbone import Backbone as Backbone
from sktransfer.backbones._export import Export as Export
from sktransfer.backbones._list_backbones import BackboneTable as BackboneTable
from sktransfer.backbones._map_network import map_backbone as map_backbone
from sktransfer.backbones._map_network import unpacked as unpacked
from sktransfer.backbones._network import POOLED as POOLED
from sktransfer.backbones._network import CachedActivation as CachedActivation
from sktransfer.backbones._network import Level as Level
from sktransfer.backbones._network import StagedNetwork as StagedNetwork
from sktransfer.backbones._network import at_level as at_level
from sktransfer.backbones._packing import find_from_file as find_from_file
from sktransfer.backbones._packing import keep_from_file as keep_from_file
from sktransfer.backbones._packing import pack as pack
from sktransfer.backbones._packing import unpack as unpack
from sktransfer.backbones._registry import get_backbone as get_backbone
from sktransfer.backbones._registry import list_backbones as list_backbones
from sktransfer.backbones._text_generation import GenerationModel as GenerationModel
from sktransfer.backbones._text_generation import get_generation_model as get_generation_model
from sktransfer.backbones._weights import downloads_forbidden as downloads_forbidden
from sktransfer.backbones._weights import refuse_misfits as refuse_misfits
from sktransfer.backbones._word_network import word_backbone as word_backbone
from sktransfer.backbones.speech import SpeechModel as SpeechModel
from sktransfer.backbones.speech import get_speech_model as get_speech_model
from sktransfer.backbones.speech import transcribe as transcribe
from sktransfer.modalities import MODALITIES, modality_of


def __getattr__(name: str) -> Any:
    # The recipes of all modalities, which a module of the user's names in its attribute `recipe`.
    modality = name.removesuffix("Recipe").lower()
    if name.endswith("Recipe") and modality in MODALITIES:
        return modality_of(modality).recipe_type
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
