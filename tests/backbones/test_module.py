"""The user's own modules as backbones."""

import copy

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

from sktransfer import AudioClassifier, AudioEmbedder
from sktransfer.backbones import AudioRecipe, ImageRecipe, get_backbone
from sktransfer.exceptions import BackboneError
from tests._tiny import sounds

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
SMALL = ImageRecipe(size=(32, 32), resize=36)


class Own(nn.Module):
    """A network that applies `ending` to a map (n, 4, 4, 4)."""

    def __init__(self, ending=lambda maps: maps):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 8, stride=8)
        self.ending = ending

    def forward(self, images):
        return self.ending(self.conv(images))


def with_recipe(module, recipe=SMALL):
    module.recipe = recipe
    return module


def load(module):
    return get_backbone(module, modality="image")


@torch.inference_mode()
def test_any_module_is_one_stage_and_its_maps_are_averaged():
    net = with_recipe(Own())
    backbone = load(net)
    assert (backbone.name, backbone.source, backbone.stages) == ("Own", "module", ("network",))
    torch.testing.assert_close(backbone.extract(IMAGES), net(IMAGES).mean((2, 3)))
    torch.testing.assert_close(
        backbone.extract(IMAGES, layer="network", pooling="max"), net(IMAGES).amax((2, 3))
    )


@torch.inference_mode()
def test_vectors_are_the_features_and_tokens_are_averaged():
    vectors = with_recipe(Own(lambda maps: maps.flatten(1)))
    torch.testing.assert_close(load(vectors).extract(IMAGES), vectors(IMAGES))
    tokens = with_recipe(Own(lambda maps: maps.flatten(2).transpose(1, 2)))
    torch.testing.assert_close(load(tokens).extract(IMAGES), tokens(IMAGES).mean(1))


@torch.inference_mode()
def test_the_children_of_a_sequence_are_its_stages():
    net = nn.Sequential()
    net.add_module("conv", nn.Conv2d(3, 4, 8, stride=8))
    net.add_module("1", nn.Flatten())
    net.add_module("2", nn.Linear(64, 5))
    backbone = load(with_recipe(net))
    assert backbone.stages == ("conv", "stage1", "stage2")
    torch.testing.assert_close(backbone.extract(IMAGES), net(IMAGES))
    torch.testing.assert_close(backbone.extract(IMAGES, layer=0), net[0](IMAGES).mean((2, 3)))


@torch.inference_mode()
def test_a_sequence_with_its_own_forward_is_one_stage():
    class Doubled(nn.Sequential):
        def forward(self, images):
            return 2 * super().forward(images)

    net = with_recipe(Doubled(nn.Conv2d(3, 4, 8)))
    assert load(net).stages == ("network",)
    torch.testing.assert_close(load(net).extract(IMAGES), net(IMAGES).mean((2, 3)))
    hooked = with_recipe(nn.Sequential(nn.Conv2d(3, 4, 8)))
    hooked.register_forward_hook(lambda module, args, output: output * 2)
    assert load(hooked).stages == ("network",)
    torch.testing.assert_close(load(hooked).extract(IMAGES), hooked(IMAGES).mean((2, 3)))


def test_the_users_object_is_not_changed():
    net = with_recipe(nn.Sequential(nn.Conv2d(3, 4, 8), nn.BatchNorm2d(4), nn.Dropout()).double())
    before = copy.deepcopy(net.state_dict())
    backbone = load(net)
    backbone.extract(IMAGES)
    assert net.training
    assert net[1].training
    assert all(p.requires_grad and p.dtype == torch.float64 for p in net.parameters())
    assert all(p.grad is None for p in net.parameters())
    assert net[0].weight.is_contiguous()
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    with torch.no_grad():
        net[0].weight.zero_()
    assert backbone.network.stages["stage0"].weight.abs().sum() > 0


def test_without_a_recipe_images_are_prepared_as_for_imagenet():
    assert load(Own()).recipe == ImageRecipe()
    assert load(with_recipe(Own())).recipe == SMALL


def test_the_same_module_with_another_recipe_is_another_backbone():
    net = Own()
    first = load(with_recipe(net))
    assert load(net) is first
    other = load(with_recipe(net, ImageRecipe(size=(64, 64), resize=64)))
    assert other.recipe.size == (64, 64)
    assert other.fingerprint != first.fingerprint


@torch.inference_mode()
def test_a_torchvision_network_keeps_its_stages_and_its_classifier():
    net = torchvision.models.resnet18(num_classes=4).eval()
    backbone = load(net)
    assert "layer4" in backbone.stages
    assert backbone.feature_size == 512
    torch.testing.assert_close(net.fc(backbone.extract(IMAGES)), net(IMAGES))
    assert net.fc.out_features == 4


@torch.inference_mode()
def test_a_timm_model_keeps_its_stages_its_classifier_and_its_recipe():
    net = timm.create_model("test_resnet", num_classes=4).eval()
    backbone = load(net)
    assert backbone.stages == ("stem", "layer1", "layer2", "layer3", "layer4")
    assert backbone.recipe.size == (160, 160)
    torch.testing.assert_close(net.fc(backbone.extract(IMAGES)), net(IMAGES))
    assert net.fc.out_features == 4


@torch.inference_mode()
def test_a_vision_transformer_of_transformers_keeps_its_stages():
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
    )
    net = ViTModel(config).eval()
    backbone = load(net)
    assert len(backbone.stages) >= 2
    assert backbone.recipe.size == (32, 32)
    own = net(IMAGES).last_hidden_state[:, 0]
    torch.testing.assert_close(backbone.extract(IMAGES, layer=-1, pooling="cls"), own)
    assert not any(module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (lambda maps: (maps, maps), "returns a tuple"),
        (lambda maps: {"maps": maps}, "returns a dict"),
        (lambda maps: maps.mean(), r"shape \(\)"),
        (lambda maps: maps.flatten(1).sum(1), r"shape \(2,\)"),
        (lambda maps: maps.mean((0, 2)), r"shape \(4, 4\) for 2 rows"),
        (lambda maps: maps[None], r"shape \(1, 2, 4, 4, 4\)"),
        (lambda maps: maps[1:], r"shape \(1, 4\) for 2 rows"),
        (lambda maps: torch.cat([maps, maps]), r"shape \(4, 4\) for 2 rows"),
        (lambda maps: maps[:, :0], r"shape \(2, 0\) for 2 rows"),
        (lambda maps: maps.flatten(1) > 0, "bool"),
        (lambda maps: maps.flatten(1).long(), "int64"),
        (lambda maps: maps.flatten(1).to(torch.complex64), "complex64"),
        (lambda maps: maps.flatten(1).to_sparse(), "sparse_coo"),
        (lambda maps: maps.flatten(1).to("meta"), "meta"),
        (lambda maps: maps.numpy(), "returns a ndarray"),
    ],
)
def test_an_output_that_is_not_one_vector_per_row_is_refused(ending, told):
    with pytest.raises(BackboneError, match=told):
        load(with_recipe(Own(ending)))


def test_a_module_that_does_not_accept_images_is_refused_with_its_own_error():
    net = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.Flatten(), nn.Linear(64, 6))
    message = r"Sequential does not take images of shape \(3, 224, 224\).*shapes cannot be mult.*image_size"
    with pytest.raises(BackboneError, match=message):
        load(net)
    assert load(with_recipe(net)).feature_size == 6


def test_a_module_that_cannot_be_copied_is_refused():
    net = with_recipe(Own())
    net.cached = net.conv.weight * 2  # not a leaf: it has a grad_fn
    with pytest.raises(BackboneError, match="Own cannot be copied"):
        load(net)


def test_a_module_is_refused_for_texts():
    with pytest.raises(BackboneError, match="tokenizer"):
        get_backbone(Own(), modality="text")


WRAPPERS = {
    "DataParallel": (nn.DataParallel, r"module\.module"),
    "OptimizedModule": (torch.compile, r"module\._orig_mod"),
    "AveragedModel": (torch.optim.swa_utils.AveragedModel, r"module\.module"),
    "ModelEmaV3": (timm.utils.ModelEmaV3, r"module\.module"),
    "ScriptModule": (lambda net: torch.jit.trace(net.eval(), IMAGES), "scripted or traced"),
}


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.parametrize(("name", "wrap", "advice"), [(n, *w) for n, w in WRAPPERS.items()])
def test_a_wrapper_is_refused_with_what_to_pass_instead(name, wrap, advice):
    wrapped = wrap(torchvision.models.resnet18())
    with pytest.raises(BackboneError, match=f"The wrapper {name} cannot be a backbone.*{advice}"):
        load(wrapped)


def test_a_subclass_of_a_wrapper_is_refused():
    class Own(nn.DataParallel):
        def forward(self, images):
            return self.module(images)[:, :5]

    with pytest.raises(BackboneError, match="DataParallel cannot be a backbone"):
        load(Own(torchvision.models.resnet18()))


def test_distributed_data_parallel_is_refused(tmp_path):
    store = f"file://{tmp_path}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    try:
        with pytest.raises(BackboneError, match=r"DistributedDataParallel.*module\.module"):
            load(nn.parallel.DistributedDataParallel(torchvision.models.resnet18()))
    finally:
        torch.distributed.destroy_process_group()


def test_an_adapter_of_peft_is_refused():
    peft = pytest.importorskip("peft")
    net = peft.get_peft_model(
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)),
        peft.LoraConfig(target_modules=["1"]),
    )
    with pytest.raises(BackboneError, match=r"PeftModel cannot.*merge_and_unload\(\)"):
        load(net)


@pytest.mark.parametrize("place", ["", "features"])
def test_hooks_that_stages_would_bypass_are_refused(place):
    net = torchvision.models.mobilenet_v2().eval()
    for kept in (net.features[3], net.classifier[1]):
        kept.register_forward_hook(lambda module, args, output: output)
    load(net)
    net.get_submodule(place).register_forward_pre_hook(lambda module, args: (2 * args[0],))
    with pytest.raises(BackboneError, match=f"of {place or 'the network itself'} would not be"):
        load(net)


def test_a_replaced_forward_that_stages_would_bypass_is_refused():
    net = torchvision.models.resnet18().eval()
    net.forward = lambda images: 2 * type(net).forward(net, images)
    with pytest.raises(BackboneError, match="replaced forward of the network itself"):
        load(net)


class Waves(nn.Module):
    """A network of waveforms (n, samples); 8 channels a position, as the default recipe has."""

    def __init__(self, ending=lambda states: states):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(1, 8, 400, 320)
        self.ending = ending

    def forward(self, inputs):
        waveform = inputs if isinstance(inputs, torch.Tensor) else inputs["waveform"]
        return self.ending(self.conv(waveform[:, None]).relu().transpose(1, 2))


class Channel(nn.Module):
    """Waveforms (n, samples) as one channel."""

    def forward(self, waveform):
        return waveform[:, None]


class Turned(nn.Module):
    def forward(self, states):
        return states.transpose(1, 2)


CLIPS = [*sounds(5), sounds(1)[0][:100], sounds(1)[0][:401]]
PLAIN = {"sampling_rate": 16_000, "cache": False}
WAVES = {
    "of one length": Waves(),
    "vectors": Waves(lambda states: states.amax(1)),
    "masked": with_recipe(Waves(), AudioRecipe(masked=True)),
    "filled": with_recipe(Waves(), AudioRecipe(fill="silence", longest=8_000)),
    "filled and masked": with_recipe(
        Waves(), AudioRecipe(fill="repeat", longest=8_000, masked=True)
    ),
    "standardized": with_recipe(Waves(), AudioRecipe(standardize=True)),
    "children": nn.Sequential(Channel(), nn.Conv1d(1, 8, 400, 320), Turned(), nn.Linear(8, 6)),
}


@pytest.mark.parametrize("kind", WAVES)
def test_rows_of_sounds_do_not_depend_on_their_neighbours(kind):
    for layer in ("pooled", -1):
        embedder = AudioEmbedder(WAVES[kind], layer=layer, **PLAIN).fit(CLIPS)
        alone = np.concatenate([embedder.transform([clip]) for clip in CLIPS])
        np.testing.assert_allclose(embedder.transform(CLIPS), alone, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["of one length", "masked"])
def test_sounds_are_averaged_over_their_own_positions(kind):
    net, found = Waves(), AudioEmbedder(WAVES[kind], **PLAIN).fit_transform(CLIPS[:5])
    with torch.inference_mode():
        wanted = [net(torch.from_numpy(clip)[None]).mean(1)[0].numpy() for clip in CLIPS[:5]]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", WAVES)
def test_networks_of_sounds_are_trained_as_they_predict(kind):
    """Neither kept outputs nor the rows of a batch change what a row is in training."""
    options = {"max_epochs": 2, "trainable": "all", "random_state": 0, **PLAIN}
    clips, y = CLIPS[:5] + CLIPS[:5], list("ababb") * 2
    model = AudioClassifier(WAVES[kind], batch_size=16, **options).fit(clips, y)
    repeated = AudioClassifier(WAVES[kind], batch_size=16, **options, reuse_activations=False)
    np.testing.assert_array_equal(
        repeated.fit(clips, y).predict_proba(clips), model.predict_proba(clips)
    )
    features = model.module_.features(_inputs(model, CLIPS[:5]))
    np.testing.assert_allclose(features.detach(), model.transform(CLIPS[:5]), atol=1e-6)


def _inputs(model, clips):
    return model._modality().recipe(get_backbone(model.backbone, modality="audio")).inputs(clips)


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (lambda states: (states, 1), "returns a tuple"),
        (lambda states: {"states": states}, "returns a dict"),
        (lambda states: states[0], "for 2 rows"),
        (lambda states: states.long().sum(1), "int64"),
        (lambda states: states[..., None, None, None], "returns a tensor"),
        (lambda states: states.transpose(1, 2), "4 features of 1360 samples, and 10 of 3280"),
    ],
)
def test_other_outputs_for_sounds_are_refused(ending, message):
    with pytest.raises(BackboneError, match=f"Waves {message}|{message}"):
        get_backbone(Waves(ending), modality="audio")


def test_positions_that_are_not_those_of_the_recipe_are_refused():
    half = Waves(lambda states: states[:, ::2])
    half.recipe = AudioRecipe(masked=True)
    with pytest.raises(BackboneError, match="2 positions in time, and 4 by the window and hop"):
        get_backbone(half, modality="audio")
    half.recipe = AudioRecipe(window=720, hop=640, masked=True)
    assert get_backbone(half, modality="audio").feature_size == 8


def test_a_stage_with_time_on_its_last_axis_is_refused():
    embedder = AudioEmbedder(WAVES["children"], layer=1, **PLAIN)
    with pytest.raises(BackboneError, match="one vector per row, always of the same length"):
        embedder.fit_transform(CLIPS)


@pytest.mark.parametrize("wrong", [{"hop": 0}, {"window": 9, "longest": 8}, {"fill": "noise"}])
def test_a_recipe_of_sounds_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(BackboneError, match="is no recipe of sounds"):
        get_backbone(with_recipe(Waves(), AudioRecipe(**wrong)), modality="audio")


def test_a_recipe_of_images_is_refused_for_sounds():
    with pytest.raises(BackboneError, match="AudioRecipe"):
        get_backbone(with_recipe(Waves()), modality="audio")


def test_a_network_that_takes_no_waveforms_is_refused():
    with pytest.raises(BackboneError, match=r"does not take sounds of shape \(1360,\)"):
        get_backbone(nn.Conv1d(1, 4, 3), modality="audio")
