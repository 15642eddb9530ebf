"""Training of a network on a column: data, phases, loop and monitor."""

from sktransfer.training._as_backbone import as_backbone as as_backbone
from sktransfer.training._as_backbone import digest_of as digest_of
from sktransfer.training._column_data import ColumnData as ColumnData
from sktransfer.training._column_data import Split as Split
from sktransfer.training._crf import Marginals as Marginals
from sktransfer.training._crf import best_tags as best_tags
from sktransfer.training._feature_quality import FeatureQuality as FeatureQuality
from sktransfer.training._fine_tuned import FineTuned as FineTuned
from sktransfer.training._fine_tuned import copy_weights as copy_weights
from sktransfer.training._fused_towers import FixedTower as FixedTower
from sktransfer.training._fused_towers import FusedTowers as FusedTowers
from sktransfer.training._fused_towers import TowerSettings as TowerSettings
from sktransfer.training._hold_out import hold_out as hold_out
from sktransfer.training._learning_rate_range import RangeTest as RangeTest
from sktransfer.training._learning_rate_range import run_range_test as run_range_test
from sktransfer.training._predict_outputs import outputs_of as outputs_of
from sktransfer.training._processes import processes as processes
from sktransfer.training._processes import train_together as train_together
from sktransfer.training._progress_report import reported as reported
from sktransfer.training._table_sources import FixedData as FixedData
from sktransfer.training._table_sources import TableData as TableData
from sktransfer.training._training import Phase as Phase
from sktransfer.training._training import Training as Training
from sktransfer.training._training_run import run as run
