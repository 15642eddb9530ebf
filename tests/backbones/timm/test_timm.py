"""Weights of timm models: random, from a file, published; and errors for unknown names."""

import pytest
import timm
import torch

from sktransfer.backbones import get_backbone
from sktransfer.backbones import timm as timm_source
from sktransfer.exceptions import BackboneError, OfflineError, WeightsError


def test_random_weights_depend_on_the_seed_only():
    state = torch.get_rng_state()
    loads = [
        timm_source.load("timm:test_resnet", weights=None, modality="image", random_state=seed)
        for seed in (0, 0, 1)
    ]
    assert loads[0].fingerprint == loads[1].fingerprint != loads[2].fingerprint
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_of_a_file_are_loaded_whatever_their_classifier(tmp_path, suffix):
    from safetensors.torch import save_file

    net = timm.create_model("test_resnet", num_classes=3)
    path = tmp_path / f"mine{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save(net.state_dict(), path)
    backbone = get_backbone("timm:test_resnet", modality="image", weights=path)
    stem = backbone.network.stages["stem"]
    torch.testing.assert_close(next(stem.parameters()), net.conv1[0].weight.detach())


def test_weights_of_another_architecture_are_refused(tmp_path):
    path = tmp_path / "other.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), path)
    with pytest.raises(WeightsError, match=r"do not fit.*missing"):
        get_backbone("timm:test_vit", modality="image", weights=path)


def test_weights_that_are_neither_tag_nor_file_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"no weights 'imagenet' of 'resnet18'.*a1_in1k"):
        get_backbone("timm:resnet18", modality="image", weights="imagenet")


def test_unknown_models_and_tags_suggest_similar_ones():
    with pytest.raises(BackboneError, match="'timm:resnet18'"):
        get_backbone("timm:resnet81", modality="image", weights=None)
    with pytest.raises(BackboneError, match=r"'nope' of 'resnet18'.*a1_in1k"):
        get_backbone("timm:resnet18.nope", modality="image", weights=None)


def test_a_model_without_published_weights_raises():
    name = next(n for n in timm.list_models() if not timm.is_model_pretrained(n))
    with pytest.raises(WeightsError, match="only weights=None"):
        get_backbone(f"timm:{name}", modality="image")


def test_offline_raises_immediately_with_advice(monkeypatch):
    monkeypatch.setenv("SKTRANSFER_OFFLINE", "1")
    message = r"timm:resnet18 \(about 47 MB\).*SKTRANSFER_OFFLINE.*python -c \"import timm"
    with pytest.raises(OfflineError, match=message):
        get_backbone("timm:resnet18", modality="image")


def test_a_failed_download_is_an_offline_error(monkeypatch):
    monkeypatch.delenv("SKTRANSFER_OFFLINE", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)

    def broken(*args, **kwargs):
        raise ConnectionError("name resolution failed")

    monkeypatch.setattr(timm, "create_model", broken)
    with pytest.raises(OfflineError, match=r"could not be fetched.*name resolution failed"):
        get_backbone("timm:test_resnet", modality="image")


@pytest.mark.parametrize("weights", ["pretrained", "r160_in1k"])
def test_weights_in_the_local_cache_need_no_network(tmp_path, monkeypatch, weights):
    from safetensors.torch import save_file

    net = timm.create_model("test_resnet")
    path = tmp_path / "model.safetensors"
    save_file(net.state_dict(), path)
    monkeypatch.setattr(timm_source, "try_to_load_from_cache", lambda *a, **k: str(path))
    backbone = timm_source.load("timm:test_resnet", weights=weights, modality="image")
    assert backbone.licence == "apache-2.0"
    wanted = net.layer4[0].conv1.weight.detach()
    torch.testing.assert_close(backbone.network.stages["layer4"][0].conv1.weight, wanted)


def test_a_damaged_file_in_the_local_cache_is_named(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not tensors")
    monkeypatch.setattr(timm_source, "try_to_load_from_cache", lambda *a, **k: str(path))
    with pytest.raises(WeightsError, match=r"model\.safetensors"):
        timm_source.load("timm:test_resnet", weights="pretrained", modality="image")
