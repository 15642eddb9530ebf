"""ONNX models give what the estimators give, for any number of rows and tokens."""

import copy
import json
import logging
import sys

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from tokenizers import Tokenizer
from torch import nn

from sktransfer import (
    AudioClassifier,
    AudioEmbedder,
    ImageClassifier,
    ImageEmbedder,
    ImageRegressor,
    SpeechTranscriber,
    TextClassifier,
    TextEmbedder,
    export_onnx,
)
from sktransfer.exceptions import PersistenceError
from sktransfer.training.heads import LinearHead
from tests._tiny import images, sounds, texts, tiny_network
from tests.backbones import _huggingface_folders as folders

QUICK = {"max_epochs": 2, "lr": 1e-3, "random_state": 0, "cache": False}
COLUMN, SIDES = list(images(5, size=32)), ["left", "right", "left", "right", "left"]
LABELS = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 0, 1]])
WORDS = ["alpha beta gamma", "delta", "epsilon zeta eta theta", "mu mu", "beta"]
# A short one, and one of more tokens than the networks were exported with.
LONG = [*texts(3), "word " * 60, "a"]


def prepared(estimator, cells):
    """Return the network inputs of cells by name."""
    backbone, modality = estimator._fitted_backbone(), estimator._modality()
    if modality.name == "text":
        recipe = modality.recipe(backbone)
        tokens = backbone.processor.encode(cells, recipe.max_length)
        inputs = backbone.processor.collate(tokens)
        return {name: tensor.numpy() for name, tensor in inputs.items()}
    from sktransfer.compute import CellErrors, digest_column

    column = modality.column(cells)
    found = digest_column(modality, column, _no_cache(), CellErrors(column, "raise"))
    preparer = modality.bind(backbone)
    pairs = zip(found.cells, found.digests, strict=True)
    items = [preparer.prepare(cell, digest) for cell, digest in pairs]
    return {"inputs": preparer.collate(items, torch.device("cpu")).contiguous().numpy()}


def _no_cache():
    from sktransfer.cache import NoCache

    return NoCache()


def check(estimator, method, path, cells):
    """Export, and compare on one row and on all; return the session."""
    export_onnx(estimator, path)
    session = onnxruntime.InferenceSession(path)
    expected = getattr(estimator, method)(cells)
    for rows in (slice(1), slice(None), slice(3, 4)):
        (found,) = session.run(None, prepared(estimator, cells[rows]))
        assert found.dtype == np.float32
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected[rows], rtol=0, atol=1e-5 * scale)
    return session


def metadata(session):
    stated = session.get_modelmeta().custom_metadata_map
    return {name: json.loads(content) for name, content in stated.items()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.onnx"


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vit")
    folders.save("vit", folder)
    return str(folder)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    folders.save("bert", folder)
    return str(folder)


def test_a_classifier_of_images_gives_its_probabilities(path):
    classifier = ImageClassifier(trainable=1, **QUICK).fit(COLUMN, SIDES)
    session = check(classifier, "predict_proba", path, COLUMN)
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape) == ("inputs", ["batch", 3, 224, 224])
    assert (made.name, made.shape) == ("probabilities", ["batch", 2])
    stated = metadata(session)
    assert stated["classes"] == ["left", "right"]
    assert stated["recipe"]["size"] == [224, 224]
    assert stated["recipe"]["std"] == [128 / 255] * 3


def test_an_embedder_of_texts_gives_its_features_from_the_metadata_alone(path):
    embedder = TextEmbedder(max_length=64, cache=False).fit(LONG)
    session = check(embedder, "transform", path, LONG)
    assert [tensor.shape for tensor in session.get_inputs()] == [["batch", "length"]] * 2
    stated = metadata(session)
    tokenizer = Tokenizer.from_str(stated["processor"]["json"])
    tokenizer.enable_truncation(stated["recipe"]["max_length"])
    tokenizer.enable_padding(pad_id=stated["processor"]["pad_id"])
    found = tokenizer.encode_batch(LONG)
    inputs = {
        "input_ids": np.array([row.ids for row in found]),
        "attention_mask": np.array([row.attention_mask for row in found]),
    }
    assert inputs["input_ids"].shape == (5, 62)
    (features,) = session.run(None, inputs)
    np.testing.assert_allclose(features, embedder.transform(LONG), atol=1e-5)


@pytest.mark.slow
def test_labels_are_probabilities_each_and_adapters_are_merged(bert, path):
    classifier = TextClassifier(bert, trainable="lora", **QUICK).fit(WORDS, LABELS)
    assert check(classifier, "predict_proba", path, WORDS).get_outputs()[0].shape == ["batch", 3]


@pytest.mark.slow
@pytest.mark.parametrize("y", [np.arange(5.0) * 1000, np.arange(10.0).reshape(5, 2)])
def test_values_are_in_their_units(vit, y, path):
    regressor = ImageRegressor(vit, trainable=1, **QUICK).fit(COLUMN, y)
    session = check(FrozenEstimator(regressor).estimator, "predict", path, COLUMN)
    assert session.get_outputs()[0].name == "values"
    assert "classes" not in metadata(session)


def test_a_network_without_a_target_gives_features(vit, path):
    pretrained = ImageClassifier(vit, trainable=1, **QUICK).fit(COLUMN, SIDES)
    pretrained.module_.head, pretrained._target = LinearHead(32, 8), None  # of its objective
    assert check(pretrained, "transform", path, COLUMN).get_outputs()[0].name == "features"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{"layer": "layer2", "pooling": "mean", "normalize": True}, {"layer": 0, "pooling": "flatten"}],
)
def test_layer_and_pooling_of_an_embedder_are_those_of_the_model(vit, options, path):
    check(ImageEmbedder(vit, cache=False, **options).fit(COLUMN), "transform", path, COLUMN)


@pytest.mark.slow
def test_a_module_and_an_estimator_as_backbone(path):
    first = ImageClassifier(tiny_network(), image_size=64, trainable=1, **QUICK)
    first.fit(COLUMN, SIDES)
    second = ImageEmbedder(FrozenEstimator(first), image_size=64, cache=False).fit(COLUMN)
    check(FrozenEstimator(second).estimator, "transform", path, COLUMN)


class Deciding(nn.Module):
    def forward(self, images):
        return images.mean((2, 3)) if images.sum() > 0 else images.amax((2, 3))


def test_a_network_that_cannot_be_exported_is_named_and_nothing_remains(path):
    embedder = ImageEmbedder(Deciding(), cache=False).fit(COLUMN)
    with pytest.raises(PersistenceError, match="ImageEmbedder cannot be exported to ONNX: "):
        export_onnx(embedder, path)
    assert list(path.parent.iterdir()) == []


def test_what_is_no_fitted_estimator_of_ours_is_refused(path):
    with pytest.raises(NotFittedError):
        export_onnx(ImageEmbedder(), path)
    with pytest.raises(PersistenceError, match=r"pass the one in it: pipeline\[-1\]"):
        export_onnx(make_pipeline(ImageEmbedder()), path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_a_missing_package_is_an_error_that_names_the_extra(missing, path, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pip install 'sktransfer\[onnx\]'"):
        export_onnx(ImageEmbedder(), path)


@pytest.mark.slow
def test_nothing_is_printed_or_changed(bert, path, capfd, recwarn):
    embedder = TextEmbedder(bert, cache=False).fit(WORDS)
    levels = copy.copy([logging.getLogger(name).level for name in ("onnxscript", "onnx_ir")])
    before = embedder.transform(WORDS)
    export_onnx(embedder, path)
    np.testing.assert_array_equal(embedder.transform(WORDS), before)
    assert [logging.getLogger(name).level for name in ("onnxscript", "onnx_ir")] == levels
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clap", "wav2vec2", "whisper"])
def test_classifiers_of_sounds_give_their_probabilities(kind, path, tmp_path):
    folders.save(kind, tmp_path)
    classifier = AudioClassifier(str(tmp_path), **QUICK, sampling_rate=16_000)
    check_sounds(classifier.fit(sounds(5), list("ababa")), "predict_proba", path, sounds(5))


def test_the_baseline_of_sounds_gives_its_statistics(path):
    embedder = AudioEmbedder("log-mel", sampling_rate=16_000, cache=False).fit(sounds(2))
    session = check_sounds(embedder, "transform", path, sounds(5))
    shapes = {port.name: port.shape for port in session.get_inputs()}
    assert shapes["waveform"] == ["batch", "samples"]
    assert (shapes["samples"], shapes["attention_mask"]) == (["batch"], ["batch", "length"])


def check_sounds(estimator, method, path, clips):
    export_onnx(estimator, path)
    session, expected = onnxruntime.InferenceSession(path), getattr(estimator, method)(clips)
    recipe = estimator._modality().recipe(estimator._fitted_backbone())
    for rows in (slice(1), slice(None), slice(3, 4)):
        inputs = recipe.inputs(clips[rows])
        inputs = inputs if isinstance(inputs, dict) else {"inputs": inputs}
        (found,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected[rows], rtol=0, atol=1e-5 * scale)
    return session


def test_a_transcriber_is_refused(path):
    transcriber = SpeechTranscriber(sampling_rate=16_000, cache=False).fit(sounds(1))
    with pytest.raises(PersistenceError, match="a model that writes texts searches for them"):
        export_onnx(transcriber, path)
    assert not path.exists()


@pytest.mark.slow
def test_a_clap_that_fuses_views_is_refused(path, tmp_path):
    folders.save("clap fusion", tmp_path)
    embedder = AudioEmbedder(str(tmp_path), sampling_rate=16_000, cache=False).fit(sounds(2))
    with pytest.raises(PersistenceError, match="cannot be exported to ONNX"):
        export_onnx(embedder, path)
    assert not path.exists()
