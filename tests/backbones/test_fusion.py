"""A fused network gives the outputs of the plain one, stage by stage."""

import copy

import pytest
import torch
from torch import nn

from sktransfer import ImageEmbedder
from sktransfer.backbones import _fusion, get_backbone
from sktransfer.backbones._fusion import fused
from sktransfer.backbones._network import Chain
from sktransfer.modalities.image import ImageRecipe
from tests._jobs import in_threads
from tests._tiny import images, tiny_network

CPU = torch.device("cpu")
RECIPE = ImageRecipe(size=(75, 75))
IMAGES = torch.randn(3, 3, 75, 75, generator=torch.Generator().manual_seed(0))
NAMES = [
    "resnet18",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "densenet121",
    "googlenet",
    "efficientnet_lite0",
    "timm:regnety_002",
    "timm:resnetv2_50d_gn",
]
#: A norm before its convolution is not fused.
SOME_STAY = {"densenet121"}
#: These have no batch norms.
HAVE_NONE = {"timm:resnetv2_50d_gn"}


def batch_norms(network):
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def with_active_norms(network):
    """Return a copy whose batch norms all have an effect."""
    network = copy.deepcopy(network)
    random = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                if tensor is not None:
                    tensor.data.uniform_(0.5, 1.5, generator=random)
    return network


def chain(*layers, **more):
    return Chain(
        {f"layer{number}": layer for number, layer in enumerate(layers)}, nn.Flatten(), **more
    ).eval()


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_gives_the_same_within_rounding(name):
    network = with_active_norms(get_backbone(name, weights=None, modality="image").network)
    fast = fused(network, RECIPE)
    assert (fast is network) == (name in HAVE_NONE)
    assert batch_norms(network) > 0 or name in HAVE_NONE
    assert (batch_norms(fast) == 0) or name in SOME_STAY
    with torch.inference_mode():
        for stage in [*network.stages, "pooled"]:
            expected, found = network(IMAGES, until=stage), fast(IMAGES, until=stage)
            assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_the_plain_network_is_not_changed():
    network = with_active_norms(get_backbone("resnet18", weights=None, modality="image").network)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fused(network, RECIPE)
    assert batch_norms(network) == 20
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_embedders_use_the_fused_network_and_fine_tuners_train_the_plain_one():
    backbone = get_backbone("efficientnet_lite0", modality="image")
    assert batch_norms(backbone.fast(CPU)) == 0
    assert batch_norms(backbone.on(CPU)) == 49
    assert backbone.fast(CPU) is backbone.fast(CPU)


def test_features_equal_those_of_the_plain_network():
    backbone = get_backbone("efficientnet_lite0", modality="image")
    inputs = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, found = backbone.network(inputs), backbone.extract(inputs)
    assert not torch.equal(found, expected)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


class Twice(nn.Module):
    """A convolution used also without its norm, or a norm used after two convolutions."""

    def __init__(self, shared):
        super().__init__()
        self.conv, self.other = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.shared = shared

    def forward(self, x):
        if self.shared:
            return self.norm(self.conv(x)) + self.norm(self.other(x))
        x = self.conv(x)
        return self.norm(x) + x


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x):
        return self.norm(self.conv(x)) if x.mean() > -1 else x


class WantsItsNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x):
        return self.norm(self.conv(x)) * self.norm.weight[:, None, None]


class Scaled(nn.Conv2d):
    """Scales its output, which a fused convolution would not do."""

    def forward(self, x):
        return super().forward(x) * 2


@pytest.mark.parametrize(
    "layer",
    [
        Twice(shared=False),
        Twice(shared=True),
        nn.Sequential(Scaled(3, 3, 1), nn.BatchNorm2d(3)),
        nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)),
        nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)),
        nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True), nn.BatchNorm2d(3)),
        WantsItsNorm(),
    ],
    ids=[
        "used twice",
        "shared",
        "other convolution",
        "no statistics",
        "not adjacent",
        "in place",
        "used",
    ],
)
def test_modules_that_fusion_would_change_are_not_fused(layer):
    network = with_active_norms(chain(layer))
    assert fused(network, RECIPE) is network


def test_a_branch_on_image_values_is_preserved():
    network = with_active_norms(chain(Branching()))
    fast = fused(network, RECIPE)
    assert batch_norms(fast) == 0
    with torch.inference_mode():
        for images_ in (IMAGES, IMAGES - 2):
            torch.testing.assert_close(fast(images_), network(images_), rtol=1e-4, atol=1e-4)


def test_a_network_with_a_stage_that_differs_is_not_fused():
    network = with_active_norms(
        chain(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)), Twice(shared=False))
    )
    assert fused(network, RECIPE) is network


def test_weights_that_do_not_change_are_shared():
    network = with_active_norms(get_backbone("densenet121", weights=None, modality="image").network)
    plain = {tensor.data_ptr() for tensor in network.parameters()}
    fast = {tensor.data_ptr() for tensor in fused(network, RECIPE).parameters()}
    assert len(fast & plain) > 100


def test_other_threads_can_use_and_fuse_other_networks_meanwhile():
    names = ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "efficientnet_lite0"]
    backbones = [get_backbone(name, weights=None, modality="image") for name in names]
    inputs = torch.zeros(2, 3, 64, 64)

    def work(number):
        for _ in range(5):
            backbones[number]._fused = None
            with torch.inference_mode():
                backbones[number].extract(inputs)
            tiny_network()(inputs)

    in_threads(work, len(names))


def test_a_fused_network_with_other_outputs_is_not_used(monkeypatch):
    network = with_active_norms(chain(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))))
    monkeypatch.setattr(_fusion, "fuse_conv_bn_eval", lambda conv, norm: copy.deepcopy(conv))
    assert fused(network, RECIPE) is network


def test_fusion_is_verified_in_float32_whatever_the_precision_of_the_call():
    backbone = get_backbone("resnet18", weights=None, modality="image")
    backbone._fused = None
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        backbone.extract(IMAGES)
    assert batch_norms(backbone.fast(CPU)) == 0


def test_a_users_module_is_not_changed():
    network = tiny_network()
    calls = []
    backbone = get_backbone(network, modality="image")
    assert backbone.fast(CPU) is backbone.on(CPU)
    handle = next(network.children()).register_forward_hook(lambda *args: calls.append(1))
    try:
        ImageEmbedder(network, cache=False).fit_transform(images(1))
    finally:
        handle.remove()
    assert calls
