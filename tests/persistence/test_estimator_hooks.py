"""Estimators are loaded completely, with weights and backbones, or refused."""

import json
import pickle

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from sktransfer import ImageClassifier, ImageEmbedder, load, save
from sktransfer.exceptions import (
    BackboneError,
    PersistenceError,
    SktransferError,
    UntrustedWarning,
    WeightsError,
)
from tests._tiny import tiny_network
from tests.faults.artefact_files import Evil
from tests.persistence._forging import COLUMN, forge, members_of, value, write

SIDES = [0, 1] * 3


def test_an_estimator_without_its_attributes_is_refused(classifier):
    forge(classifier, lambda root: root.update(content=None))
    with pytest.raises(PersistenceError, match="lacks its attributes"):
        load(classifier)


def test_a_fine_tuner_without_its_trained_weights_is_refused(classifier):
    def change(root):
        state = root["content"]
        del state["content"]["_trained"]
        state["key_types"]["content"].pop()

    forge(classifier, change)
    with pytest.raises(PersistenceError, match="lists of weights"):
        load(classifier)


@pytest.mark.parametrize("name", ["backbone", "lr", "_target", "classes_", "fingerprint_"])
def test_an_estimator_without_one_of_its_attributes_is_refused(name, classifier):
    def change(root):
        state = root["content"]
        del state["content"][name]
        state["key_types"]["content"].pop()

    forge(classifier, change)
    if name == "classes_":  # it may be unfitted; scikit-learn reports that it is missing
        assert load(classifier)
        return
    with pytest.raises(SktransferError):
        load(classifier)


def test_a_checkpoint_of_pickled_code_is_not_run(pipeline, canary, tmp_path):
    evil = tmp_path / "evil.pth"
    evil.write_bytes(pickle.dumps(Evil(f"touch {canary}"), protocol=2))

    def change(root):
        embedder = root["content"]["content"]["steps"]["content"][0]["content"][1]
        embedder["content"]["content"]["weights"] = value(str(evil))

    forge(pipeline, change)
    with pytest.raises(WeightsError, match="cannot be read as tensors"):
        load(pipeline)


def tensors(change):
    """Return a change of the trained tensors of a fine-tuner."""
    from safetensors.torch import load as read
    from safetensors.torch import save as written_tensors

    def changed(members):
        name = "trained/0.safetensors"
        return {**members, name: written_tensors(change(read(members[name])))}

    return changed


def first_with(change):
    def changed(found):
        name = max(found, key=lambda n: found[n].numel())
        return {**found, name: change(found[name])}

    return changed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (tensors(first_with(lambda t: t[:1])), "of another shape"),
        (tensors(first_with(lambda t: t.double())), "of another type"),
        (tensors(lambda found: dict(list(found.items())[1:])), "missing"),
        (tensors(lambda found: {**found, "network.more": found["head.mean"] + 1}), "unexpected"),
    ],
)
def test_mismatching_trained_weights_are_listed(change, told, classifier):
    write(classifier, change(members_of(classifier)))
    with pytest.raises(WeightsError, match=told):
        load(classifier)


@pytest.mark.parametrize("name", ["trained/0.safetensors", "backbones/0.safetensors"])
@pytest.mark.parametrize("size", [0, 7, 100, 1_000])
def test_truncated_tensors_are_refused(name, size, classifier):
    members = members_of(classifier)
    write(classifier, {**members, name: members[name][:size]})
    with pytest.raises(SktransferError):
        load(classifier)


def test_weights_with_a_wrong_fingerprint_are_refused(classifier):
    members = members_of(classifier)
    manifest = json.loads(members["manifest.json"])
    manifest["needs"][0]["fingerprint"] = "0" * 32
    write(classifier, {**members, "manifest.json": json.dumps(manifest).encode()})
    with pytest.raises(WeightsError, match="are not those of the fit"):
        load(classifier)


def test_backbone_errors_are_not_wrapped(classifier):
    members = members_of(classifier)
    about = json.loads(members["backbones/0.json"])
    about["blueprint"]["builder"] = "module"
    write(classifier, {**members, "backbones/0.json": json.dumps(about).encode()})
    with pytest.raises(BackboneError, match="no builder"):
        load(classifier)


@pytest.mark.parametrize("kind", [ImageEmbedder, ImageClassifier])
def test_a_users_module_is_named_by_its_fingerprint_and_passed_to_load(kind, path):
    network = tiny_network()
    fitted = kind(network, cache=False).fit(COLUMN, SIDES)
    with pytest.warns(UntrustedWarning, match="own network"):
        save(make_pipeline(fitted), path)
    loaded = load(path, modules=[tiny_network(seed=1), tiny_network()])
    np.testing.assert_array_equal(loaded.transform(COLUMN), fitted.transform(COLUMN))
    assert isinstance(loaded[0].backbone, torch.nn.Module)
    with pytest.raises(WeightsError, match=r"modules=\[module\]"):
        load(path)
    with pytest.raises(WeightsError, match="1 were passed, none of them the same"):
        load(path, modules=[tiny_network(seed=1)])
