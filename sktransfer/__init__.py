"""The pretrained half of scikit-learn.

A column of images, texts or sounds becomes features through ``fit`` and ``transform``, inside
``Pipeline``, ``ColumnTransformer`` and ``GridSearchCV``; every row goes through the network
once, ever.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sktransfer._public import HOMES
from sktransfer._version import __version__ as __version__

if TYPE_CHECKING:  # for type checkers and editors, which cannot follow `__getattr__`
    from sktransfer.backbones import list_backbones as list_backbones
    from sktransfer.cache import cache_info as cache_info
    from sktransfer.cache import clear_cache as clear_cache
    from sktransfer.embedders import AudioEmbedder as AudioEmbedder
    from sktransfer.embedders import ImageEmbedder as ImageEmbedder
    from sktransfer.embedders import SpeechTranscriber as SpeechTranscriber
    from sktransfer.embedders import TextEmbedder as TextEmbedder
    from sktransfer.embedders import TextGenerator as TextGenerator
    from sktransfer.finetune import AudioClassifier as AudioClassifier
    from sktransfer.finetune import AudioRegressor as AudioRegressor
    from sktransfer.finetune import ImageClassifier as ImageClassifier
    from sktransfer.finetune import ImageRegressor as ImageRegressor
    from sktransfer.finetune import ImageSegmenter as ImageSegmenter
    from sktransfer.finetune import ObjectDetector as ObjectDetector
    from sktransfer.finetune import TextClassifier as TextClassifier
    from sktransfer.finetune import TextRegressor as TextRegressor
    from sktransfer.finetune import TextTagger as TextTagger
    from sktransfer.inspection import BackboneRanking as BackboneRanking
    from sktransfer.inspection import ConfusionDisplay as ConfusionDisplay
    from sktransfer.inspection import Duplicates as Duplicates
    from sktransfer.inspection import EmbeddingMapDisplay as EmbeddingMapDisplay
    from sktransfer.inspection import Explanation as Explanation
    from sktransfer.inspection import ExplanationDisplay as ExplanationDisplay
    from sktransfer.inspection import HistoryDisplay as HistoryDisplay
    from sktransfer.inspection import LeakageReport as LeakageReport
    from sktransfer.inspection import MaskDisplay as MaskDisplay
    from sktransfer.inspection import MistakesDisplay as MistakesDisplay
    from sktransfer.inspection import PretrainingDisplay as PretrainingDisplay
    from sktransfer.inspection import compare_pretrained as compare_pretrained
    from sktransfer.inspection import explain as explain
    from sktransfer.inspection import find_duplicates as find_duplicates
    from sktransfer.inspection import find_label_issues as find_label_issues
    from sktransfer.inspection import find_lr as find_lr
    from sktransfer.inspection import leakage_report as leakage_report
    from sktransfer.inspection import rank_backbones as rank_backbones
    from sktransfer.inspection import report as report
    from sktransfer.modalities.image import read_coco as read_coco
    from sktransfer.modalities.image import read_image_folder as read_image_folder
    from sktransfer.modalities.image import read_volume as read_volume
    from sktransfer.neighbors import SimilaritySearch as SimilaritySearch
    from sktransfer.persistence import export_onnx as export_onnx
    from sktransfer.persistence import export_weights as export_weights
    from sktransfer.persistence import load as load
    from sktransfer.persistence import save as save
    from sktransfer.pretrain import ImagePretrainer as ImagePretrainer
    from sktransfer.pretrain import TextPretrainer as TextPretrainer
    from sktransfer.recommend import ContentRecommender as ContentRecommender
    from sktransfer.tables import MixedClassifier as MixedClassifier
    from sktransfer.tables import MixedRegressor as MixedRegressor
    from sktransfer.tables import TableEmbedder as TableEmbedder
    from sktransfer.training import train_together as train_together
    from sktransfer.zero_shot import ZeroShotClassifier as ZeroShotClassifier

__all__ = sorted(HOMES)


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `import sktransfer` imports no torch.
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
