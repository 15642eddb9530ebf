"""Registry of public names: where each is defined, and the one name under which it is known."""

from typing import TypeVar

Kind = TypeVar("Kind", bound=type)

_NAMES = {
    "backbones": ["list_backbones"],
    "cache": ["cache_info", "clear_cache"],
    "embedders": [
        *("AudioEmbedder", "ImageEmbedder", "SpeechTranscriber", "TextEmbedder"),
        "TextGenerator",
    ],
    "finetune": [
        "AudioClassifier",
        "AudioRegressor",
        "ImageClassifier",
        "ImageRegressor",
        "ImageSegmenter",
        "ObjectDetector",
        "TextClassifier",
        "TextRegressor",
        "TextTagger",
    ],
    "inspection": [
        "BackboneRanking",
        "ConfusionDisplay",
        "Duplicates",
        "EmbeddingMapDisplay",
        "Explanation",
        "ExplanationDisplay",
        "HistoryDisplay",
        "LeakageReport",
        "MaskDisplay",
        "MistakesDisplay",
        "PretrainingDisplay",
        "compare_pretrained",
        "explain",
        "find_duplicates",
        "find_label_issues",
        "find_lr",
        "leakage_report",
        "rank_backbones",
        "report",
    ],
    "modalities.image": ["read_coco", "read_image_folder", "read_volume"],
    "neighbors": ["SimilaritySearch"],
    "persistence": ["export_onnx", "export_weights", "load", "save"],
    "pretrain": ["ImagePretrainer", "TextPretrainer"],
    "recommend": ["ContentRecommender"],
    "tables": ["MixedClassifier", "MixedRegressor", "TableEmbedder"],
    "training": ["train_together"],
    "zero_shot": ["ZeroShotClassifier"],
}

#: Module that defines each public name. It is imported on first use.
HOMES = {name: f"sktransfer.{room}" for room, names in _NAMES.items() for name in names}


def public(kind: Kind) -> Kind:
    """Set the module of a public class to the package.

    Pickles, saved files and reprs then say ``sktransfer.TextClassifier``, and moving the class
    to another module breaks none of them. As in NumPy, ``_module_source`` keeps the name of the
    defining module for tools that need it, because `inspect.getsource` cannot find the class.
    """
    kind._module_source = kind.__module__  # type: ignore[attr-defined]
    if "__firstlineno__" in vars(kind):  # of Python 3.13: an OSError, not lines of the package
        del kind.__firstlineno__  # type: ignore[attr-defined]
    kind.__module__ = "sktransfer"
    return kind
