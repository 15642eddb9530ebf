"""Every family of Hugging Face models: a tiny random one is saved, loaded and compared."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from sktransfer.backbones import Backbone, get_backbone
from sktransfer.backbones._network import POOLED, CachedActivation, pool
from sktransfer.backbones.huggingface import stages_of
from sktransfer.backbones.huggingface._families import FAMILIES
from sktransfer.exceptions import BackboneError
from tests.backbones._huggingface_folders import (
    AUDIO,
    IMAGE_CONFIGS,
    TEXT_CONFIGS,
    build,
    inputs,
    save,
)

KINDS = [*TEXT_CONFIGS, *IMAGE_CONFIGS]
CONVOLUTIONAL = ("convnext", "convnextv2", "resnet", "swin")


class Saved:
    """A folder, the model saved in it, and the backbone loaded from it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.modality = "text" if kind in TEXT_CONFIGS else "image"
        self.model = save(kind, folder)
        self.backbone = get_backbone(folder, modality=self.modality)

    def plain(self) -> Any:
        """Return the outputs of the model itself, without the package."""
        tower = getattr(self.model, "vision_model", self.model)
        batch = inputs(self.kind)
        batch = batch if self.modality == "text" else {"pixel_values": batch}
        with torch.inference_mode():
            return tower(**batch, output_hidden_states=True)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    made: dict[str, Saved] = {}

    def get(kind: str) -> Saved:
        if kind not in made:
            made[kind] = Saved(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return get


def close(got: torch.Tensor, wanted: torch.Tensor) -> bool:
    # The backbone uses channels_last images, which changes the order of sums.
    return got.shape == wanted.shape and torch.allclose(got, wanted, rtol=1e-5, atol=1e-5)


def run(backbone: Backbone, batch: Any, **how: Any) -> torch.Tensor:
    with torch.inference_mode():
        return backbone.extract(batch, **how)


def test_all_families_are_tested():
    assert set(FAMILIES) == {*KINDS, *(kind.partition(" ")[0] for kind in AUDIO)}


@pytest.mark.parametrize("kind", KINDS)
def test_stages_are_named_in_order(saved, kind):
    backbone = saved(kind).backbone
    word = "stage" if kind in CONVOLUTIONAL else "layer"
    assert backbone.stages == ("embeddings", f"{word}1", f"{word}2", f"{word}3")
    assert backbone.modality == FAMILIES[kind].modality
    assert backbone.feature_size == (8 if kind == "clip" else 32)
    assert backbone.source == "huggingface"
    assert backbone.library.startswith("transformers ")


@pytest.mark.parametrize("kind", KINDS)
def test_each_stage_gives_the_hidden_state_of_the_model(saved, kind):
    network, plain = saved(kind).backbone.network, saved(kind).plain()
    *inner, last = network.stages
    with torch.inference_mode():
        for number, name in enumerate(inner):
            assert close(network(inputs(kind), until=name), plain.hidden_states[number]), name
        assert close(network(inputs(kind), until=last), plain.last_hidden_state)


@pytest.mark.parametrize("kind", KINDS)
def test_pooled_features_equal_a_hand_computation(saved, kind):
    plain = saved(kind).plain()
    if kind == "clip":
        wanted = saved(kind).model.get_image_features(inputs(kind)).pooler_output
    elif FAMILIES[kind].pooled == "pooler":
        wanted = plain.pooler_output.flatten(1)
    elif FAMILIES[kind].pooling == "lasttoken":
        last = inputs(kind)["attention_mask"].sum(1) - 1
        wanted = plain.last_hidden_state[torch.arange(3), last]
    elif kind in TEXT_CONFIGS:
        mask = inputs(kind)["attention_mask"][..., None]
        wanted = (plain.last_hidden_state * mask).sum(1) / mask.sum(1)
    else:
        wanted = plain.last_hidden_state[:, 0]
    assert close(run(saved(kind).backbone, inputs(kind)), wanted)


@pytest.mark.parametrize("kind", TEXT_CONFIGS)
@pytest.mark.parametrize("layer", ["pooled", "embeddings", "layer2"])
def test_padding_does_not_change_a_row(saved, kind, layer):
    backbone, batch = saved(kind).backbone, inputs(kind)
    together = run(backbone, batch, layer=layer)
    for row, features in enumerate(together):
        length = int(batch["attention_mask"][row].sum())
        alone = {name: tensor[row : row + 1, :length] for name, tensor in batch.items()}
        assert torch.allclose(run(backbone, alone, layer=layer)[0], features, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_each_parameter_is_in_one_stage_or_only_in_the_pooling(saved, kind):
    network = saved(kind).backbone.network
    staged = [id(p) for stage in network.stages.values() for p in stage.parameters()]
    names = {id(p): name for name, p in network.named_parameters()}
    beside = [name for number, name in names.items() if number not in staged]
    assert len(staged) == len(set(staged))
    assert set(staged) <= set(names)
    assert all(
        name.startswith(("model.post_layernorm", "model.layernorm", "model.head", "steps."))
        for name in beside
    )


@pytest.mark.parametrize("kind", ["bert", "vit", "swin"])
def test_the_fingerprint_depends_on_weights_and_not_on_the_path(saved, kind, tmp_path):
    first = saved(kind)
    first.model.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"):
        if (first.folder / name).exists():
            (tmp_path / name).write_bytes((first.folder / name).read_bytes())
    moved = get_backbone(tmp_path, modality=first.modality)
    random = get_backbone(first.folder, modality=first.modality, weights=None)
    assert moved.fingerprint == first.backbone.fingerprint
    assert random.fingerprint != first.backbone.fingerprint


def test_the_fingerprint_depends_on_the_number_of_heads(saved, tmp_path):
    folder = saved("bert").folder
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(
        config.replace('"num_attention_heads": 4', '"num_attention_heads": 2')
    )
    other = get_backbone(tmp_path, modality="text")
    assert other.fingerprint != saved("bert").backbone.fingerprint


def test_only_requested_outputs_are_computed(saved):
    network = saved("bert").backbone.network
    seen: list[str] = []
    hooks = [
        stage.register_forward_hook(lambda *_, name=name: seen.append(name))
        for name, stage in network.stages.items()
    ]
    run(saved("bert").backbone, inputs("bert"), layer="layer1")
    for hook in hooks:
        hook.remove()
    assert seen == ["embeddings", "layer1"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if FAMILIES[kind].resumes])
@torch.inference_mode()
def test_a_pass_resumes_after_any_stage_but_the_last(saved, kind):
    network = copy.deepcopy(saved(kind).backbone.network)
    names = list(network.stages)
    seen: list[str] = []
    for name, stage in network.stages.items():
        stage.register_forward_hook(lambda *_, name=name: seen.append(name))
    for number, name in enumerate(names[:-1]):
        given = CachedActivation(name, network(inputs(kind), until=name))
        for until in (*names[number + 1 :], POOLED):
            whole = network(inputs(kind), until=until)
            seen.clear()
            assert torch.equal(network(inputs(kind), until=until, cached=given), whole)
            assert not {*names[1 : number + 1]} & {*seen}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", ["default", "mean"])
@torch.inference_mode()
def test_several_layers_from_one_pass_are_those_of_a_pass_each(saved, kind, pooling):
    backbone = saved(kind).backbone
    layers = [*backbone.stages, POOLED]
    found = [
        rows.clone() for rows in backbone.extract_layers(inputs(kind), layers, pooling=pooling)
    ]
    assert len(found) == len(layers)
    for layer, rows in zip(layers, found, strict=True):
        assert torch.equal(rows, backbone.extract(inputs(kind), layer=layer, pooling=pooling))


def test_a_network_that_cannot_resume_raises(saved):
    assert not saved("swin").backbone.network.resumes


@pytest.mark.parametrize("kind", ["bert", "vit"])
def test_threads_may_request_different_stages(saved, kind):
    backbone = saved(kind).backbone
    layers = ["pooled", *backbone.stages] * 8
    alone = [run(backbone, inputs(kind), layer=layer) for layer in layers]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda la: run(backbone, inputs(kind), layer=la), layers))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("kind", ["deberta-v2", "convnext"])
def test_a_copy_has_its_own_stages(saved, kind):
    network = saved(kind).backbone.network
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        own = {id(p) for p in twin.parameters()}
        assert {id(p) for stage in twin.stages.values() for p in stage.parameters()} <= own
        assert not own & {id(p) for p in network.parameters()}
        with torch.inference_mode():
            for name in (*network.stages, "pooled"):
                assert torch.equal(
                    twin(inputs(kind), until=name), network(inputs(kind), until=name)
                )


def test_gradients_reach_an_intermediate_stage(saved):
    network = copy.deepcopy(saved("bert").backbone.network).requires_grad_(True)
    network(inputs("bert"), until="layer2").sum().backward()
    reached = {
        n for n, s in network.stages.items() if any(p.grad is not None for p in s.parameters())
    }
    assert reached == {"embeddings", "layer1", "layer2"}


def test_max_pooling_over_tokens_ignores_padding(saved):
    batch = inputs("bert")
    features = run(saved("bert").backbone, batch, pooling="max")
    network = saved("bert").backbone.network
    tokens = saved("bert").plain().last_hidden_state
    assert torch.allclose(features[0], tokens[0, : batch["attention_mask"][0].sum()].amax(0))
    assert torch.equal(features, pool(tokens, "max", network, batch["attention_mask"]))


def test_a_text_model_is_refused_for_images(saved):
    with pytest.raises(BackboneError, match="TextEmbedder"):
        get_backbone(saved("bert").folder, modality="image")


@pytest.mark.parametrize("kind", ["vit", "resnet", "clip", "swin"])
def test_a_users_module_is_split_into_stages(saved, kind):
    network, recipe = stages_of(copy.deepcopy(saved(kind).model))
    backbone = saved(kind).backbone
    assert tuple(network.stages) == backbone.stages
    assert recipe.fixed_size == backbone.recipe.fixed_size
    with torch.inference_mode():
        assert close(network.eval()(inputs(kind)), run(backbone, inputs(kind)))


def test_a_users_classifier_is_split_into_stages():
    import transformers

    model = transformers.ViTForImageClassification(build("vit").config).eval()
    network, recipe = stages_of(model)
    assert recipe.size == (32, 32)
    assert network(inputs("vit")).shape == (3, 32)


def test_other_modules_of_the_user_are_not_claimed(saved):
    assert stages_of(torch.nn.Linear(2, 2)) is None
    assert stages_of(saved("bert").model) is None
