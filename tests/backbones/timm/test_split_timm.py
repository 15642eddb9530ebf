"""timm models as backbones: stages, recipes, weights."""

import copy
from types import SimpleNamespace

import pytest
import timm
import torch
from torch import nn

from sktransfer.backbones import ImageRecipe
from sktransfer.backbones import timm as timm_source
from sktransfer.backbones.timm._split_timm import classifiers_of, split
from sktransfer.exceptions import BackboneError

BLOCKS = [f"block{i}" for i in range(1, 13)]
STAGES = [f"stage{i}" for i in range(1, 8)]
LAYERS = [f"layer{i}" for i in range(1, 5)]


def tiny(name, **settings):
    return lambda: timm.create_model(name, num_classes=5, **settings)


def tiny_vgg():
    return timm.models.VGG([4, "M", 8, "M"], num_classes=5, mlp_ratio=0.005)


SWIN = {
    "num_classes": 5,
    "img_size": 56,
    "embed_dim": 16,
    "depths": (1, 1, 1, 1),
    "num_heads": (1, 1, 2, 2),
    "window_size": 7,
}
VIT = {
    "num_classes": 5,
    "img_size": 32,
    "patch_size": 8,
    "embed_dim": 24,
    "depth": 3,
    "num_heads": 2,
}
CROSSVIT = {
    "num_classes": 5,
    "img_size": 32,
    "patch_size": (8, 16),
    "embed_dim": (8, 16),
    "depth": ((1, 1, 0),),
    "num_heads": (2, 2),
    "mlp_ratio": (2.0, 2.0, 4.0),
}

# Per name: how to build the model, its image size, its stages.
MODELS = {
    "efficientnet": (tiny("test_efficientnet"), 64, ["stem", *BLOCKS[:5], "head"]),
    "lite": (tiny("tf_efficientnet_lite0"), 33, ["stem", *BLOCKS[:7], "head"]),
    "mobilenetv3": (tiny("mobilenetv3_small_050"), 64, ["stem", *BLOCKS[:6], "head"]),
    "mobilenetv2": (tiny("mobilenetv2_035"), 64, ["stem", *BLOCKS[:7], "head"]),
    "resnet": (tiny("test_resnet"), 64, ["stem", *LAYERS]),
    "resnetv2": (tiny("resnetv2_18"), 32, ["stem", *STAGES[:4]]),
    "regnet": (tiny("regnetx_002"), 64, ["stem", *STAGES[:4]]),
    "byobnet": (tiny("test_byobnet"), 64, ["stem", *STAGES[:4]]),
    "byobnet with a last convolution": (
        tiny("mobilevit_xxs"),
        64,
        ["stem", *STAGES[:5], "head"],
    ),
    "convnext": (tiny("test_convnext"), 64, ["stem", *STAGES[:4]]),
    "nfnet": (tiny("test_nfnet"), 64, ["stem", *STAGES[:4], "head"]),
    "coatnet": (tiny("test_coatnet", img_size=64), 64, ["stem", *STAGES[:4]]),
    "vit": (lambda: timm.models.VisionTransformer(**VIT), 32, ["stem", *BLOCKS[:3]]),
    "vit averaged": (
        lambda: timm.models.VisionTransformer(global_pool="avg", reg_tokens=2, **VIT),
        32,
        ["stem", *BLOCKS[:3]],
    ),
    "vit with attention pooling": (
        lambda: timm.models.VisionTransformer(global_pool="map", class_token=False, **VIT),
        32,
        ["stem", *BLOCKS[:3]],
    ),
    "deit distilled": (
        lambda: timm.models.VisionTransformerDistilled(**VIT),
        32,
        ["stem", *BLOCKS[:3]],
    ),
    "mixer": (
        lambda: timm.models.MlpMixer(5, img_size=32, patch_size=8, num_blocks=2, embed_dim=16),
        32,
        ["stem", *BLOCKS[:2]],
    ),
    "swin": (lambda: timm.models.SwinTransformer(**SWIN), 56, ["stem", *STAGES[:4]]),
    "swin v2": (lambda: timm.models.SwinTransformerV2(**SWIN), 56, ["stem", *STAGES[:4]]),
    "unknown, densenet": (
        lambda: timm.models.DenseNet(4, (2, 2, 2), num_classes=5),
        32,
        ["features"],
    ),
    "unknown, vgg": (tiny_vgg, 32, ["features"]),
    "unknown, channels last": (tiny("test_mambaout"), 64, ["features"]),
    "unknown, tokens": (
        tiny("test_vit_relpos", img_size=64),
        64,
        ["features"],
    ),
    "unknown, several activations": (
        lambda: timm.models.CrossVit(**CROSSVIT),
        32,
        ["features"],
    ),
}


@pytest.fixture(params=MODELS)
def model(request):
    """Build a random model; return it with test images and its expected stages."""
    build, size, stages = MODELS[request.param]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build().eval()
        for parameter in net.parameters():
            if parameter.ndim < 2:  # so that no norm or scale is 0 or 1
                parameter.data += 0.1 * torch.randn_like(parameter)
        return net, torch.randn(2, 3, size, size), stages


@torch.inference_mode()
def test_features_equal_the_input_of_the_models_classifier(model):
    net, images, _ = model
    own = net.forward_head(net.forward_features(images), pre_logits=True)
    assert own.ndim == 2
    chain = split(net)
    torch.testing.assert_close(chain(images), own, rtol=0, atol=0)


@torch.inference_mode()
def test_a_copy_of_the_chain_does_not_need_the_original(model):
    net, images, _ = model
    chain = split(net)
    before = chain(images)
    other = copy.deepcopy(chain)
    for parameter in net.parameters():
        parameter.zero_()
    torch.testing.assert_close(other(images), before)


@torch.inference_mode()
def test_stages_are_in_order_and_each_can_be_requested(model):
    net, images, names = model
    chain = split(net)
    assert list(chain.stages) == names
    activation = images
    for name, stage in chain.stages.items():
        activation = stage(activation)
        torch.testing.assert_close(chain(images, until=name), activation, rtol=0, atol=0)
    torch.testing.assert_close(chain.pooled(activation), chain(images), rtol=0, atol=0)


def test_every_weight_but_the_classifiers_is_in_one_stage(model):
    net, _, _ = model
    classifier = net.get_classifier()
    several = isinstance(classifier, tuple | nn.ModuleList)
    heads = classifier if several else [classifier]
    wanted = {id(p) for p in net.parameters()}
    wanted -= {id(p) for head in heads for p in head.parameters()}
    chain = split(net)
    places = [*chain.stages.values(), chain.pooled]
    found = [id(p) for place in places for p in place.parameters()]
    assert sorted(found) == sorted(wanted)


@torch.inference_mode()
def test_every_stage_can_be_pooled_to_vectors(model):
    net, images, names = model
    size = tuple(images.shape[2:])
    backbone = timm_source.as_backbone(
        net, name="tiny", recipe=ImageRecipe(size=size, resize=size[0])
    )
    for layer in names:
        features = backbone.extract(images, layer=layer)
        assert features.shape == (2, backbone.width(layer))
        assert len(features.unique()) > 2


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "dla46x_c"])
@torch.inference_mode()
def test_the_classifier_maps_features_to_the_models_scores(name):
    net = timm_source.create(name).eval()
    images = torch.randn(2, 3, 160, 160) if name != "dla46x_c" else torch.randn(2, 3, 64, 64)
    scores = net(images)
    (head,) = classifiers_of(net)
    backbone = timm_source.as_backbone(net, name=name, recipe=ImageRecipe(size=images.shape[2:]))
    features = backbone.extract(images)
    if isinstance(head, nn.Conv2d):
        features = features[..., None, None]
    torch.testing.assert_close(head(features).flatten(1), scores)


def test_a_model_without_classifier_gives_its_features():
    net = timm.create_model("test_resnet", num_classes=0).eval()
    images = torch.randn(2, 3, 160, 160)
    with torch.inference_mode():
        wanted = net(images)
    assert classifiers_of(net) == []
    backbone = timm_source.as_backbone(net, name="x", recipe=ImageRecipe(size=(160, 160)))
    torch.testing.assert_close(backbone.extract(images), wanted)


@torch.inference_mode()
def test_a_subclass_with_its_own_forward_features_is_one_stage():
    class Own(timm.models.ResNet):
        def forward_features(self, x):
            return super().forward_features(x) + 1

    net = Own(timm.models.resnet.BasicBlock, [1, 1, 1, 1], channels=(4, 8, 8, 8)).eval()
    images = torch.randn(2, 3, 64, 64)
    own = net.forward_head(net.forward_features(images), pre_logits=True)
    chain = split(net)
    assert list(chain.stages) == ["features"]
    torch.testing.assert_close(chain(images), own, rtol=0, atol=0)


@torch.inference_mode()
def test_a_model_without_pooling_is_pooled_by_the_mean():
    net = timm.create_model("test_resnet", num_classes=0, global_pool="").eval()
    images = torch.randn(2, 3, 64, 64)
    own = net(images)
    torch.testing.assert_close(split(net)(images), own.mean((2, 3)))


def test_the_recipe_equals_timms_transform():
    checked = set()
    for name in timm.list_pretrained():
        config = timm.models.get_pretrained_cfg(name).to_dict()
        height, width = config["input_size"][1:]
        if config["crop_mode"] == "border" or height != width:
            continue
        net = SimpleNamespace(pretrained_cfg=config)
        recipe = timm_source.recipe_of(net)
        key = (recipe, config["crop_mode"])
        if key in checked:
            continue
        checked.add(key)
        data = timm.data.resolve_model_data_config(net)
        resize, crop, _, normalize = timm.data.create_transform(**data).transforms
        assert (resize.size, tuple(crop.size)) == (recipe.resize, recipe.size)
        assert resize.interpolation.value == recipe.interpolation
        torch.testing.assert_close(normalize.mean, torch.tensor(recipe.mean))
        torch.testing.assert_close(normalize.std, torch.tensor(recipe.std))
    assert len(checked) > 50


def test_a_model_whose_images_are_padded_is_refused():
    net = timm.create_model("test_resnet", pretrained_cfg_overlay={"crop_mode": "border"})
    with pytest.raises(BackboneError, match="sets crop_mode to 'border', which pads"):
        timm_source.recipe_of(net)


def test_the_recipe_follows_the_image_size_of_the_model():
    net = timm.create_model("vit_tiny_patch16_224", img_size=64)
    assert timm_source.recipe_of(net).size == (64, 64)
    assert timm_source.recipe_of(net).fixed_size
    assert not timm_source.recipe_of(timm.create_model("test_resnet")).fixed_size


def test_only_whole_models_are_recognized_as_timms():
    class Wrapped(timm.models.ResNet):
        def forward(self, x):
            return super().forward(x) * 2

    net = timm.create_model("test_resnet")
    assert timm_source.is_whole(net)
    assert not timm_source.is_whole(nn.Sequential(net))
    assert not timm_source.is_whole(timm.create_model("test_resnet", features_only=True))
    assert not timm_source.is_whole(Wrapped(timm.models.resnet.BasicBlock, [1, 1, 1, 1]))
