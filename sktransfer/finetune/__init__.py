"""Pretrained networks fine-tuned as scikit-learn classifiers, regressors and taggers."""

from sktransfer.finetune._audio_classifier import AudioClassifier as AudioClassifier
from sktransfer.finetune._audio_regressor import AudioRegressor as AudioRegressor
from sktransfer.finetune._base_fine_tuner import BaseFineTuner as BaseFineTuner
from sktransfer.finetune._base_fine_tuner import FineTunerMixin as FineTunerMixin
from sktransfer.finetune._classifier import ClassifierOfRows as ClassifierOfRows
from sktransfer.finetune._classifier import FineTunedClassifier as FineTunedClassifier
from sktransfer.finetune._image_classifier import ImageClassifier as ImageClassifier
from sktransfer.finetune._image_regressor import ImageRegressor as ImageRegressor
from sktransfer.finetune._image_segmenter import ImageSegmenter as ImageSegmenter
from sktransfer.finetune._object_detector import ObjectDetector as ObjectDetector
from sktransfer.finetune._regressor import FineTunedRegressor as FineTunedRegressor
from sktransfer.finetune._regressor import RegressorOfRows as RegressorOfRows
from sktransfer.finetune._text_classifier import TextClassifier as TextClassifier
from sktransfer.finetune._text_regressor import TextRegressor as TextRegressor
from sktransfer.finetune._text_tagger import TextTagger as TextTagger

#: Classifier and regressor of the columns of each modality.
BY_MODALITY = {
    "audio": (AudioClassifier, AudioRegressor),
    "image": (ImageClassifier, ImageRegressor),
    "text": (TextClassifier, TextRegressor),
}
