"""Stages of torchvision's classification networks, one function per family.

A function reads attributes of a network that exists, so torchvision is not imported here. A layer
that downsamples between two blocks begins the stage behind it, so that the output of a stage has
the resolution of its last convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import nn

from sktransfer.backbones._network import Apply, Chain, Layout, Stages, cut, numbered
from sktransfer.modalities.image import IMAGENET_MEAN, IMAGENET_STD


class Parts(NamedTuple):
    """A network divided by the function of its family.

    Attributes
    ----------
    stages : dict of str to nn.Module
        All layers up to the last map, or the last tokens.
    link : sequence of nn.Module
        Layers between the last stage and the classifier: final norm, pooling, flattening.
    classifier : nn.Module
        The network's own classifier, often more than its last layer.
    inner, first : str and int
        Name and first number of the classifier's hidden layers, which become stages too.
    layout, prefix_tokens
        See `StagedNetwork`.
    """

    stages: Stages
    link: Sequence[nn.Module]
    classifier: nn.Module
    inner: str = "projection"
    first: int = 1
    layout: Layout = "NCHW"
    prefix_tokens: int = 0


def stages_of(net: nn.Module) -> tuple[Chain, nn.Module | None] | None:
    """Return the stages and the last layer of a torchvision classification network.

    Parameters
    ----------
    net : nn.Module
        Built by torchvision's builders or by hand. Its modules are used without a copy.

    Returns
    -------
    (chain, head) or None
        The chain computes exactly the input of the last layer of `net`, and holds each parameter
        once. `head` is that last layer, or None where the network does not end in one because its
        owner has removed or changed it; its output is then the features. Auxiliary classifiers,
        which are for training only, are in neither.
        None if the class of `net` is not one of torchvision. A subclass is not, because its
        forward may differ.
    """
    kind = type(net)
    if not kind.__module__.startswith("torchvision.models.") or kind.__name__ not in FAMILIES:
        return None
    parts = FAMILIES[kind.__name__](net)
    layers = _layers(parts.classifier)
    head = layers.pop() if layers and _mixes(layers[-1]) else None
    hidden, pooled = _behind([*parts.link, *layers])
    inner = {
        parts.inner if number == 1 else f"{parts.inner}{number}": layer
        for number, layer in enumerate(hidden, parts.first)
    }
    chain = Chain(
        parts.stages | inner, pooled, layout=parts.layout, prefix_tokens=parts.prefix_tokens
    )
    return chain, head


def only_size(net: nn.Module) -> int | None:
    """Return the only image size, in pixels, that a network takes; None if it takes any."""
    attributes: Any = net
    if type(net).__name__ == "VisionTransformer":
        return attributes.image_size
    if type(net).__name__ == "MaxVit":
        # The stem and the first block each halve the image before the first grid is laid.
        return 4 * attributes.blocks[0].grid_size[0]
    return None


def _resnet(net: Any) -> Parts:
    stem = _stem(net.conv1, net.bn1, net.relu, net.maxpool)
    layers = _named(net, "layer", "1 2 3 4")
    return Parts(stem | layers, [net.avgpool, nn.Flatten()], net.fc)


def _vgg(net: Any) -> Parts:
    *blocks, pool = cut(net.features, lambda _, layer: _is_pool(layer))
    link = [pool, net.avgpool, nn.Flatten()]
    return Parts(numbered("block", blocks), link, net.classifier, inner="fc", first=6)


def _alexnet(net: Any) -> Parts:
    *convolutions, pool = cut(net.features, _pools_or_mixes)
    link = [pool, net.avgpool, nn.Flatten()]
    return Parts(numbered("conv", convolutions), link, net.classifier, inner="fc", first=6)


def _convnext(net: Any) -> Parts:
    stem, *rest = net.features
    return Parts(_stem(stem) | _downsampled("stage", rest), [net.avgpool], net.classifier)


def _densenet(net: Any) -> Parts:
    conv, norm, relu, pool, *blocks, last_norm = net.features
    link = [last_norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    stages = _stem(conv, norm, relu, pool) | _downsampled("dense", blocks)
    return Parts(stages, link, net.classifier)


def _googlenet(net: Any) -> Parts:
    first = net.conv1, net.maxpool1, net.conv2, net.conv3, net.maxpool2
    stages = _stem(*_rescaling(net), *first)
    stages |= _named(net, "inception", "3a 3b 4a 4b 4c 4d 4e 5a 5b")
    stages["inception4a"] = nn.Sequential(net.maxpool3, net.inception4a)
    stages["inception5a"] = nn.Sequential(net.maxpool4, net.inception5a)
    return Parts(stages, [net.avgpool, nn.Flatten(), net.dropout], net.fc)


def _inception(net: Any) -> Parts:
    first = net.Conv2d_1a_3x3, net.Conv2d_2a_3x3, net.Conv2d_2b_3x3, net.maxpool1
    second = net.Conv2d_3b_1x1, net.Conv2d_4a_3x3, net.maxpool2
    stages = _stem(*_rescaling(net), *first, *second)
    stages |= _named(net, "Mixed_", "5b 5c 5d 6a 6b 6c 6d 6e 7a 7b 7c")
    return Parts(stages, [net.avgpool, net.dropout, nn.Flatten()], net.fc)


def _maxvit(net: Any) -> Parts:
    return Parts(_stem(net.stem) | numbered("block", net.blocks), [], net.classifier)


def _mnasnet(net: Any) -> Parts:
    layers = list(net.layers)
    # A flat sequence: three layers of the stem, five of a first block, which is separable but not
    # inverted, the inverted blocks, and three of the last convolution.
    stem, first, last = layers[:3], layers[3:8], layers[-3:]
    row = [nn.Sequential(*stem), nn.Sequential(*first), *layers[8:-3], nn.Sequential(*last)]
    return Parts(_mobile(row), [Apply(_mean)], net.classifier)


def _mobile_net(net: Any) -> Parts:
    # MobileNetV2 pools by a function, later networks by a module.
    pool = getattr(net, "avgpool", nn.AdaptiveAvgPool2d(1))
    return Parts(_mobile(net.features), [pool, nn.Flatten()], net.classifier)


def _regnet(net: Any) -> Parts:
    blocks = dict(net.trunk_output.named_children())
    return Parts(_stem(net.stem) | blocks, [net.avgpool, nn.Flatten()], net.fc)


def _shufflenet(net: Any) -> Parts:
    stages = _stem(net.conv1, net.maxpool) | _named(net, "stage", "2 3 4")
    return Parts(stages | {"conv5": net.conv5}, [Apply(_mean)], net.fc)


def _squeezenet(net: Any) -> Parts:
    stem, *fires = cut(net.features, _pools_or_mixes)
    # The classifier is a convolution; the layers behind it turn its map into a vector.
    layers = _layers(net.classifier)
    convolutions = [layer for layer in layers if _mixes(layer)]
    link = [*(layer for layer in layers if layer not in convolutions), nn.Flatten()]
    stages = _stem(stem) | numbered("fire", fires, start=2)
    return Parts(stages, link, nn.Sequential(*convolutions))


def _swin(net: Any) -> Parts:
    stem, *rest = net.features
    link = [net.norm, net.permute, net.avgpool, net.flatten]
    return Parts(_stem(stem) | _downsampled("stage", rest), link, net.head, layout="NHWC")


def _vision_transformer(net: Any) -> Parts:
    stages = _stem(_Tokens(net)) | numbered("layer", net.encoder.layers)
    link = [net.encoder.ln, Apply(_class_token)]
    return Parts(stages, link, net.heads, layout="NLC", prefix_tokens=1)


#: The function of each family, by the name of its class.
FAMILIES: dict[str, Callable[[Any], Parts]] = {
    "AlexNet": _alexnet,
    "ConvNeXt": _convnext,
    "DenseNet": _densenet,
    "EfficientNet": _mobile_net,
    "GoogLeNet": _googlenet,
    "Inception3": _inception,
    "MNASNet": _mnasnet,
    "MaxVit": _maxvit,
    "MobileNetV2": _mobile_net,
    "MobileNetV3": _mobile_net,
    "RegNet": _regnet,
    "ResNet": _resnet,
    "ShuffleNetV2": _shufflenet,
    "SqueezeNet": _squeezenet,
    "SwinTransformer": _swin,
    "VGG": _vgg,
    "VisionTransformer": _vision_transformer,
}


class _Tokens(nn.Module):
    """Patches with their positions, behind the class token."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.conv_proj = net.conv_proj
        self.class_token = net.class_token
        self.pos_embedding = net.encoder.pos_embedding
        self.dropout = net.encoder.dropout

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        patches = self.conv_proj(images).flatten(2).transpose(1, 2)
        # Not len(patches), which a trace would record as a constant.
        first = self.class_token.expand(patches.shape[0], -1, -1)
        return self.dropout(torch.cat([first, patches], 1) + self.pos_embedding)


def _class_token(tokens: torch.Tensor) -> torch.Tensor:
    return tokens[:, 0]


def _mean(maps: torch.Tensor) -> torch.Tensor:
    return maps.mean([2, 3])


def _to_tensorflow(images: torch.Tensor) -> torch.Tensor:
    # The weights of the two Inceptions come from TensorFlow, which scales pixels to [-1, 1].
    scale = images.new_tensor([std / 0.5 for std in IMAGENET_STD]).view(-1, 1, 1)
    shift = images.new_tensor([(mean - 0.5) / 0.5 for mean in IMAGENET_MEAN]).view(-1, 1, 1)
    return images * scale + shift


def _rescaling(net: Any) -> list[nn.Module]:
    return [Apply(_to_tensorflow)] if net.transform_input else []


def _stem(*layers: nn.Module) -> Stages:
    return {"stem": layers[0] if len(layers) == 1 else nn.Sequential(*layers)}


def _named(net: nn.Module, kind: str, endings: str) -> Stages:
    return {f"{kind}{ending}": getattr(net, f"{kind}{ending}") for ending in endings.split()}


def _mobile(features: Iterable[nn.Module]) -> Stages:
    """Name the parts of mobile networks: a stem, blocks, and one wide convolution."""
    stem, *blocks, head = features
    return _stem(stem) | numbered("block", blocks) | {"head": head}


def _downsampled(kind: str, layers: Sequence[nn.Module]) -> Stages:
    """Join each downsampling, which is every second layer, with the blocks behind it."""
    first, *rest = layers
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return numbered(kind, [first, *(nn.Sequential(*pair) for pair in pairs)])


def _is_pool(layer: nn.Module) -> bool:
    return isinstance(layer, nn.MaxPool2d)


def _pools_or_mixes(previous: nn.Module, layer: nn.Module) -> bool:
    return _is_pool(layer) or (_mixes(layer) and not _is_pool(previous))


def _behind(layers: Sequence[nn.Module]) -> tuple[list[nn.Sequential], nn.Module]:
    """Return a stage per hidden layer of the classifier, and the pooling where there is none."""
    place = [number for number, layer in enumerate(layers) if _mixes(layer)]
    if not place:
        return [], nn.Sequential(*layers)
    bounds = [0, *place[1:], len(layers)]
    groups = [nn.Sequential(*layers[a:b]) for a, b in pairwise(bounds)]
    return groups, nn.Identity()


def _layers(classifier: nn.Module) -> list[nn.Module]:
    return list(classifier) if isinstance(classifier, nn.Sequential) else [classifier]


def _mixes(layer: nn.Module) -> bool:
    """Return whether a layer mixes features, as a Linear does and a norm or a pooling does not."""
    return any(parameter.ndim > 1 for parameter in layer.parameters())
