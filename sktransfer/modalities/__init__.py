"""The kinds of cells: one folder each, and one line in the table below."""

from sktransfer.modalities._inputs import MASK as MASK
from sktransfer.modalities._inputs import SAMPLES as SAMPLES
from sktransfer.modalities._inputs import WAVEFORM as WAVEFORM
from sktransfer.modalities._inputs import Inputs as Inputs
from sktransfer.modalities._inputs import lengths_of as lengths_of
from sktransfer.modalities._inputs import map_inputs as map_inputs
from sktransfer.modalities._inputs import mask_of as mask_of
from sktransfer.modalities._inputs import n_rows as n_rows
from sktransfer.modalities._inputs import part_of as part_of
from sktransfer.modalities._inputs import repeat_rows as repeat_rows
from sktransfer.modalities._inputs import tensors_of as tensors_of
from sktransfer.modalities._modality import IGNORED as IGNORED
from sktransfer.modalities._modality import Augmentation as Augmentation
from sktransfer.modalities._modality import DigestedCells as DigestedCells
from sktransfer.modalities._modality import Forward as Forward
from sktransfer.modalities._modality import Modality as Modality
from sktransfer.modalities._modality import Preparer as Preparer
from sktransfer.modalities._modality import Recipe as Recipe
from sktransfer.modalities._modality import Remark as Remark
from sktransfer.modalities._recognize import Recognized as Recognized
from sktransfer.modalities._recognize import recognize as recognize
from sktransfer.modalities._registered import MODALITIES as MODALITIES
from sktransfer.modalities._registered import modality_of as modality_of
