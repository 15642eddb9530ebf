"""Displays of training histories, a learning rate range test, and comparisons of features."""

from sktransfer.inspection._compare_pretrained import compare_pretrained as compare_pretrained
from sktransfer.inspection._confusion import ConfusionDisplay as ConfusionDisplay
from sktransfer.inspection._duplicates import Duplicates as Duplicates
from sktransfer.inspection._duplicates import find_duplicates as find_duplicates
from sktransfer.inspection._embedding_map import EmbeddingMapDisplay as EmbeddingMapDisplay
from sktransfer.inspection._explain import explain as explain
from sktransfer.inspection._explanation import Explanation as Explanation
from sktransfer.inspection._explanation_display import ExplanationDisplay as ExplanationDisplay
from sktransfer.inspection._find_lr import LearningRateDisplay as LearningRateDisplay
from sktransfer.inspection._find_lr import find_lr as find_lr
from sktransfer.inspection._history import HistoryDisplay as HistoryDisplay
from sktransfer.inspection._label_issues import find_label_issues as find_label_issues
from sktransfer.inspection._leakage import LeakageReport as LeakageReport
from sktransfer.inspection._leakage import leakage_report as leakage_report
from sktransfer.inspection._mask_display import MaskDisplay as MaskDisplay
from sktransfer.inspection._mistakes import MistakesDisplay as MistakesDisplay
from sktransfer.inspection._pretraining import PretrainingDisplay as PretrainingDisplay
from sktransfer.inspection._rank_backbones import BackboneRanking as BackboneRanking
from sktransfer.inspection._rank_backbones import rank_backbones as rank_backbones
from sktransfer.inspection._report import report as report
