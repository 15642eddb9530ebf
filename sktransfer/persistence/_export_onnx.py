"""Write the network of a fitted estimator as an ONNX model."""

from __future__ import annotations

import copy
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from sktransfer import _runtime
from sktransfer._paths import expanded
from sktransfer._warnings import warnings_ignored
from sktransfer.backbones import Backbone, at_level
from sktransfer.base import BaseTrainer
from sktransfer.exceptions import PersistenceError
from sktransfer.modalities import WAVEFORM, tensors_of
from sktransfer.persistence._export_weights import fitted
from sktransfer.persistence._replacing import replacing
from sktransfer.training.strategies import merged


def export_onnx(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write the network of a fitted estimator as an ONNX model.

    The model takes prepared cells: the input ``inputs``, scaled images (n, 3, H, W), or waveforms
    (n, samples); ``input_ids`` and ``attention_mask``, padded tokens of texts (n, length); or
    ``waveform`` (n, samples), padded, ``samples`` (n,), those of each row, and ``attention_mask``
    (n, positions), where the network takes these. The number of rows, of tokens and of samples is
    free. Its output is ``features`` of embedders, ``probabilities`` of
    classifiers, or ``values`` of regressors in the units of `y`, in float32: equal to what the
    estimator returns within 1e-4 of the largest. Of `ImageSegmenter`, the probabilities have the
    shape (n, k, H, W), in the size of the input: they equal those of images of that size.

    What prepares cells is not a part of the model. Its ``metadata_props`` hold, as JSON, the
    ``recipe`` (size, mean and standard deviation of images, number of tokens of texts, sampling
    rate of sounds and the samples of a position), the
    parameters of ``cells``, the ``processor`` (the tokenizer of texts, as `tokenizers` reads it),
    and the ``classes``.

    Parameters
    ----------
    estimator : estimator
        A fitted embedder, fine-tuner, or another of our estimators with a network. With
        ``long_texts="chunk"``, and of long recordings, the model computes one chunk.
    path : str or path-like
        Path of the file. An existing file stays until all of the new one is written.

    Raises
    ------
    ImportError
        If the packages of the extra ``sktransfer[onnx]`` are missing.
    PersistenceError
        If the network cannot be exported, is larger than 2 GB, or `path` is no regular file.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    WeightsError
        If the backbone has changed since fit.

    See Also
    --------
    export_weights : Write trained weights as their source reads them.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import onnxruntime
    >>> from torch import nn
    >>> from sktransfer import ImageEmbedder, export_onnx
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 7, stride=8), nn.ReLU())
    >>> images = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    >>> embedder = ImageEmbedder(network, image_size=64).fit(images)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(embedder, f"{folder}/own.onnx")
    ...     session = onnxruntime.InferenceSession(f"{folder}/own.onnx")
    >>> session.get_inputs()[0].shape, session.get_outputs()[0].shape
    (['batch', 3, 64, 64], ['batch', 8])
    """
    try:
        import onnx  # noqa: F401
        import onnxscript.optimizer  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "export_onnx needs the packages onnx and onnxscript: pip install 'sktransfer[onnx]'"
        ) from error
    estimator = fitted(estimator, "export_onnx")
    with _runtime.gradients(), torch.no_grad(), replacing(expanded(path)) as part:
        try:
            program = _program(estimator)
            program.model.metadata_props.update(_facts(estimator))
            program.save(part, external_data=False)
        except OSError:
            raise
        except Exception as error:  # whatever the network, torch's exporter or protobuf raises
            cause = error.__cause__ or error
            reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
            raise PersistenceError(
                f"The network of this {type(estimator).__name__} cannot be exported to ONNX: "
                f"{reason}"
            ) from error


def _program(estimator: Any) -> Any:
    if getattr(getattr(estimator, "module_", None), "head_reads_inputs", False):
        raise ValueError("its head reads the spelling of words, not only what the network gives")
    backbone = estimator._fitted_backbone()
    if not isinstance(backbone, Backbone):
        raise ValueError("a model that writes texts searches for them step by step")
    example = estimator._modality().recipe(backbone).examples(backbone.processor)[0]
    names = list(example) if isinstance(example, Mapping) else None
    module = (_trained if isinstance(estimator, BaseTrainer) else _frozen)(estimator, names)
    inputs = tuple(tensor.contiguous() for tensor in tensors_of(example))
    with warnings_ignored(), _silenced():
        return torch.onnx.export(
            module.eval(),
            inputs,
            input_names=names or ["inputs"],
            output_names=[_output_name(estimator)],
            dynamic_shapes=(tuple(map(_free, names or [""], inputs)),),
            dynamo=True,
            verbose=False,
        )


def _free(name: str, tensor: torch.Tensor) -> dict[int, str]:
    """Return the dimensions of an input that may have any size; named inputs vary in length."""
    is_long = name and tensor.ndim > 1
    return {0: "batch", **({1: "samples" if name == WAVEFORM else "length"} if is_long else {})}


@contextmanager
def _silenced() -> Iterator[None]:
    """Disable the loggers of the exporter within the block."""
    found = logging.root.manager.loggerDict.items()
    loggers = [log for name, log in found if name.partition(".")[0] in ("torch", "onnxscript")]
    disabled = [log for log in loggers if isinstance(log, logging.Logger) and not log.disabled]
    for log in disabled:
        log.disabled = True
    try:
        yield
    finally:
        for log in disabled:
            log.disabled = False


def _output_name(estimator: Any) -> str:
    target = getattr(estimator, "_target", None)
    if target is None:
        return "features"
    return "probabilities" if target.units is None else "values"


def _facts(estimator: Any) -> dict[str, str]:
    modality, backbone = estimator._modality(), estimator._fitted_backbone()
    facts = {
        "recipe": modality.recipe(backbone).to_dict(),
        "cells": asdict(modality),
        "processor": backbone.processor and backbone.processor.to_dict(),
        "classes": estimator.classes_.tolist() if hasattr(estimator, "classes_") else None,
    }
    return {name: json.dumps(fact, default=str) for name, fact in facts.items() if fact}


class _Plain(nn.Module):
    """A function of network inputs as a module that takes their tensors.

    Parameters
    ----------
    compute : callable
        From network inputs to outputs.
    parts : sequence of nn.Module
        Those that it runs.
    names : list of str or None
        Of the inputs, if they have names.
    """

    def __init__(
        self, compute: Callable[[Any], torch.Tensor], parts: list[nn.Module], names: Any
    ) -> None:
        super().__init__()
        self.compute = compute
        self.parts = nn.ModuleList(parts)
        self.names = names

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        named = self.names and dict(zip(self.names, tensors, strict=True))
        return self.compute(named or tensors[0])


def _frozen(estimator: Any, names: Any) -> _Plain:
    """Return the features of an embedder as a module."""
    backbone, layer, pooling = estimator._fitted_backbone(), estimator.layer, estimator.pooling

    def compute(inputs: Any) -> torch.Tensor:
        features = backbone.extract(inputs, layer=layer, pooling=pooling)
        return nn.functional.normalize(features, dim=1) if estimator.normalize else features

    return _Plain(compute, [backbone.fast(torch.device("cpu"))], names)  # which `extract` runs


def _trained(estimator: Any, names: Any) -> _Plain:
    """Return the probabilities, values or features of a trained network as a module."""
    module, target = estimator.module_, estimator._target
    network, head = merged(module.network), copy.deepcopy(module.head).to("cpu")

    def features(inputs: Any) -> torch.Tensor:
        if module.level == "row":
            return network(inputs).float()
        last = network(inputs, until=list(network.stages)[-1]).float()
        return at_level(last, module.level, network)

    def compute(inputs: Any) -> torch.Tensor:
        if target is None:
            return features(inputs)
        outputs = head(features(inputs))
        if target.units is None:
            return target.to_proba(outputs)
        deviation, mean = map(torch.from_numpy, target.units)
        values = outputs * deviation.float() + mean.float()
        return values[:, 0] if target.is_vector else values

    return _Plain(compute, [network, head], names)
