"""Stages of timm's models.

The forward of a timm model is ``forward_features`` followed by ``forward_head``. For the families
listed here the first calls children one after another, so those children become the stages, and the
rest of the model pools. A model that is not listed, or whose class overrides ``forward_features``,
is one stage, which gives the features.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sktransfer.backbones._network import Chain, Layout, Stages, numbered, pool


@dataclass(frozen=True)
class _Family:
    """Order in which ``forward_features`` calls the children of a model.

    Attributes
    ----------
    stem, body : tuple of str
        Children of the first stage; the stages that follow, or one sequence of them.
    prefix : str
        Name of the stages of the body, before their number from 1.
    last : tuple of str
        Children that belong to the last stage, such as a final norm.
    head : tuple of str
        Children of a separate stage behind the body.
    after : str
        The child that pools; empty for the model's ``forward_head``.
    """

    stem: tuple[str, ...] = ("stem",)
    body: tuple[str, ...] = ("stages",)
    prefix: str = "stage"
    last: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    after: str = ""
    layout: Layout = "NCHW"

    def __call__(self, net: Any) -> Chain:
        body = [getattr(net, name) for name in self.body]
        parts = {"stem": _sequence(net, self.stem)}
        parts |= numbered(self.prefix, body[0] if len(body) == 1 else body)
        _append(parts, _sequence(net, self.last))
        head = _sequence(net, self.head)
        if not isinstance(head, nn.Identity):
            parts["head"] = head
        used = (*self.stem, *self.body, *self.last, *self.head)
        pooled = getattr(net, self.after) if self.after else _without(net, used)
        return Chain(parts, Pooled(pooled, self.layout), layout=self.layout)


class Pooled(nn.Module):
    """Layers of a model between its last stage and its classifier."""

    def __init__(self, net: Any, layout: Layout, prefix_tokens: int = 0) -> None:
        super().__init__()
        self.net = net
        self.layout = layout
        self.prefix_tokens = prefix_tokens

    def forward(self, activation: torch.Tensor) -> torch.Tensor:
        """Return (n, d)."""
        net: Any = self.net
        if hasattr(net, "forward_head"):
            features = net.forward_head(activation, pre_logits=True)
        else:
            features = net(activation)
        # A model built with global_pool="" does not pool.
        return pool(features, "mean", self)


class TokenStem(nn.Module):
    """From an image to the input tokens of the first block of a vision transformer."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (n, tokens, channels)."""
        net: Any = self.net
        return net.norm_pre(net.patch_drop(net._pos_embed(net.patch_embed(images))))


class Features(nn.Module):
    """A whole model as one stage."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (n, d)."""
        net: Any = self.net
        return net.forward_head(net.forward_features(images), pre_logits=True)


def split(net: Any) -> Chain:
    """Return the stages of a timm model, whose classifier becomes an identity.

    Its modules become the stages, without a copy.
    """
    family = _family(net)
    _drop_classifiers(net)
    return family(net) if family else Chain({"features": Features(net)}, nn.Identity())


def _family(net: nn.Module) -> Callable[[Any], Chain] | None:
    for kind in type(net).__mro__:
        if kind.__name__ in _FAMILIES and kind.__module__.startswith("timm."):
            used = type(net)
            ours = used.forward_features is kind.forward_features  # type: ignore[attr-defined]
            head = used.forward_head.__module__.startswith("timm.")  # type: ignore[attr-defined]
            return _FAMILIES[kind.__name__] if ours and head else None
    return None


def classifiers_of(net: Any) -> list[nn.Module]:
    """Return the layers that turn features into scores: one, none, or one a token."""
    found = net.get_classifier()
    parts = found if isinstance(found, (tuple, list, nn.ModuleList)) else [found]
    # Some models name the whole head, which pools as well.
    parts = [part.fc if hasattr(part, "global_pool") else part for part in parts]
    return [part for part in parts if not isinstance(part, nn.Identity)]


def _drop_classifiers(net: Any) -> None:
    # Not timm's reset_classifier, which in some models changes the pooling as well.
    classifiers = {id(part) for part in classifiers_of(net)}
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if id(child) in classifiers:
                setattr(parent, name, nn.Identity())


def _vision_transformer(net: Any) -> Chain:
    embedding = ("patch_embed", "pos_drop", "patch_drop", "norm_pre")
    others = [name for name, _ in net.named_children() if name not in embedding]
    stages: Stages = {"stem": TokenStem(_without(net, others, parameters=True))}
    stages |= numbered("block", net.blocks)
    _append(stages, net.norm)
    prefix = net.num_prefix_tokens
    pooled = Pooled(_without(net, (*embedding, "blocks", "norm")), "NLC", prefix)
    return Chain(stages, pooled, layout="NLC", prefix_tokens=prefix)


def _sequence(net: Any, names: tuple[str, ...]) -> nn.Module:
    parts = [getattr(net, name) for name in names]
    parts = [part for part in parts if not isinstance(part, nn.Identity)]
    if len(parts) == 1:
        return parts[0]
    return nn.Sequential(*parts) if parts else nn.Identity()


def _append(stages: Stages, layer: nn.Module) -> None:
    if not isinstance(layer, nn.Identity):
        name = list(stages)[-1]
        stages[name] = nn.Sequential(stages[name], layer)


def _without(net: nn.Module, names: Any, *, parameters: bool = False) -> nn.Module:
    """Return the model with its methods, without the children `names`.

    The other modules are shared with the model; `parameters` keeps the model's own parameters, such
    as a class token.
    """
    rest = copy.copy(net)
    rest._modules = {n: child for n, child in net._modules.items() if n not in names}
    rest._parameters = dict(net._parameters) if parameters else {}
    return rest


_MOBILE = ("conv_stem", "bn1")

# By the name of the class in timm, so that timm is not imported here.
_FAMILIES: dict[str, Callable[[Any], Chain]] = {
    "EfficientNet": _Family(_MOBILE, ("blocks",), "block", head=("conv_head", "bn2")),
    # These pool before their last convolution, which is a stage all the same.
    "MobileNetV3": _Family(
        _MOBILE,
        ("blocks",),
        "block",
        head=("global_pool", "conv_head", "norm_head", "act2"),
        after="flatten",
    ),
    "ResNet": _Family(
        ("conv1", "bn1", "act1", "maxpool"), ("layer1", "layer2", "layer3", "layer4"), "layer"
    ),
    "ResNetV2": _Family(last=("norm",)),
    "RegNet": _Family(body=("s1", "s2", "s3", "s4"), head=("final_conv",)),
    "ByobNet": _Family(head=("final_conv",)),
    "ConvNeXt": _Family(last=("norm_pre",)),
    "EdgeNeXt": _Family(last=("norm_pre",)),
    "DaVit": _Family(last=("norm_pre",)),
    "MaxxVit": _Family(last=("norm",)),
    "NormFreeNet": _Family(head=("final_conv", "final_act")),
    "CspNet": _Family(),
    "HighPerfGpuNet": _Family(),
    "MetaFormer": _Family(),
    "PyramidVisionTransformerV2": _Family(stem=("patch_embed",)),
    "SwinTransformer": _Family(("patch_embed",), ("layers",), last=("norm",), layout="NHWC"),
    "SwinTransformerV2": _Family(("patch_embed",), ("layers",), last=("norm",), layout="NHWC"),
    "MlpMixer": _Family(body=("blocks",), prefix="block", last=("norm",), layout="NLC"),
    "VisionTransformer": _vision_transformer,
}
