"""All 80 classification networks of torchvision, without any of its weights."""

import pickle
import re
from collections import Counter
from functools import lru_cache
from http.client import IncompleteRead
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from sktransfer.backbones import _torchvision
from sktransfer.backbones._network import Apply, pool
from sktransfer.exceptions import BackboneError, OfflineError, WeightsError

NAMES = torchvision.models.list_models(module=torchvision.models)
ROWS = {row["name"]: row for row in _torchvision.rows()}
# These are small enough to be run on real numbers; of the others the shapes are compared.
SMALL = [name for name in NAMES if ROWS[name]["parameters"] < 12e6]
SMALL += ["alexnet", "convnext_tiny", "inception_v3", "maxvit_t", "swin_t"]
# Smallest images that an architecture lets through.
SMALLEST = {"inception_v3": 75, "alexnet": 63, "squeezenet1_0": 33, "squeezenet1_1": 33}
TINY = "shufflenet_v2_x0_5"
UNSTATED = "not stated (ImageNet-1k)"


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """Keep torch's folder of weights apart from the user's, and empty; no test downloads."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("SKTRANSFER_OFFLINE", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(torch.hub, "urlopen", _no_network)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module", autouse=True)
def forget():
    yield
    meta.cache_clear()
    real.cache_clear()


def _no_network(*args, **kwargs):
    raise URLError("no route to host")


def build(name):
    options = {}
    if name.startswith("vit_"):
        options["image_size"] = ROWS[name]["input_size"]
    if name in ("googlenet", "inception_v3"):
        options = {"init_weights": False, "transform_input": True}
    return torchvision.models.get_model(name, weights=None, **options).eval()


@lru_cache(maxsize=4)
def meta(name):
    """Return a network without numbers, and its chain and head."""
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
    return net, *_torchvision.stages_of(net)


@lru_cache(maxsize=4)  # all of them together would take more than a gigabyte
def real(name):
    """Return a network with numbers that leave no layer out, and its chain and head."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = build(name)
        for tensor in [*net.parameters(), *net.buffers()]:
            if tensor.is_floating_point():
                scatter(tensor)
    return net, *_torchvision.stages_of(net)


@torch.no_grad()
def scatter(tensor):
    # As after training: no zeros, no identities, and outputs about as large as inputs.
    if tensor.ndim > 1:
        tensor.normal_(std=tensor[0].numel() ** -0.5)
    else:
        tensor.uniform_(0.5, 1.5)


@torch.no_grad()
def without_head(net, head, images):
    """Return what the whole network computes when its last layer does nothing."""
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


def walk(chain, images):
    """Go through a chain stage by stage, and see that each gives what a stage may give."""
    activation = images
    for module in chain.stages.values():
        activation = module(activation)
        assert activation.shape[0] == len(images)
        assert activation.ndim == 2 or activation.ndim == (3 if chain.layout == "NLC" else 4)
    where = {"layout": chain.layout, "prefix_tokens": chain.prefix_tokens}
    assert pool(activation, "mean", **where).ndim == 2
    return chain.pooled(activation)


# --- The networks ---------------------------------------------------------------------------


def test_all_80_names_are_owned_and_others_are_not():
    assert len(NAMES) == len(ROWS) == 80
    assert all(map(_torchvision.owns, NAMES))
    assert not any(map(_torchvision.owns, ["", "resnet", "ResNet18", "raft_small", "r3d_18"]))


@pytest.fixture(scope="module", params=NAMES)
def split(request):
    """Give a name, its network, chain and head; pytest runs all tests of one name in a row."""
    name = request.param
    return name, *(real if name in SMALL else meta)(name)


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
def test_stages_lead_to_the_features_that_the_whole_network_gives_its_head(split):
    name, net, chain, head = split
    images = images_for(name, next(net.parameters()).device)
    features = walk(chain, images)
    assert features.shape == (2, ROWS[name]["feature_size"])
    if name in SMALL:
        assert torch.equal(features, without_head(net, head, images))
        assert features.std() > 1e-4  # it is not all the same number
    else:
        assert head(features).shape == (2, 1000)


def test_stages_have_plain_names(split):
    stages = list(split[2].stages)
    assert stages[0] in ("stem", "block1", "conv1")
    assert all(stage.isidentifier() and stage != "pooled" for stage in stages)


def test_the_row_of_the_table_is_true(split):
    name, _, chain, _ = split
    row, default = ROWS[name], torchvision.models.get_model_weights(name).DEFAULT
    assert row["parameters"] == sum(parameter.numel() for parameter in chain.parameters())
    assert row["input_size"] == default.transforms().crop_size[0]
    assert row["licence"] == ("CC-BY-NC-4.0" if "SWAG" in default.name else UNSTATED)
    assert (row["source"], row["modality"]) == ("torchvision", "image")


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "googlenet", "swin_t", "mnasnet0_5"])
@torch.no_grad()
def test_each_stage_can_be_asked_for_and_leaves_its_input_as_it_was(name):
    chain = real(name)[1]
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
    net, chain, _ = real(name)
    images = images_for(name)
    expected = create_feature_extractor(net, {node: "stage"})(images)["stage"]
    torch.testing.assert_close(chain(images, until=stage), expected, rtol=1e-5, atol=1e-5)


def test_a_vision_transformer_has_a_stage_a_layer_and_pools_its_class_token():
    net = small_transformer()
    chain, head = _torchvision.stages_of(net)
    images = torch.randn(2, 3, 32, 32)
    assert list(chain.stages) == ["stem", "layer1", "layer2", "layer3"]
    assert (chain.layout, chain.prefix_tokens) == ("NLC", 1)
    nodes = {"encoder.layers.encoder_layer_1": "layer2"}
    with torch.no_grad():
        assert torch.equal(chain(images), without_head(net, head, images))
        tokens = create_feature_extractor(net, nodes)(images)["layer2"]
        torch.testing.assert_close(chain(images, until="layer2"), tokens, rtol=1e-5, atol=1e-5)
    assert _torchvision.only_size(net) == 32


def test_a_hidden_layer_of_a_transformers_head_is_a_stage_of_its_own():
    net = small_transformer(representation_size=7)
    chain, head = _torchvision.stages_of(net)
    images = torch.randn(2, 3, 32, 32)
    assert list(chain.stages)[-1] == "projection"
    with torch.no_grad():
        assert torch.equal(chain(images), without_head(net, head, images))
    assert chain(images).shape == (2, 7)


def small_transformer(**options):
    net = torchvision.models.VisionTransformer(32, 8, 3, 2, 16, 32, num_classes=5, **options)
    return net.eval()


def small_vgg(classifier):
    """Return a VGG as its owner has changed it: with a smaller classifier."""
    features = torchvision.models.vgg.make_layers([4, "M", 4, "M", 4, 4, "M"], batch_norm=True)
    with torch.device("meta"):
        net = torchvision.models.VGG(features, num_classes=3, init_weights=False)
    net.classifier = classifier
    return net.eval()


def hidden_layers(n, *last):
    hidden = [nn.Sequential(nn.Linear(196 if i == 0 else 6, 6), nn.ReLU()) for i in range(n)]
    return nn.Sequential(*(layer for pair in hidden for layer in pair), *last)


def test_the_hidden_layers_of_a_vgg_are_stages():
    net = small_vgg(hidden_layers(2, nn.Dropout(), nn.Linear(6, 3)))
    chain, head = _torchvision.stages_of(net)
    images = torch.randn(2, 3, 32, 32)
    assert list(chain.stages) == ["block1", "block2", "block3", "fc6", "fc7"]
    assert head is net.classifier[-1]
    assert torch.equal(chain(images), without_head(net, head, images))
    # A block's output is what its last convolution gives; the pool opens the next stage.
    assert chain(images, until="block3").shape == (2, 4, 8, 8)


@pytest.mark.parametrize(
    "classifier",
    [nn.Identity(), nn.Sequential(), hidden_layers(2), hidden_layers(1, nn.Identity())],
)
def test_all_of_a_network_without_its_last_layer_is_features(classifier):
    net = small_vgg(classifier)
    chain, head = _torchvision.stages_of(net)
    images = torch.randn(2, 3, 32, 32)
    assert head is None
    assert torch.equal(chain(images), net(images))


@pytest.mark.parametrize("name", ["alexnet", "vgg16_bn"])
def test_the_oldest_networks_have_the_names_of_their_papers(name):
    stages = list(meta(name)[1].stages)
    first = {"alexnet": "conv", "vgg16_bn": "block"}[name]
    assert stages == [f"{first}{number}" for number in range(1, 6)] + ["fc6", "fc7"]


def test_a_network_of_the_users_may_have_another_head_or_none():
    net = torchvision.models.resnet18()
    images = torch.randn(2, 3, 64, 64)
    net.fc = nn.Sequential(nn.Dropout(), nn.Linear(512, 4), nn.ReLU(), nn.Linear(4, 2))
    net.eval()
    chain, head = _torchvision.stages_of(net)
    assert head is net.fc[-1]
    assert list(chain.stages)[-1] == "projection"
    assert torch.equal(chain(images), without_head(net, head, images))
    assert chain(images).shape == (2, 4)
    net.fc = nn.Identity()
    assert _torchvision.stages_of(net)[1] is None
    assert _torchvision.stages_of(net)[0](images).shape == (2, 512)


def test_other_classes_are_not_taken_apart_even_if_they_derive_from_ours():
    class Mine(torchvision.models.ResNet):
        pass

    block = torchvision.models.resnet.BasicBlock
    assert _torchvision.stages_of(Mine(block, [1, 1, 1, 1])) is None
    assert _torchvision.stages_of(nn.Sequential(nn.Linear(2, 2))) is None
    assert _torchvision.only_size(Mine(block, [1, 1, 1, 1])) is None


# --- The recipes ----------------------------------------------------------------------------

ALL_WEIGHTS = [
    (name, member.name) for name in NAMES for member in torchvision.models.get_model_weights(name)
]


@pytest.mark.parametrize(("name", "weights"), ALL_WEIGHTS)
def test_the_recipe_is_that_of_the_weights(name, weights):
    preset = torchvision.models.get_model_weights(name)[weights].transforms()
    recipe = _torchvision._recipe(torchvision.models.get_model_weights(name)[weights])
    assert [recipe.size] == [(size, size) for size in preset.crop_size]
    assert [recipe.resize] == preset.resize_size
    assert recipe.interpolation == preset.interpolation.value
    assert (list(recipe.mean), list(recipe.std)) == (preset.mean, preset.std)
    # Pixels that need no resizing: what is left are the crop and the scaling.
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
def test_without_published_weights_the_recipe_is_that_of_the_oldest_smallest(name, size, resize):
    recipe = _torchvision._recipe(_torchvision._chosen(name, None).described)
    assert (recipe.size, recipe.resize) == ((size, size), resize)


def test_maxvit_and_the_vision_transformers_take_only_their_own_size(monkeypatch):
    assert load("maxvit_t").recipe.fixed_size
    assert not load(TINY).recipe.fixed_size
    monkeypatch.setattr(_torchvision, "_build", lambda *args: small_transformer())
    assert load("vit_b_16").recipe.fixed_size


def test_a_vision_transformer_is_built_for_the_size_of_its_weights():
    with torch.device("meta"):
        net = _torchvision._build("vit_b_16", 384, 0)
    assert _torchvision.only_size(net) == 384


# --- The weights ----------------------------------------------------------------------------


def load(name=TINY, weights=None, **options):
    return _torchvision.load(name, weights=weights, modality="image", **options)


def test_random_weights_follow_their_seed_and_leave_torchs_generator_alone():
    state = torch.get_rng_state()
    first, again, other = load(), load(random_state=0), load(random_state=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert first.head is None
    assert first.licence == "none (random weights)"


def test_a_backbone_says_what_it_is():
    backbone = load()
    assert (backbone.name, backbone.source, backbone.modality) == (TINY, "torchvision", "image")
    assert backbone.library == f"torchvision {torchvision.__version__}"
    assert (backbone.feature_size, backbone.n_parameters) == (
        ROWS[TINY]["feature_size"],
        ROWS[TINY]["parameters"],
    )


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_the_inceptions_are_built_without_auxiliary_heads_and_rescale_pixels(name, recwarn):
    backbone = load(name)
    assert backbone.n_parameters == ROWS[name]["parameters"]
    assert isinstance(backbone.network.stages["stem"][0], Apply)
    assert not recwarn.list


def tiny_state(seed=5, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torchvision.models.get_model(TINY, weights=None, **options).state_dict()


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".safetensors"])
def test_a_file_of_weights_is_read(tmp_path, suffix):
    state = tiny_state()
    path = tmp_path / f"mine{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    backbone = load(weights=path)
    assert torch.equal(backbone.network.stages["conv5"][0].weight, state["conv5.0.weight"])
    assert torch.equal(backbone.head.weight, state["fc.weight"])
    assert (backbone.licence, backbone.categories) == ("unknown", ())
    assert backbone.fingerprint == load(weights=str(path)).fingerprint != load().fingerprint


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_wrappers_around_the_weights_are_taken_off(tmp_path, wrapper):
    state = tiny_state()
    torch.save(state, tmp_path / "plain.pth")
    parallel = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({wrapper: parallel, "epoch": 3}, tmp_path / "wrapped.pth")
    plain = load(weights=tmp_path / "plain.pth")
    assert load(weights=tmp_path / "wrapped.pth").fingerprint == plain.fingerprint


def test_a_file_may_have_another_classifier_or_none(tmp_path):
    torch.save(tiny_state(), tmp_path / "same.pth")
    torch.save(tiny_state(num_classes=3), tmp_path / "other.pth")
    cut = {name: tensor for name, tensor in tiny_state().items() if not name.startswith("fc.")}
    torch.save(cut, tmp_path / "none.pth")
    torch.save(tiny_state() | {"aux1.fc1.weight": torch.zeros(2, 2)}, tmp_path / "more.pth")
    none = load(weights=tmp_path / "none.pth")
    assert none.head is None
    assert load(weights=tmp_path / "other.pth").head is None
    assert load(weights=tmp_path / "same.pth").fingerprint == none.fingerprint
    assert load(weights=tmp_path / "more.pth").fingerprint == none.fingerprint


def test_a_file_that_does_not_fit_is_refused_with_the_names(tmp_path):
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
def test_a_file_that_holds_no_weights_is_refused(tmp_path, what):
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
def test_unknown_weights_are_refused_with_the_names_that_exist(weights):
    with pytest.raises(BackboneError, match="'pretrained' and 'IMAGENET1K_V1', 'IMAGENET1K_V2'"):
        load("resnet50", weights)


# --- The published weights ------------------------------------------------------------------


@pytest.mark.parametrize(
    "weights", ["pretrained", "DEFAULT", "IMAGENET1K_V1", "ShuffleNet_V2_X0_5_Weights.DEFAULT"]
)
def test_published_weights_on_this_machine_are_used_even_offline(hub, monkeypatch, weights):
    monkeypatch.setenv("SKTRANSFER_OFFLINE", "1")
    state = tiny_state()
    torch.save(state, hub / "shufflenetv2_x0.5-f707e7126e.pth")
    backbone = load(weights=weights)
    assert torch.equal(backbone.head.weight, state["fc.weight"])
    assert backbone.categories == _torchvision.imagenet_categories()
    assert backbone.licence == UNSTATED
    assert [row["name"] for row in _torchvision.rows() if row["on_this_machine"]] == [TINY]


def test_a_published_file_is_known_by_its_name_wherever_it_lies(tmp_path):
    path = tmp_path / "shufflenetv2_x0.5-f707e7126e.pth"
    torch.save(tiny_state(), path)
    assert load(weights=path).categories == _torchvision.imagenet_categories()
    choice = _torchvision._chosen("resnet50", "elsewhere/resnet50-11ad3fa6.pth")
    assert choice.described.name == "IMAGENET1K_V2"


def test_damaged_published_weights_are_refused(hub):
    (hub / "shufflenetv2_x0.5-f707e7126e.pth").write_bytes(b"not what was published")
    with pytest.raises(WeightsError, match="f707e7126e"):
        load(weights="pretrained")


@pytest.mark.parametrize("variable", ["SKTRANSFER_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_missing_weights_are_an_error_at_once(monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(_torchvision, "_build", lambda *args: pytest.fail("built in vain"))
    with pytest.raises(OfflineError, match=variable) as caught:
        load("resnet50", "pretrained")
    for part in ("ResNet50_Weights.IMAGENET1K_V2", "98 MiB", "resnet50-11ad3fa6.pth"):
        assert part in str(caught.value)
    for way in ("weights=None", "checkpoints", "efficientnet_lite0"):
        assert way in str(caught.value)


@pytest.mark.parametrize(
    "fault", [URLError("no route"), TimeoutError("slow"), ConnectionError(), IncompleteRead(b"")]
)
def test_a_failing_network_is_an_error_that_says_what_to_do(monkeypatch, caplog, hub, fault):
    def fail(*args, **kwargs):
        raise fault

    monkeypatch.setattr(torch.hub, "urlopen", fail)
    with pytest.raises(OfflineError, match=r"could not be fetched.*weights=None"):
        load(weights="pretrained")
    assert "downloads ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1" in caplog.text
    assert "5 MiB" in caplog.text
    assert not list(hub.iterdir())


def test_what_was_fetched_is_used_and_checked(monkeypatch, hub):
    state = tiny_state()

    def fetch(url, path, hash_prefix, progress):
        if hash_prefix != "f707e7126e":
            pytest.fail("the digest in the file's name was not asked for")
        torch.save(state, path)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert torch.equal(load(weights="pretrained").head.weight, state["fc.weight"])
    assert len(list(hub.iterdir())) == 1


def test_another_file_than_was_published_is_refused(monkeypatch, hub):
    def fetch(*args, **kwargs):
        raise RuntimeError('invalid hash value (expected "f707e7126e", got "0")')

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(WeightsError, match="damaged") as caught:
        load(weights="pretrained")
    assert not isinstance(caught.value, OfflineError)


def test_names_of_older_checkpoints_are_understood(hub):
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


def test_names_of_older_transformers_are_understood():
    state = small_transformer().state_dict()
    old = {
        name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): tensor
        for name, tensor in state.items()
    }
    assert old.keys() != state.keys()
    assert _torchvision._renamed(old).keys() == state.keys()


def test_mnasnet_takes_weights_without_version_numbers(tmp_path):
    with torch.random.fork_rng():
        state = torchvision.models.mnasnet0_5(weights=None).state_dict()
    save_file(dict(state), tmp_path / "mnasnet.safetensors")
    backbone = load("mnasnet0_5", tmp_path / "mnasnet.safetensors")
    assert torch.equal(backbone.network.stages["head"][0].weight, state["layers.14.weight"])


def test_weights_whose_classifier_was_never_published_give_the_map_as_features(hub, monkeypatch):
    net = small_vgg(nn.Sequential(nn.Linear(196, 5)))
    state = net.state_dict() | {"classifier.0.weight": torch.full((5, 196), torch.nan)}
    torch.save(state, hub / "vgg16_features-amdegroot-88682ab5.pth")
    monkeypatch.setattr(_torchvision, "_build", lambda *args: net)
    backbone = load("vgg16", "IMAGENET1K_FEATURES")
    assert backbone.stages == ("block1", "block2", "block3")
    assert backbone.head is None
    assert backbone.categories == ()
    assert backbone.extract(torch.randn(1, 3, 64, 64)).isfinite().all()


def test_a_squeezenet_has_no_head_that_its_features_could_be_given_to(hub):
    with torch.random.fork_rng():
        state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    torch.save(state, hub / "squeezenet1_1-b8a52dc0.pth")
    assert load("squeezenet1_1", "pretrained").head is None


def test_there_are_a_thousand_categories_in_imagenets_order():
    categories = _torchvision.imagenet_categories()
    assert len(categories) == 1000
    assert (categories[0], categories[-1]) == ("tench", "toilet tissue")
