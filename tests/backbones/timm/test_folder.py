"""Folders as timm writes them, named in each of the ways that timm and its users write."""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from timm.models import save_for_hf

from sktransfer import ImageClassifier, ImageEmbedder, load, save
from sktransfer.backbones import get_backbone, list_backbones, pack, unpack
from sktransfer.exceptions import BackboneError, OfflineError, WeightsError
from tests.backbones._huggingface_folders import save as save_transformers

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
COMMIT = "b" * 40


def saved(folder, kind="test_resnet", **options):
    torch.manual_seed(3)
    net = timm.create_model(kind, **options).eval()
    save_for_hf(net, folder, safe_serialization=True)
    return net


def edit(folder, **settings):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def image(name, **options):
    return get_backbone(name, modality="image", **options)


@pytest.mark.parametrize("form", [str, Path, "timm:local-dir:{}".format])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("test_resnet", {"num_classes": 5}),
        ("test_vit", {"num_classes": 0}),
        ("test_vit", {"img_size": 96, "global_pool": "avg"}),
        ("test_efficientnet", {}),
    ],
)
def test_features_equal_those_of_timm(form, kind, options, tmp_path):
    net = saved(tmp_path, kind, **options)
    backbone = image(form(tmp_path))
    assert backbone.source == "timm"
    side = backbone.recipe.size[0]
    batch = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = net.forward_head(net.forward_features(batch), pre_logits=True)
        assert torch.allclose(backbone.extract(batch), wanted, rtol=1e-5, atol=1e-5)
    data = timm.data.resolve_model_data_config(net)
    assert backbone.recipe.size == tuple(data["input_size"][1:])
    assert backbone.recipe.mean == tuple(data["mean"])
    again = unpack(*pack(backbone), fingerprint=backbone.fingerprint)
    with torch.inference_mode():
        assert torch.equal(again.extract(batch), backbone.extract(batch))


def test_the_settings_of_a_folder_are_honoured(tmp_path):
    saved(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())["pretrained_cfg"]
    edit(tmp_path, pretrained_cfg={**config, "mean": [0.1, 0.2, 0.3], "crop_pct": 0.5})
    recipe = image(tmp_path).recipe
    assert recipe.mean == (0.1, 0.2, 0.3)
    assert recipe.resize == 2 * recipe.size[0]


def test_a_folder_works_in_estimators_and_files(tmp_path):
    saved(tmp_path / "net", num_classes=3)
    name = f"timm:local-dir:{tmp_path / 'net'}"
    features = ImageEmbedder(name, cache=False).fit_transform(IMAGES)
    assert np.isfinite(features).all()
    model = ImageClassifier(name, trainable=1, max_epochs=1, cache=False).fit(IMAGES, [0, 1, 0, 1])
    save(model, tmp_path / "model.skt", standalone=True)
    wanted = model.predict_proba(IMAGES)
    (tmp_path / "net" / "model.safetensors").unlink()
    assert np.allclose(load(tmp_path / "model.skt").predict_proba(IMAGES), wanted)


def test_new_weights_in_a_folder_are_noticed(tmp_path):
    saved(tmp_path)
    name = f"timm:local-dir:{tmp_path}"
    first, random = image(name), image(name, weights=None)
    net = timm.create_model("test_resnet")
    torch.manual_seed(4)
    save_for_hf(net, tmp_path, safe_serialization=True)
    assert len({backbone.fingerprint for backbone in (first, random, image(name))}) == 3


@pytest.mark.parametrize("source", ["", "timm:hf-hub:", "timm:hf_hub:"])
@pytest.mark.parametrize("revision", ["", "@main"])
def test_a_hub_model_is_read_from_the_local_cache(source, revision, tmp_path, monkeypatch):
    import huggingface_hub

    if revision and not source:
        pytest.skip("an id alone has no revision")
    place = tmp_path / "models--org--net"
    (place / "refs").mkdir(parents=True)
    (place / "refs/main").write_text(COMMIT)
    saved(place / "snapshots" / COMMIT)
    real = huggingface_hub.snapshot_download
    monkeypatch.setattr(
        huggingface_hub,
        "snapshot_download",
        lambda name, **how: real(name, cache_dir=tmp_path, **how),
    )
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    backbone = image(f"{source}org/net{revision}")
    assert backbone.fingerprint == image(place / "snapshots" / COMMIT).fingerprint
    with pytest.raises(OfflineError, match="org/other"):
        image("timm:hf-hub:org/other")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm:local-dir:/nowhere/at/all", "neither an existing folder"),
        ("timm:local-dir:", "neither an existing folder"),
        ("timm:hf-hub:", "neither an existing folder"),
        ("timm:hf_hub:@main", "neither an existing folder"),
        ("timm:", "no model ''"),
        ("timm:git:org/name", "neither an existing folder"),
    ],
)
def test_other_forms_are_refused(name, message):
    with pytest.raises(BackboneError, match=message):
        image(name)


def test_folders_that_timm_cannot_build_are_refused(tmp_path):
    save_transformers("vit", tmp_path / "vit")
    with pytest.raises(BackboneError, match="not a folder of timm"):
        image(f"timm:local-dir:{tmp_path / 'vit'}")
    saved(tmp_path / "net")
    edit(tmp_path / "net", architecture="no_such_net")
    with pytest.raises(BackboneError, match="no model 'no_such_net'"):
        image(tmp_path / "net")
    saved(tmp_path / "grey", in_chans=1)
    with pytest.raises(BackboneError, match="images of 1 channels"):
        image(tmp_path / "grey")


def test_one_number_is_that_of_all_channels(tmp_path):
    saved(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())["pretrained_cfg"]
    edit(tmp_path, pretrained_cfg={**config, "mean": [0.5], "std": [1]})
    recipe = image(tmp_path).recipe
    assert (recipe.mean, recipe.std) == ((0.5,) * 3, (1,) * 3)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("mean", "x"),
        ("mean", [3, 3]),
        ("std", 0.5),
        ("std", [0, 0, 0]),
        ("input_size", 64),
        ("input_size", [64]),
        ("input_size", [3, "64", 64]),
        ("crop_pct", [0.9]),
        ("crop_pct", -1),
        ("crop_mode", True),
        ("interpolation", 3),
        ("interpolation", "sinc"),
    ],
)
def test_pixel_settings_of_a_wrong_kind_are_named(setting, value, tmp_path):
    saved(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())["pretrained_cfg"]
    edit(tmp_path, pretrained_cfg={**config, setting: value})
    with pytest.raises(BackboneError, match=rf"config\.json' sets {setting} to"):
        image(tmp_path)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"pretrained_cfg": 3}, "sets pretrained_cfg to 3"),
        ({"pretrained_cfg": None}, "damaged or unsuitable"),
        ({"model_args": ["x"]}, r"sets model_args to \['x'\]"),
        ({"model_args": {"features_only": True}}, "Remove features_only"),
        ({"model_args": {"features_only": True, "out_indices": [1]}}, "Remove features_only"),
        ({"model_args": {"out_indices": [1]}}, "out_indices"),
        ({"model_args": {"global_pool": "x"}}, "damaged or unsuitable"),
        ({"model_args": {"num_classes": "x"}}, "damaged or unsuitable"),
    ],
)
def test_arguments_that_leave_no_features_are_refused(setting, message, tmp_path):
    saved(tmp_path)
    edit(tmp_path, **setting)
    with pytest.raises((BackboneError, WeightsError), match=message):
        image(tmp_path)


def test_weights_that_are_missing_or_do_not_fit_are_refused(tmp_path):
    saved(tmp_path)
    edit(tmp_path, architecture="test_vit")
    with pytest.raises(WeightsError, match="damaged or unsuitable"):
        image(tmp_path)
    edit(tmp_path, architecture="test_resnet")
    (tmp_path / "model.safetensors").unlink()
    for file in tmp_path.glob("*.bin"):
        file.unlink()
    with pytest.raises(WeightsError, match="No suitable checkpoints"):
        image(tmp_path)
    assert image(tmp_path, weights=None).feature_size > 0


def test_a_file_replaces_the_weights_of_a_folder(tmp_path):
    saved(tmp_path / "net")
    other = timm.create_model("test_resnet", num_classes=2)
    torch.save(other.state_dict(), tmp_path / "other.pth")
    backbone = image(tmp_path / "net", weights=tmp_path / "other.pth")
    assert torch.equal(next(backbone.network.stages["stem"].parameters()), other.conv1[0].weight)


def test_a_folder_of_timm_is_no_text_model(tmp_path):
    saved(tmp_path)
    with pytest.raises(BackboneError, match="ImageEmbedder"):
        get_backbone(tmp_path, modality="text")
    assert list_backbones(source="huggingface") is not None
