"""Backbones by name: one load per process and state of the weights, and fingerprints."""

import os
import subprocess
import sys
import threading
import time

import pytest
import torch
from torch import nn

from sktransfer._randomness import seeded
from sktransfer.backbones import get_backbone, list_backbones
from sktransfer.backbones import timm as timm_source
from sktransfer.backbones._fingerprint import fingerprint
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.image import ImageRecipe
from tests._tiny import tiny_network


def test_rows_of_bundled_backbones_are_correct():
    for row in list_backbones(source="bundled", modality="image"):
        backbone = get_backbone(row["name"], modality="image", weights=None)
        assert backbone.n_parameters == row["parameters"]
        assert backbone.feature_size == row["feature_size"]
        assert backbone.recipe.size == (row["input_size"],) * 2


def test_an_unknown_name_suggests_similar_ones():
    with pytest.raises(BackboneError, match=r"did you mean 'efficientnet_lite0'"):
        get_backbone("efficientnet_lite_0", modality="image")
    with pytest.raises(BackboneError, match="list_backbones"):
        get_backbone("no such thing at all", modality="image")


def test_a_backbone_of_another_modality_names_the_right_estimator():
    with pytest.raises(BackboneError, match="ImageEmbedder"):
        get_backbone("efficientnet_lite0", modality="text", weights=None)


def test_a_backbone_is_loaded_once_and_shared():
    first = get_backbone("timm:test_resnet", modality="image", weights=None)
    assert get_backbone("timm:test_resnet", modality="image", weights=None) is first
    other = get_backbone("timm:test_resnet", modality="image", weights=None, random_state=1)
    assert other is not first


def test_a_changed_weights_file_is_loaded_again(tmp_path):
    path = tmp_path / "weights.pth"
    prints = []
    for seed in (0, 1):
        with seeded(seed):
            import timm

            torch.save(timm.create_model("test_resnet").state_dict(), path)
        prints.append(get_backbone("timm:test_resnet", modality="image", weights=path).fingerprint)
        time.sleep(0.01)  # file timestamps have a limited resolution
    assert prints[0] != prints[1]


def test_two_threads_load_a_backbone_once(monkeypatch):
    loads = []
    original = timm_source.load

    def slow(name, **settings):
        loads.append(name)
        time.sleep(0.05)
        return original(name, **settings)

    monkeypatch.setattr(timm_source, "load", slow)
    found = []

    def get():
        found.append(
            get_backbone("timm:test_resnet", modality="image", weights=None, random_state=77)
        )

    threads = [threading.Thread(target=get) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["timm:test_resnet"]
    assert len({id(backbone) for backbone in found}) == 1


def test_the_same_weights_under_another_name_have_the_same_fingerprint(tmp_path):
    import timm

    with seeded(3):
        net = timm.create_model("test_resnet")
    torch.save(net.state_dict(), tmp_path / "a.pth")
    named = get_backbone("timm:test_resnet", modality="image", weights=tmp_path / "a.pth")
    assert get_backbone(net, modality="image").fingerprint == named.fingerprint
    tagged = get_backbone(
        "timm:test_resnet.r160_in1k", modality="image", weights=None, random_state=3
    )
    assert tagged.fingerprint == named.fingerprint


def test_one_changed_weight_gives_another_fingerprint():
    net = tiny_network()
    before = fingerprint(net, ImageRecipe())
    with torch.no_grad():
        net[0].bias[3] += 1e-6
    assert fingerprint(net, ImageRecipe()) != before


def test_another_recipe_gives_another_fingerprint():
    net = tiny_network()
    assert fingerprint(net, ImageRecipe()) != fingerprint(net, ImageRecipe(resize=257))


def same_weights_in(first, second):
    second.load_state_dict(first.state_dict())
    return fingerprint(first, ImageRecipe()), fingerprint(second, ImageRecipe())


def test_the_same_weights_in_another_architecture_have_another_fingerprint():
    one, two = same_weights_in(nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3, stride=2))
    assert one != two
    one, two = same_weights_in(
        nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Sequential(nn.Linear(2, 2), nn.GELU())
    )
    assert one != two
    one, two = same_weights_in(nn.MultiheadAttention(8, 2), nn.MultiheadAttention(8, 4))
    assert one != two


class Scaled(nn.Module):
    def __init__(self, factor=1.0, function=torch.relu):
        super().__init__()
        self.factor = factor
        self.function = function

    def forward(self, x):
        return self.function(x) * self.factor


def test_settings_and_functions_of_a_module_are_in_its_fingerprint():
    prints = {
        fingerprint(module, ImageRecipe())
        for module in (
            Scaled(),
            Scaled(2.0),
            Scaled(function=torch.tanh),
            Scaled(function=lambda x: x + 1),
            Scaled(function=lambda x: x + 2),
        )
    }
    assert len(prints) == 5
    assert fingerprint(Scaled(), ImageRecipe()) == fingerprint(Scaled().eval(), ImageRecipe())


def test_the_code_of_the_users_classes_is_in_the_fingerprint():
    def version(body):
        space = {"nn": nn, "__name__": "theirs"}
        exec(f"class Net(nn.Module):\n    def helper(self, x):\n        return {body}\n", space)
        kind = space["Net"]
        kind.forward = lambda self, x: self.helper(x)
        return fingerprint(kind(), ImageRecipe())

    assert version("x + 1") == version("x + 1")
    assert version("x + 1") != version("x + 2")
    assert version("[y for y in x]") != version("[-y for y in x]")


SCRIPT = """
import torch
from torch import nn
from sktransfer.backbones import get_backbone

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 8)
        nn.init.constant_(self.conv.weight, 0.25)
        nn.init.zeros_(self.conv.bias)
        self.function = lambda x: [y for y in x if "a" in {"a", "b", "c", "d"}][0]

    def forward(self, x):
        return self.function([self.conv(x)])

print(get_backbone(Net(), modality="image").fingerprint)
print(get_backbone("timm:test_vit", modality="image", weights=None).fingerprint)
"""


@pytest.mark.slow  # in test_fingerprint.py, more networks share one process
def test_a_fingerprint_is_the_same_in_a_fresh_process(capsys):
    exec(SCRIPT, {"__name__": "__main__"})
    here = capsys.readouterr().out
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", SCRIPT]
    fresh = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert fresh.stdout == here
    assert len(set(here.split())) == 2
