"""Objectives: what a training minimizes, one file each."""

from sktransfer.training.objectives._masked_patches import MaskedPatches as MaskedPatches
from sktransfer.training.objectives._masked_tokens import MaskedTokens as MaskedTokens
from sktransfer.training.objectives._objective import Objective as Objective
from sktransfer.training.objectives._pixels import Pixels as Pixels
from sktransfer.training.objectives._pixels import dice_loss as dice_loss
from sktransfer.training.objectives._self_supervised import SelfSupervised as SelfSupervised
from sktransfer.training.objectives._simclr import SimCLR as SimCLR
from sktransfer.training.objectives._simclr import nt_xent as nt_xent
from sktransfer.training.objectives._simcse import SimCSE as SimCSE
from sktransfer.training.objectives._simcse import info_nce as info_nce
from sktransfer.training.objectives._supervised import Mixup as Mixup
from sktransfer.training.objectives._supervised import Supervised as Supervised
from sktransfer.training.objectives._supervised_contrastive import (
    SupervisedContrastive as SupervisedContrastive,
)
from sktransfer.training.objectives._supervised_contrastive import (
    contrastive_loss as contrastive_loss,
)
from sktransfer.training.objectives._tag_sequences import TagSequences as TagSequences
from sktransfer.training.objectives._vicreg import VICReg as VICReg
from sktransfer.training.objectives._vicreg import vicreg_loss as vicreg_loss

#: Objectives of pretrainers, by the values of the parameter `objective`.
SELF_SUPERVISED: dict[str, type[SelfSupervised]] = {
    kind.name: kind for kind in (MaskedTokens, SimCSE, SimCLR, VICReg, MaskedPatches)
}
