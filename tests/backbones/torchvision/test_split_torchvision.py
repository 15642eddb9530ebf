"""torchvision networks without published weights: one per family, all 80 in the slow tests."""

from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from sktransfer.backbones import torchvision as torchvision_source
from sktransfer.backbones._network import Apply, pool
from sktransfer.backbones.torchvision._published_weights import choose, recipe_of
from tests.backbones._torchvision_networks import (
    ROWS,
    TINY,
    UNSTATED,
    load,
    small_transformer,
    small_vgg,
)

pytestmark = pytest.mark.usefixtures("hub")

NAMES = torchvision.models.list_models(module=torchvision.models)
# These are small enough to be run on real numbers; for the others, shapes are compared.
SMALL = [name for name in NAMES if ROWS[name]["parameters"] < 12e6]
SMALL += ["alexnet", "convnext_tiny", "inception_v3", "maxvit_t", "swin_t"]
# The smallest network of each file of torchvision.models represents its family.
FAMILIES = {
    torchvision.models.get_model_builder(name).__module__: name
    for name in sorted(NAMES, key=lambda name: -ROWS[name]["parameters"])
}
ALL = [
    name if name in FAMILIES.values() else pytest.param(name, marks=pytest.mark.slow)
    for name in NAMES
]
# Smallest image size that an architecture accepts.
SMALLEST = {"inception_v3": 75, "alexnet": 63, "squeezenet1_0": 33, "squeezenet1_1": 33}


@pytest.fixture(scope="module", autouse=True)
def forget():
    yield
    meta.cache_clear()
    with_weights.cache_clear()


def build(name):
    options = {}
    if name.startswith("vit_"):
        options["image_size"] = ROWS[name]["input_size"]
    if name in ("googlenet", "inception_v3"):
        options = {"init_weights": False, "transform_input": True}
    return torchvision.models.get_model(name, weights=None, **options).eval()


@lru_cache(maxsize=4)
def meta(name):
    """Return a network on the meta device, and its chain and head."""
    blocks = torchvision.models.regnet.BlockParams
    plan = blocks.from_init_params

    def on_cpu(*args, **kwargs):
        with torch.device("cpu"):  # RegNet computes its widths with tensors
            return plan(*args, **kwargs)

    blocks.from_init_params = on_cpu
    try:
        with torch.device("meta"):
            net = build(name)
    finally:
        blocks.from_init_params = plan
    return net, *torchvision_source.stages_of(net)


@lru_cache(maxsize=4)  # all of them together would take more than a gigabyte
def with_weights(name):
    """Return a network whose weights give every layer an effect, and its chain and head."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = build(name)
        for tensor in [*net.parameters(), *net.buffers()]:
            if tensor.is_floating_point():
                scatter(tensor)
    return net, *torchvision_source.stages_of(net)


@torch.no_grad()
def scatter(tensor):
    # As after training: no zeros, no identities, and outputs about as large as inputs.
    if tensor.ndim > 1:
        tensor.normal_(std=tensor[0].numel() ** -0.5)
    else:
        tensor.uniform_(0.5, 1.5)


@torch.no_grad()
def without_head(net, head, images):
    """Return the output of the whole network with its last layer removed."""
    *way, last = next(path for path, module in net.named_modules() if module is head).split(".")
    owner = net.get_submodule(".".join(way))
    setattr(owner, last, nn.Identity())
    try:
        return net(images)
    finally:
        setattr(owner, last, head)


def images_for(name, device="cpu", n=2):
    size = SMALLEST.get(name, 32)
    if name.startswith(("vit_", "maxvit")):
        size = ROWS[name]["input_size"]
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 3, size, size, generator=generator).to(device)


def check_stages(chain, images):
    """Run a chain stage by stage, and check the type of each output."""
    activation = images
    for module in chain.stages.values():
        activation = module(activation)
        assert activation.shape[0] == len(images)
        assert activation.ndim == 2 or activation.ndim == (3 if chain.layout == "NLC" else 4)
    assert pool(activation, "mean", chain).ndim == 2
    return chain.pooled(activation)


# --- Networks -------------------------------------------------------------------------------


def test_all_80_names_are_recognized_and_others_are_not():
    assert len(NAMES) == len(ROWS) == 80
    assert all(map(torchvision_source.owns, NAMES))
    assert not any(map(torchvision_source.owns, ["", "resnet", "ResNet18", "raft_small", "r3d_18"]))


@pytest.fixture(scope="module", params=ALL)
def split(request):
    """Return a name, its network, chain and head; pytest runs all tests of one name in a row."""
    name = request.param
    return name, *(with_weights if name in SMALL else meta)(name)


def test_every_parameter_is_in_one_stage_or_in_the_pooling_and_nothing_is_copied(split):
    _, net, chain, head = split
    held = Counter(id(p) for stage in chain.stages.values() for p in stage.parameters())
    held.update(id(p) for p in chain.pooled.parameters())
    left_out = {id(p) for p in head.parameters()}
    for child, module in net.named_children():
        if child in ("aux1", "aux2", "AuxLogits"):
            left_out |= {id(p) for p in module.parameters()}
    assert set(held) == {id(p) for p in net.parameters()} - left_out
    assert set(held.values()) == {1}


@torch.no_grad()
def test_stages_give_the_features_that_the_whole_network_gives_its_head(split):
    name, net, chain, head = split
    images = images_for(name, next(net.parameters()).device)
    features = check_stages(chain, images)
    assert features.shape == (2, ROWS[name]["feature_size"])
    if name in SMALL:
        assert torch.equal(features, without_head(net, head, images))
        assert features.std() > 1e-4  # not constant
    else:
        assert head(features).shape == (2, 1000)


def test_stages_have_plain_names(split):
    stages = list(split[2].stages)
    assert stages[0] in ("stem", "block1", "conv1")
    assert all(stage.isidentifier() and stage != "pooled" for stage in stages)


def test_the_row_of_the_table_is_correct(split):
    name, _, chain, _ = split
    row, default = ROWS[name], torchvision.models.get_model_weights(name).DEFAULT
    assert row["parameters"] == sum(parameter.numel() for parameter in chain.parameters())
    assert row["input_size"] == default.transforms().crop_size[0]
    assert row["licence"] == ("CC-BY-NC-4.0" if "SWAG" in default.name else UNSTATED)
    assert row["modality"] == "image"


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "googlenet", "swin_t", "mnasnet0_5"])
@torch.no_grad()
def test_each_stage_can_be_requested_and_does_not_change_its_input(name):
    chain = with_weights(name)[1]
    activation = images_for(name)
    for stage, module in chain.stages.items():
        before = activation.clone()
        after = module(activation)
        assert torch.equal(activation, before)
        assert torch.equal(chain(images_for(name), until=stage), after)
        activation = after


@pytest.mark.filterwarnings("ignore:NOTE. The nodes obtained by tracing")
@pytest.mark.parametrize(
    ("name", "node", "stage"),
    [
        ("alexnet", "features.4", "conv2"),
        ("resnet18", "layer3", "layer3"),
        ("densenet121", "features.denseblock2", "dense2"),
        ("efficientnet_b0", "features.4", "block4"),
        ("googlenet", "inception4b", "inception4b"),
        ("inception_v3", "Mixed_6c", "Mixed_6c"),
        ("mobilenet_v2", "features.5", "block5"),
        ("mobilenet_v3_small", "classifier.1", "projection"),
        ("regnet_y_400mf", "trunk_output.block3", "block3"),
        ("shufflenet_v2_x1_0", "stage3", "stage3"),
        ("squeezenet1_1", "features.4", "fire3"),
        ("mnasnet0_5", "layers.9", "block3"),
        ("swin_t", "features.3", "stage2"),
        ("convnext_tiny", "features.3", "stage2"),
    ],
)
@torch.no_grad()
def test_stages_and_features_equal_those_of_torchvisions_feature_extractor(name, node, stage):
    net, chain, _ = with_weights(name)
    images = images_for(name)
    expected = create_feature_extractor(net, {node: "stage"})(images)["stage"]
    torch.testing.assert_close(chain(images, until=stage), expected, rtol=1e-5, atol=1e-5)


def test_a_vision_transformer_has_one_stage_per_layer_and_pools_its_class_token():
    net = small_transformer()
    chain, head = torchvision_source.stages_of(net)
    images = torch.randn(2, 3, 32, 32)
    assert list(chain.stages) == ["stem", "layer1", "layer2", "layer3"]
    assert (chain.layout, chain.prefix_tokens) == ("NLC", 1)
    nodes = {"encoder.layers.encoder_layer_1": "layer2"}
    with torch.no_grad():
        assert torch.equal(chain(images), without_head(net, head, images))
        tokens = create_feature_extractor(net, nodes)(images)["layer2"]
        torch.testing.assert_close(chain(images, until="layer2"), tokens, rtol=1e-5, atol=1e-5)
    assert torchvision_source.only_size(net) == 32


def test_a_hidden_layer_of_a_transformers_head_is_a_separate_stage():
    net = small_transformer(representation_size=7)
    chain, head = torchvision_source.stages_of(net)
    images = torch.randn(2, 3, 32, 32)
    assert list(chain.stages)[-1] == "projection"
    with torch.no_grad():
        assert torch.equal(chain(images), without_head(net, head, images))
    assert chain(images).shape == (2, 7)


def hidden_layers(n, *last):
    hidden = [nn.Sequential(nn.Linear(196 if i == 0 else 6, 6), nn.ReLU()) for i in range(n)]
    return nn.Sequential(*(layer for pair in hidden for layer in pair), *last)


def test_the_hidden_layers_of_a_vgg_are_stages():
    net = small_vgg(hidden_layers(2, nn.Dropout(), nn.Linear(6, 3)))
    chain, head = torchvision_source.stages_of(net)
    images = torch.randn(2, 3, 32, 32)
    assert list(chain.stages) == ["block1", "block2", "block3", "fc6", "fc7"]
    assert head is net.classifier[-1]
    assert torch.equal(chain(images), without_head(net, head, images))
    # A block's output is that of its last convolution; the pooling begins the next stage.
    assert chain(images, until="block3").shape == (2, 4, 8, 8)


@pytest.mark.parametrize(
    "classifier",
    [nn.Identity(), nn.Sequential(), hidden_layers(2), hidden_layers(1, nn.Identity())],
)
def test_without_its_last_layer_all_of_a_network_gives_features(classifier):
    net = small_vgg(classifier)
    chain, head = torchvision_source.stages_of(net)
    images = torch.randn(2, 3, 32, 32)
    assert head is None
    assert torch.equal(chain(images), net(images))


@pytest.mark.parametrize("name", ["alexnet", "vgg16_bn"])
def test_the_oldest_networks_have_the_layer_names_of_their_papers(name):
    stages = list(meta(name)[1].stages)
    first = {"alexnet": "conv", "vgg16_bn": "block"}[name]
    assert stages == [f"{first}{number}" for number in range(1, 6)] + ["fc6", "fc7"]


def test_a_users_network_may_have_another_head_or_none():
    net = torchvision.models.resnet18()
    images = torch.randn(2, 3, 64, 64)
    net.fc = nn.Sequential(nn.Dropout(), nn.Linear(512, 4), nn.ReLU(), nn.Linear(4, 2))
    net.eval()
    chain, head = torchvision_source.stages_of(net)
    assert head is net.fc[-1]
    assert list(chain.stages)[-1] == "projection"
    assert torch.equal(chain(images), without_head(net, head, images))
    assert chain(images).shape == (2, 4)
    net.fc = nn.Identity()
    assert torchvision_source.stages_of(net)[1] is None
    assert torchvision_source.stages_of(net)[0](images).shape == (2, 512)


def test_other_classes_are_not_split_even_if_they_derive_from_torchvisions():
    class Mine(torchvision.models.ResNet):
        pass

    block = torchvision.models.resnet.BasicBlock
    assert torchvision_source.stages_of(Mine(block, [1, 1, 1, 1])) is None
    assert torchvision_source.stages_of(nn.Sequential(nn.Linear(2, 2))) is None
    assert torchvision_source.only_size(Mine(block, [1, 1, 1, 1])) is None


# --- Recipes --------------------------------------------------------------------------------

ALL_WEIGHTS = [
    pytest.param(name, member.name, marks=() if name in FAMILIES.values() else pytest.mark.slow)
    for name in NAMES
    for member in torchvision.models.get_model_weights(name)
]


@pytest.mark.parametrize(("name", "weights"), ALL_WEIGHTS)
def test_the_recipe_is_that_of_the_weights(name, weights):
    preset = torchvision.models.get_model_weights(name)[weights].transforms()
    recipe = recipe_of(torchvision.models.get_model_weights(name)[weights])
    assert [recipe.size] == [(size, size) for size in preset.crop_size]
    assert [recipe.resize] == preset.resize_size
    assert recipe.interpolation == preset.interpolation.value
    assert (list(recipe.mean), list(recipe.std)) == (preset.mean, preset.std)
    # Images that need no resizing: what remains are the crop and the scaling.
    pixels = np.random.default_rng(0).integers(0, 256, (recipe.resize, recipe.resize, 3), np.uint8)
    edge = round((recipe.resize - recipe.size[0]) / 2)
    window = slice(edge, edge + recipe.size[0])
    mine = recipe.scale(torch.from_numpy(pixels[window, window][None]))
    theirs = preset(torch.from_numpy(pixels).permute(2, 0, 1))
    assert torch.equal(mine[0], theirs)


@pytest.mark.parametrize(
    ("name", "size", "resize"),
    [
        ("resnet50", 224, 256),
        ("efficientnet_b1", 240, 256),
        ("vit_h_14", 224, 224),
        ("regnet_y_128gf", 224, 224),
        ("inception_v3", 299, 342),
        ("swin_v2_t", 256, 260),
    ],
)
def test_without_published_weights_the_recipe_is_the_oldest_and_smallest(name, size, resize):
    recipe = recipe_of(choose(name, None).described)
    assert (recipe.size, recipe.resize) == ((size, size), resize)


def test_maxvit_and_the_vision_transformers_accept_only_their_own_size(monkeypatch):
    assert load("maxvit_t").recipe.fixed_size
    assert not load(TINY).recipe.fixed_size
    monkeypatch.setattr(torchvision_source, "_build", lambda *args: small_transformer())
    assert load("vit_b_16").recipe.fixed_size


def test_a_vision_transformer_is_built_for_the_size_of_its_weights():
    with torch.device("meta"):
        net = torchvision_source._build("vit_b_16", 384, 0)
    assert torchvision_source.only_size(net) == 384


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_the_inceptions_are_built_without_auxiliary_heads_and_rescale_pixels(name, recwarn):
    backbone = load(name)
    assert backbone.n_parameters == ROWS[name]["parameters"]
    assert isinstance(backbone.network.stages["stem"][0], Apply)
    assert not recwarn.list
