"""Weights of torchvision networks: random, from files, published, and mismatching ones."""

import argparse
import pathlib
import pickle
import re
from http.client import IncompleteRead
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

import sktransfer
from sktransfer import ImageEmbedder, save
from sktransfer.backbones import get_backbone
from sktransfer.backbones import torchvision as torchvision_source
from sktransfer.backbones.torchvision._published_weights import choose, renamed
from sktransfer.exceptions import BackboneError, OfflineError, WeightsError
from tests.backbones._torchvision_networks import (
    ROWS,
    TINY,
    UNSTATED,
    load,
    small_transformer,
    small_vgg,
)

pytestmark = pytest.mark.usefixtures("hub")


def test_random_weights_follow_their_seed_and_leave_torchs_generator_alone():
    state = torch.get_rng_state()
    first, again, other = load(), load(random_state=0), load(random_state=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert first.licence == "none (random weights)"


def test_a_backbone_describes_itself():
    backbone = load()
    assert (backbone.name, backbone.source, backbone.modality) == (TINY, "torchvision", "image")
    assert backbone.library == f"torchvision {torchvision.__version__}"
    assert (backbone.feature_size, backbone.n_parameters) == (
        ROWS[TINY]["feature_size"],
        ROWS[TINY]["parameters"],
    )


def tiny_state(seed=5, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torchvision.models.get_model(TINY, weights=None, **options).state_dict()


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".safetensors"])
def test_a_weights_file_is_read(tmp_path, suffix):
    state = tiny_state()
    path = tmp_path / f"mine{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    backbone = load(weights=path)
    assert torch.equal(backbone.network.stages["conv5"][0].weight, state["conv5.0.weight"])
    assert backbone.licence == "unknown"
    assert backbone.fingerprint == load(weights=str(path)).fingerprint != load().fingerprint


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_wrappers_around_a_state_dict_are_removed(tmp_path, wrapper):
    state = tiny_state()
    torch.save(state, tmp_path / "plain.pth")
    parallel = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({wrapper: parallel, "epoch": 3}, tmp_path / "wrapped.pth")
    plain = load(weights=tmp_path / "plain.pth")
    assert load(weights=tmp_path / "wrapped.pth").fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    "prefix", ["backbone.", "model.", "_orig_mod.", "encoder_q.", "module.model._orig_mod.", "net."]
)
@pytest.mark.parametrize("more", [{}, {"head.weight": torch.ones(3), "queue": torch.ones(2, 2)}])
def test_a_common_prefix_is_removed(tmp_path, prefix, more):
    state = tiny_state()
    torch.save(state, tmp_path / "plain.pth")
    torch.save({prefix + name: t for name, t in state.items()} | more, tmp_path / "prefixed.pth")
    plain = load(weights=tmp_path / "plain.pth")
    assert load(weights=tmp_path / "prefixed.pth").fingerprint == plain.fingerprint


def test_a_file_with_two_copies_of_the_network_is_refused_with_both_prefixes(tmp_path):
    both = {f"encoder_q.{name}": t for name, t in tiny_state().items()}
    both |= {f"encoder_k.{name}": t for name, t in tiny_state(seed=6).items()}
    torch.save(both, tmp_path / "moco.pth")
    with pytest.raises(
        WeightsError, match=r"2 times, under the prefixes 'encoder_k\.', 'encoder_q\.'"
    ):
        load(weights=tmp_path / "moco.pth")


def test_mismatches_are_named_without_the_prefix(tmp_path):
    state = {f"backbone.{name}": t for name, t in tiny_state().items()}
    del state["backbone.conv1.0.weight"]
    torch.save(state, tmp_path / "cut.pth")
    with pytest.raises(WeightsError, match=r"missing: conv1\.0\.weight\.$"):
        load(weights=tmp_path / "cut.pth")


class Settings:
    pass


@pytest.mark.parametrize("kind", [argparse.Namespace, Settings, pathlib.PurePosixPath])
def test_an_object_beside_the_tensors_is_named_in_a_short_message(tmp_path, kind):
    torch.save({"model": tiny_state(), "args": kind()}, tmp_path / "file.pth")
    with pytest.raises(WeightsError) as caught:
        load(weights=tmp_path / "file.pth")
    message = str(caught.value)
    assert f"an object of the class {kind.__module__}.{kind.__name__}," in message
    assert "weights_only" not in message
    assert len(message) < 500


def test_a_file_may_have_another_classifier_or_none(tmp_path):
    torch.save(tiny_state(), tmp_path / "same.pth")
    torch.save(tiny_state(num_classes=3), tmp_path / "other.pth")
    cut = {name: tensor for name, tensor in tiny_state().items() if not name.startswith("fc.")}
    torch.save(cut, tmp_path / "none.pth")
    torch.save(tiny_state() | {"aux1.fc1.weight": torch.zeros(2, 2)}, tmp_path / "more.pth")
    none = load(weights=tmp_path / "none.pth")
    assert load(weights=tmp_path / "other.pth").fingerprint == none.fingerprint
    assert load(weights=tmp_path / "same.pth").fingerprint == none.fingerprint
    assert load(weights=tmp_path / "more.pth").fingerprint == none.fingerprint


@pytest.mark.parametrize("name", ["net", "weights", "ema"])
def test_one_network_beside_other_entries_is_found(name, tmp_path):
    torch.save({name: tiny_state(), "epoch": 3, "optimizer": {"state": {}}}, tmp_path / "w.pth")
    torch.save(tiny_state(), tmp_path / "plain.pth")
    found, plain = load(weights=tmp_path / "w.pth"), load(weights=tmp_path / "plain.pth")
    assert found.fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    "others",
    [
        {"stats": {"mean": torch.zeros(3)}},
        {"stats": {"mean": torch.zeros(3)}, "head": {"weight": torch.zeros(3, 2)}},
        {"best": torch.tensor(0.9), "epoch": torch.tensor(3)},
        {1: {"mean": torch.zeros(3)}},
    ],
)
def test_the_one_network_among_other_tensors_is_found(others, tmp_path):
    torch.save({"net": tiny_state(), **others}, tmp_path / "w.pth")
    torch.save(tiny_state(), tmp_path / "plain.pth")
    found, plain = load(weights=tmp_path / "w.pth"), load(weights=tmp_path / "plain.pth")
    assert found.fingerprint == plain.fingerprint


@pytest.mark.parametrize("part", [{"x": torch.zeros(3)}, {"a": torch.zeros(1)}, tiny_state()])
def test_a_part_beside_the_tensors_of_a_network_is_not_taken_for_it(part, tmp_path):
    torch.save({**tiny_state(), "buf": part}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"entries that are not tensors: buf\."):
        load(weights=tmp_path / "w.pth")


def test_several_networks_in_one_file_are_named(tmp_path):
    torch.save({"student": tiny_state(), "teacher": tiny_state(6)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"2 times, under the prefixes 'student\.', 'teacher\.'"):
        load(weights=tmp_path / "w.pth")


def test_a_mismatching_file_is_refused_with_the_parameter_names(tmp_path):
    state = tiny_state()
    del state["stage3.0.branch1.0.weight"]
    state["conv5.0.weight"] = torch.zeros(1024, 7, 1, 1)
    state["conv6.weight"] = torch.zeros(3)
    torch.save(state, tmp_path / "wrong.pth")
    with pytest.raises(WeightsError, match=r"missing: stage3\.0\.branch1\.0\.weight") as caught:
        load(weights=tmp_path / "wrong.pth")
    assert "unexpected: conv6.weight" in str(caught.value)
    assert "conv5.0.weight (1024, 7, 1, 1) for (1024, 192, 1, 1)" in str(caught.value)


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("code of a weights file was run",))


@pytest.mark.parametrize("what", ["model", "code", "empty", "truncated", "missing", "number"])
def test_a_file_without_weights_is_refused(tmp_path, what):
    path = tmp_path / "file.pth"
    if what == "model":
        torch.save(nn.Linear(2, 2), path)
    elif what == "code":
        path.write_bytes(pickle.dumps(Evil(), protocol=2))
    elif what == "empty":
        path.touch()
    elif what == "truncated":
        torch.save(tiny_state(), path)
        path.write_bytes(path.read_bytes()[:100_000])
    elif what == "number":
        torch.save({"state_dict": {"a": 1}}, path)
    with pytest.raises(WeightsError, match=r"file\.pth"):
        load(weights=path)


@pytest.mark.parametrize("weights", ["IMAGENET1K_V9", "ResNet18_Weights.IMAGENET1K_V1", "best"])
def test_unknown_weights_are_refused_with_the_available_names(weights):
    with pytest.raises(BackboneError, match="'pretrained' and 'IMAGENET1K_V1', 'IMAGENET1K_V2'"):
        load("resnet50", weights)


# --- Published weights ------------------------------------------------------------------


@pytest.mark.parametrize(
    "weights", ["pretrained", "DEFAULT", "IMAGENET1K_V1", "ShuffleNet_V2_X0_5_Weights.DEFAULT"]
)
def test_published_weights_on_this_machine_are_used_even_offline(hub, monkeypatch, weights):
    monkeypatch.setenv("SKTRANSFER_OFFLINE", "1")
    state = tiny_state()
    torch.save(state, hub / "shufflenetv2_x0.5-f707e7126e.pth")
    backbone = load(weights=weights)
    assert torch.equal(backbone.network.stages["conv5"][0].weight, state["conv5.0.weight"])
    assert backbone.licence == UNSTATED
    assert [row["name"] for row in torchvision_source.rows() if row["on_this_machine"]] == [TINY]


def test_a_published_file_is_recognized_by_its_name_in_any_folder(tmp_path):
    path = tmp_path / "shufflenetv2_x0.5-f707e7126e.pth"
    torch.save(tiny_state(), path)
    assert load(weights=path).licence == UNSTATED
    choice = choose("resnet50", "elsewhere/resnet50-11ad3fa6.pth")
    assert choice.described.name == "IMAGENET1K_V2"


def test_damaged_published_weights_are_refused(hub):
    (hub / "shufflenetv2_x0.5-f707e7126e.pth").write_bytes(b"not what was published")
    with pytest.raises(WeightsError, match="f707e7126e"):
        load(weights="pretrained")


@pytest.mark.parametrize("variable", ["SKTRANSFER_OFFLINE", "HF_HUB_OFFLINE"])
def test_missing_weights_raise_immediately_when_offline(monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(torchvision_source, "_build", lambda *args: pytest.fail("built in vain"))
    with pytest.raises(OfflineError, match=variable) as caught:
        load("resnet50", "pretrained")
    for part in ("ResNet50_Weights.IMAGENET1K_V2", "98 MiB", "resnet50-11ad3fa6.pth"):
        assert part in str(caught.value)
    for way in ("weights=None", "checkpoints", "efficientnet_lite0"):
        assert way in str(caught.value)


@pytest.mark.parametrize(
    "fault", [URLError("no route"), TimeoutError("slow"), ConnectionError(), IncompleteRead(b"")]
)
def test_a_failing_network_raises_with_advice(monkeypatch, caplog, hub, fault):
    def fail(*args, **kwargs):
        raise fault

    monkeypatch.setattr(torch.hub, "urlopen", fail)
    with pytest.raises(OfflineError, match=r"could not be fetched.*weights=None"):
        load(weights="pretrained")
    assert "downloads ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1" in caplog.text
    assert "5 MiB" in caplog.text
    assert not list(hub.iterdir())


def test_downloaded_weights_are_used_and_verified(monkeypatch, hub):
    state = tiny_state()

    def fetch(url, path, hash_prefix, progress):
        if hash_prefix != "f707e7126e":
            pytest.fail("the digest in the file's name was not asked for")
        torch.save(state, path)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    stages = load(weights="pretrained").network.stages
    assert torch.equal(stages["conv5"][0].weight, state["conv5.0.weight"])
    assert len(list(hub.iterdir())) == 1


def test_a_file_other_than_the_published_one_is_refused(monkeypatch, hub):
    def fetch(*args, **kwargs):
        raise RuntimeError('invalid hash value (expected "f707e7126e", got "0")')

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(WeightsError, match="damaged") as caught:
        load(weights="pretrained")
    assert not isinstance(caught.value, OfflineError)


def test_names_of_older_checkpoints_are_converted(hub):
    with torch.random.fork_rng():
        state = torchvision.models.densenet121(weights=None).state_dict()
    old = {re.sub(r"(denselayer\d+\.\w+?)([12])\.", r"\1.\2.", n): t for n, t in state.items()}
    old = {name: tensor for name, tensor in old.items() if "num_batches" not in name}
    assert old.keys() != state.keys()
    torch.save(old, hub / "densenet121-a639ec97.pth")
    backbone = load("densenet121", "pretrained")
    wanted = state["features.denseblock4.denselayer16.conv2.weight"]
    layer = backbone.network.stages["dense4"][1].denselayer16
    assert torch.equal(layer.conv2.weight, wanted)


def test_names_of_older_transformers_are_converted():
    state = small_transformer().state_dict()
    old = {
        name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): tensor
        for name, tensor in state.items()
    }
    assert old.keys() != state.keys()
    assert renamed(old).keys() == state.keys()


def test_mnasnet_takes_weights_without_version_numbers(tmp_path):
    with torch.random.fork_rng():
        state = torchvision.models.mnasnet0_5(weights=None).state_dict()
    save_file(dict(state), tmp_path / "mnasnet.safetensors")
    backbone = load("mnasnet0_5", tmp_path / "mnasnet.safetensors")
    assert torch.equal(backbone.network.stages["head"][0].weight, state["layers.14.weight"])


def test_weights_without_a_published_classifier_give_the_map_as_features(hub, monkeypatch):
    net = small_vgg(nn.Sequential(nn.Linear(196, 5)))
    state = net.state_dict() | {"classifier.0.weight": torch.full((5, 196), torch.nan)}
    torch.save(state, hub / "vgg16_features-amdegroot-88682ab5.pth")
    monkeypatch.setattr(torchvision_source, "_build", lambda *args: net)
    backbone = load("vgg16", "IMAGENET1K_FEATURES")
    assert backbone.stages == ("block1", "block2", "block3")
    assert backbone.extract(torch.randn(1, 3, 64, 64)).isfinite().all()


# --- Members of torchvision's enums -----------------------------------------------------

ENUM = torchvision.models.ShuffleNet_V2_X0_5_Weights


@pytest.fixture
def published(hub):
    torch.save(tiny_state(), hub / "shufflenetv2_x0.5-f707e7126e.pth")
    return get_backbone(TINY, modality="image", weights="IMAGENET1K_V1").fingerprint


@pytest.mark.parametrize("member", [ENUM.IMAGENET1K_V1, ENUM.DEFAULT])
def test_a_member_of_an_enum_names_published_weights(published, member, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8)
    embedder = ImageEmbedder(TINY, weights=member, cache=False)
    features = embedder.fit_transform(images)
    assert embedder.fingerprint_ == published
    assert clone(embedder).weights is member
    assert f"weights={member}" in repr(clone(embedder))
    again = pickle.loads(pickle.dumps(embedder))
    assert again.weights == member
    save(embedder, tmp_path / "embedder.skt")
    read = sktransfer.load(tmp_path / "embedder.skt")
    assert read.weights == str(member)
    save(read, tmp_path / "again.skt")
    save(embedder, tmp_path / "whole.skt", standalone=True)
    whole = sktransfer.load(tmp_path / "whole.skt")
    for loaded in (again, read, whole):
        assert np.array_equal(loaded.transform(images), features)
    search = GridSearchCV(
        make_pipeline(embedder, LogisticRegression()),
        {"imageembedder__weights": [member, None]},
        cv=[([0, 1], [2])],
    )
    assert search.fit(images, [0, 1, 1]).n_splits_ == 1


def test_weights_of_another_network_are_refused():
    other = torchvision.models.ResNet18_Weights.DEFAULT
    with pytest.raises(BackboneError, match=r"no weights 'ResNet18_Weights\.IMAGENET1K_V1'"):
        get_backbone("resnet50", modality="image", weights=other)
