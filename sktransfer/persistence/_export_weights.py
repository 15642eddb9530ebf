"""Write the network of a trained estimator as the library that it is from reads it."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sktransfer import _runtime
from sktransfer._paths import expanded
from sktransfer._warnings import warn
from sktransfer.backbones import Export
from sktransfer.base import BaseTrainer, ColumnEstimator
from sktransfer.exceptions import BackboneError, LeftOutWarning, PersistenceError
from sktransfer.persistence._replacing import replacing
from sktransfer.training.heads import LinearHead, linear
from sktransfer.training.strategies import merged

_SUFFIX = ".safetensors"


def export_weights(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write the trained network of an estimator in the form that its source reads.

    The source is the library of the backbone. Adapters of ``trainable="lora"`` are merged into
    the weights. Where the backbone is itself a fitted estimator, the source is that of its
    backbone.

    - Torchvision, timm and the bundled EfficientNet-Lite: a `.safetensors` file with the source's
      own names of weights.
    - A module of your own: a `.safetensors` file with the names of its ``state_dict``.
    - Hugging Face, sentence-transformers, the bundled MiniLM and Whisper: a folder with the model,
      its config, and tokenizer, image processor or feature extractor; for pooled tokens of texts
      also the files of sentence-transformers.

    The head of a fine-tuner, with its standardization, becomes one linear layer. Where the
    source's model ends in a linear layer in its place, it is written there, so that
    ``timm.create_model(name, num_classes=k)`` or ``torchvision.models.resnet18(num_classes=k)``
    gives its outputs: logits of classes, or predictions in the units of `y`. Of a folder, this
    holds for the models of images for which ``AutoModelForImageClassification`` gives these
    outputs; in other folders it is in ``head.safetensors``: outputs are
    ``features @ weight.T + bias``. In other files it is left out, with a warning, as is any other
    head; load these without a classifier, by ``num_classes=0`` or ``strict=False``.

    The folder of a Whisper holds its encoder, which ``WhisperModel`` and
    ``WhisperForAudioClassification`` read; their other layers are then random. That of a CLAP is
    its half for sounds; if the backbone was the whole model, the head takes its features scaled to
    unit length.

    Classes are in the metadata of a file (``"classes"``, as JSON) and in the config of a folder
    (``id2label``); how cells are prepared is in the metadata (``"recipe"``), or in the config of
    the tokenizer or image processor.

    Parameters
    ----------
    estimator : estimator
        A fitted fine-tuner, or another of our estimators that trains a network.
    path : str or path-like
        Path of the file, which ends in ".safetensors", or of the folder. An existing one stays
        until all of the new one is written.

    Raises
    ------
    PersistenceError
        If the estimator trains no network, `path` is of another kind, or a folder has other
        files than those to be written.
    BackboneError
        If the source of the network is not known, or it is a table of token vectors.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    WeightsError
        If the backbone has changed since fit.

    Warns
    -----
    LeftOutWarning
        If a head is not in the file.

    See Also
    --------
    save : Write an estimator to a file that `load` reads.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import timm
    >>> from sktransfer import ImageClassifier, export_weights
    >>> images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    >>> classifier = ImageClassifier(max_epochs=1).fit(images, ["cat", "dog"] * 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/pets.safetensors"
    ...     export_weights(classifier, path)
    ...     model = timm.create_model("tf_efficientnet_lite0", num_classes=2, checkpoint_path=path)
    >>> model.classifier.out_features
    2
    """
    estimator = _trained(estimator)
    export, path = _export_of(estimator), expanded(path)
    if export.is_folder == (path.suffix == _SUFFIX):
        form = "a folder" if export.is_folder else f"a file that ends in {_SUFFIX}"
        raise PersistenceError(
            f"{export.backbone.name!r} is exported as {form}, and {str(path)!r} is no path of one."
        )
    write = export.write_folder if export.is_folder else partial(_write_file, export)
    with _runtime.gradients(), torch.no_grad(), replacing(path, folder=export.is_folder) as part:
        has_outputs = write(part)
    if not has_outputs and estimator._target is not None:
        warn(
            f"The head is not in {str(path)!r}: the model of the backbone "
            f"{export.backbone.name!r} has no linear layer in its place. `save` and `export_onnx` "
            "write it.",
            LeftOutWarning,
        )


def fitted(estimator: Any, function: str) -> ColumnEstimator:
    """Return one of our estimators that is fitted, without a `FrozenEstimator`, or raise."""
    estimator = _unfrozen(estimator)
    if not isinstance(estimator, ColumnEstimator):
        raise PersistenceError(
            f"{function} takes a fitted estimator of one column, not a {type(estimator).__name__}. "
            "Of a Pipeline, a search or a MixedClassifier, pass the one in it: pipeline[-1], "
            "search.best_estimator_, model.towers_['title']."
        )
    check_is_fitted(estimator)
    return estimator


def _trained(estimator: Any) -> BaseTrainer:
    estimator = fitted(estimator, "export_weights")
    if not isinstance(estimator, BaseTrainer):
        raise PersistenceError(
            f"{type(estimator).__name__} trains no network: it uses the weights of its backbone, "
            f"{estimator.backbone!r}, as they are. Pass a fitted fine-tuner or pretrainer; if the "
            "backbone is one, pass that."
        )
    return estimator


def _unfrozen(estimator: Any) -> Any:
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def _export_of(estimator: Any) -> Export:
    module, target = estimator.module_, estimator._target
    recipe = estimator._modality().recipe(estimator._fitted_backbone())
    first = estimator
    while isinstance(below := _unfrozen(first.backbone), BaseTrainer):
        first = below
    backbone, given = first._fitted_backbone(), first.backbone
    blueprint = backbone.blueprint
    if isinstance(given, nn.Module):
        blueprint = {"builder": "module", "module": given}
    if blueprint is None:
        raise BackboneError(
            f"The network of {backbone.name!r} comes from a {type(given).__name__}, and how its "
            "source names the weights is not known."
        )
    return Export(
        backbone=backbone,
        blueprint=blueprint,
        network=merged(module.network).inner.eval(),
        recipe=recipe,
        outputs=_outputs(module.head, target) if module.level == "row" else None,
        labels=None if target is None or target.kind == "values" else target.classes.tolist(),
        task="" if target is None else target.kind,
    )


def _outputs(head: nn.Module, target: Any) -> nn.Linear | None:
    """Return one linear layer from features to logits, or to values in their units."""
    if not isinstance(head, LinearHead):
        return None
    layer = head.folded()
    if target.units is None:
        return layer
    deviation, mean = map(torch.from_numpy, target.units)
    return linear(layer.weight * deviation[:, None], layer.bias * deviation + mean)


def _write_file(export: Export, path: Path) -> bool:
    """Write a `.safetensors` file; return whether it has the outputs."""
    state, has_outputs = export.state()
    facts = {"recipe": export.recipe.to_dict(), "classes": export.labels}
    stated = {name: json.dumps(fact, default=str) for name, fact in facts.items() if fact}
    # Copies, because weights that share memory cannot be written.
    copies = {n: t.clone(memory_format=torch.contiguous_format) for n, t in state.items()}
    save_file(copies, path, {"format": "pt", "task": export.task, **stated})
    return has_outputs
