"""Training of a network on a column: data, phases, loop and monitor."""

from sktransfer.training._as_backbone import as_backbone, digest_of
from sktransfer.training._column_data import ColumnData
from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._learning_rate_range import RangeTest, run_range_test
from sktransfer.training._phases import Phase, supervised_phases
from sktransfer.training._predict_outputs import outputs_of
from sktransfer.training._processes import train_together
from sktransfer.training._progress_report import reported
from sktransfer.training._split import Split
from sktransfer.training._training_run import Training
from sktransfer.training._validation_split import hold_out

__all__ = [
    "ColumnData",
    "FineTuned",
    "Phase",
    "RangeTest",
    "Split",
    "Training",
    "as_backbone",
    "digest_of",
    "hold_out",
    "outputs_of",
    "reported",
    "run_range_test",
    "supervised_phases",
    "train_together",
]
