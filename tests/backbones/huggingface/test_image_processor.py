"""Recipes give the pixels that the Pillow processors of transformers give."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image

from sktransfer.backbones import ImageRecipe
from sktransfer.backbones.huggingface._image_processor import image_recipe
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.image._geometry import Geometry, fit
from tests.backbones._huggingface_folders import write_json

PROCESSORS = {
    "vit": hf.ViTImageProcessorPil(),
    "vit 384": hf.ViTImageProcessorPil(size={"height": 384, "width": 384}, resample=3),
    "vit bare": hf.ViTImageProcessorPil(do_normalize=False),
    "vit other factor": hf.ViTImageProcessorPil(rescale_factor=1 / 127.5, image_mean=[1.0] * 3),
    "clip": hf.CLIPImageProcessorPil(),
    "clip without crop": hf.ViTImageProcessorPil(size={"height": 224, "width": 200}),
    "dinov2": hf.BitImageProcessorPil(size={"shortest_edge": 256}),
    "deit": hf.DeiTImageProcessorPil(),
    "siglip": hf.SiglipImageProcessorPil(),
    "resnet": hf.ConvNextImageProcessorPil(size={"shortest_edge": 224}, resample=2),
    "convnext 288": hf.ConvNextImageProcessorPil(size={"shortest_edge": 288}, crop_pct=0.9),
    "convnext 384": hf.ConvNextImageProcessorPil(size={"shortest_edge": 384}),
}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def recipe_of(folder: Any, **content: Any) -> ImageRecipe:
    write_json(folder / "preprocessor_config.json", **content)
    return image_recipe(folder, SimpleNamespace(image_size=32), fixed_size=False)


def ours(recipe: ImageRecipe, image: Image.Image) -> torch.Tensor:
    geometry = Geometry(recipe.resize, recipe.size, recipe.interpolation)
    return recipe.scale(torch.from_numpy(np.asarray(fit(image, geometry)).copy())[None])


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("size", [(500, 376), (300, 420)])
def test_pixels_equal_those_of_the_processor_within_one_grey_level(name, size, tmp_path):
    processor = PROCESSORS[name]
    processor.save_pretrained(tmp_path)
    recipe = image_recipe(tmp_path, SimpleNamespace(), fixed_size=False)
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    wanted = processor(image, return_tensors="pt")["pixel_values"]
    got = ours(recipe, image)
    assert got.shape == wanted.shape
    level = 1 / 255 / torch.tensor(recipe.std).view(-1, 1, 1)
    assert ((got - wanted).abs() <= 1.001 * level).all()


@pytest.mark.parametrize("kind", ["Bit", "CLIP", "ConvNext", "DeiT", "Siglip", "ViT", "DINOv3ViT"])
def test_a_missing_setting_means_the_default_of_its_class(kind, tmp_path):
    full, silent = tmp_path / "full", tmp_path / "silent"
    processor = getattr(hf, f"{kind}ImageProcessorPil", None) or getattr(
        hf, f"{kind}ImageProcessor"
    )
    processor().save_pretrained(full)
    recipe = image_recipe(full, SimpleNamespace(), fixed_size=False)
    for ending in ("ImageProcessor", "FeatureExtractor", "ImageProcessorFast"):
        assert recipe_of(silent, image_processor_type=kind + ending) == recipe


def test_sizes_in_old_files_are_a_square_or_a_shorter_side(tmp_path):
    square = recipe_of(tmp_path, feature_extractor_type="ViTFeatureExtractor", size=224)
    assert (square.size, square.resize) == ((224, 224), (224, 224))
    short = recipe_of(
        tmp_path, feature_extractor_type="CLIPFeatureExtractor", size=224, crop_size=200
    )
    assert (short.size, short.resize) == ((200, 200), 224)
    convnext = recipe_of(
        tmp_path, feature_extractor_type="ConvNextFeatureExtractor", size=224, crop_pct=0.875
    )
    assert (convnext.size, convnext.resize) == ((224, 224), 256)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("image_mean", "x"),
        ("image_mean", [0.5]),
        ("image_std", 0.5),
        ("image_std", [0, 1, 1]),
        ("rescale_factor", "x"),
        ("rescale_factor", True),
    ],
)
def test_settings_of_a_wrong_kind_are_named(setting, value, tmp_path):
    with pytest.raises(BackboneError, match=f"sets {setting} to"):
        recipe_of(tmp_path, image_processor_type="ViTImageProcessor", **{setting: value})


def test_null_means_the_default(tmp_path):
    stated = {"image_processor_type": "ViTImageProcessorFast", "size": 96, **IMAGENET}
    silent = recipe_of(tmp_path, **stated)
    assert (
        recipe_of(tmp_path, **stated, crop_size=None, do_center_crop=None, resample=None) == silent
    )


def test_processors_in_one_file_are_read(tmp_path):
    write_json(tmp_path / "processor_config.json", image_processor={"size": 96, **IMAGENET})
    recipe = image_recipe(tmp_path, SimpleNamespace(), fixed_size=True)
    assert recipe == ImageRecipe(size=(96, 96), resize=(96, 96), fixed_size=True)


def test_without_a_file_the_recipe_is_imagenet_at_the_size_of_the_config(tmp_path):
    recipe = image_recipe(tmp_path, SimpleNamespace(image_size=112), fixed_size=True)
    assert recipe == ImageRecipe(size=(112, 112), resize=128, fixed_size=True)


def test_an_unknown_filter_is_named(tmp_path):
    with pytest.raises(BackboneError, match="resample=9"):
        recipe_of(tmp_path, resample=9)


@pytest.mark.parametrize(
    "setting",
    [
        {"do_resize": False},
        {"do_pad": True},
        {"do_flip_channel_order": True},
        {"keep_aspect_ratio": True, "image_processor_type": "DPTImageProcessor"},
        {"do_thumbnail": True, "image_processor_type": "DonutImageProcessor", "do_pad": False},
        {"rescale_offset": True, "image_processor_type": "EfficientNetImageProcessor"},
    ],
)
def test_unsupported_settings_are_named(setting, tmp_path):
    (name, value), *_ = setting.items()
    with pytest.raises(BackboneError, match=f"sets {name} to {value}"):
        recipe_of(tmp_path, size=96, **setting)
    allowed = {**setting, name: not value}
    assert recipe_of(tmp_path, size=96, **allowed).size == recipe_of(tmp_path, size=96).size


def test_a_processor_that_transformers_does_not_have_is_refused(tmp_path):
    with pytest.raises(BackboneError, match="'OwnImageProcessor' is not part of transformers"):
        recipe_of(tmp_path, image_processor_type="OwnImageProcessor")
