"""Training without labels: a network learns from the rows themselves."""

from sktransfer.pretrain._image_pretrainer import ImagePretrainer as ImagePretrainer
from sktransfer.pretrain._text_pretrainer import TextPretrainer as TextPretrainer
