"""Families of text models through the estimators: alone, together, and fine-tuned."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import transformers as hf

from sktransfer import ImageEmbedder, TextClassifier, TextEmbedder
from sktransfer.backbones import get_backbone, pack, unpack
from sktransfer.exceptions import BackboneError, WeightsError
from tests.backbones._huggingface_folders import (
    IMAGE_CONFIGS,
    WORDS,
    build,
    save,
    tokenizer,
    write_json,
)

TEXTS = [" ".join(WORDS[row % 5 : row % 5 + length]) for row, length in enumerate((1, 7, 2, 12, 4))]


def close(one, other):
    return one.shape == other.shape and np.abs(one - other).max() <= 1e-5 * np.abs(other).max()


@pytest.mark.parametrize(
    "kind", ["albert", "gemma3_text", "gpt2", "llama", "longformer", "nomic_bert", "t5", "opt"]
)
def test_a_row_is_the_same_alone_and_a_stage_is_fine_tuned(kind, tmp_path):
    save(kind, tmp_path)
    embedder = TextEmbedder(tmp_path, cache=False)
    together = embedder.fit_transform(TEXTS)
    alone = np.concatenate([embedder.transform([text]) for text in TEXTS])
    assert close(alone, together)
    for layer in (0, 1, -1):
        assert embedder.set_params(layer=layer).fit_transform(TEXTS).shape == (5, 32)
    model = TextClassifier(tmp_path, trainable=1, max_epochs=2, cache=False)
    assert model.fit(TEXTS, [0, 1, 0, 1, 0]).predict_proba(TEXTS).shape == (5, 2)
    assert set(model.module_.opened) == {"layer3"}


@pytest.mark.parametrize(
    ("setting", "pooling"),
    [({}, "lasttoken"), ({"is_causal": False}, "mean"), ({"is_causal": True}, "lasttoken")],
)
def test_a_decoder_without_a_pooling_takes_its_last_token(setting, pooling, tmp_path):
    save("qwen2", tmp_path)
    config = hf.Qwen2Config.from_pretrained(tmp_path).to_dict()
    write_json(tmp_path / "config.json", **config | setting)
    backbone = get_backbone(tmp_path, modality="text")
    assert backbone.recipe.pooling == pooling
    batch = backbone.processor.collate(backbone.processor.encode(TEXTS, 50))
    model = hf.Qwen2Model.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        wanted = model(**batch).last_hidden_state
        last = batch["attention_mask"].sum(1) - 1
        mask = batch["attention_mask"][..., None]
        mean = (wanted * mask).sum(1) / mask.sum(1)
        wanted = wanted[torch.arange(5), last] if pooling == "lasttoken" else mean
        assert close(backbone.extract(batch).numpy(), wanted.numpy())


def test_an_opt_with_a_narrower_output_is_read(tmp_path):
    save("opt", tmp_path)
    narrow = hf.OPTConfig.from_pretrained(tmp_path, word_embed_proj_dim=16)
    hf.OPTModel(narrow).save_pretrained(tmp_path)
    assert TextEmbedder(tmp_path, cache=False).fit_transform(TEXTS).shape == (5, 16)


@pytest.mark.parametrize("kind", ["big_bird", "convbert", "fnet", "nystromformer", "yoso"])
def test_families_whose_rows_depend_on_each_other_are_refused(kind, tmp_path):
    write_json(tmp_path / "config.json", model_type=kind)
    with pytest.raises(BackboneError, match=f"type '{kind}'.*depend on its neighbours"):
        get_backbone(tmp_path, modality="text")


@pytest.mark.parametrize(
    ("kind", "setting", "message"),
    [
        ("bert", {"position_embedding_type": "alibi", "auto_map": {}}, "to 'alibi', and trans"),
        ("electra", {"position_embedding_type": "relative_key"}, "'relative_key'"),
        ("nomic_bert", {"rotary_emb_base": 10_000}, "to 10000, and transformers' own .* has 1000"),
        ("nomic_bert", {"qkv_proj_bias": True}, "qkv_proj_bias to True"),
        ("jina_embeddings_v3", {"rotary_emb_base": 10_000.0}, "has 20000"),
        ("llama", {"quantization_config": {"bits": 4}}, r"quantised.*dequantize\(\)"),
    ],
)
def test_settings_that_transformers_ignores_are_refused(kind, setting, message, tmp_path):
    model = save(kind, tmp_path)
    write_json(tmp_path / "config.json", **model.config.to_dict() | setting)
    with pytest.raises(BackboneError, match=message):
        get_backbone(tmp_path, modality="text")


def test_settings_that_agree_with_transformers_are_accepted(tmp_path):
    model = save("nomic_bert", tmp_path)
    plain = get_backbone(tmp_path, modality="text")
    stated = {"rotary_emb_base": 1000.0, "prenorm": False, "position_embedding_type": "rotary"}
    write_json(tmp_path / "config.json", **model.config.to_dict() | stated)
    batch = plain.processor.collate(plain.processor.encode(TEXTS, 50))
    again = get_backbone(tmp_path, modality="text")
    assert torch.equal(again.extract(batch), plain.extract(batch))


# --- Models for images and texts --------------------------------------------------------


def both(kind, folder, side="right"):
    """Save a model for both modalities with its tokenizer, and return it."""
    torch.manual_seed(7)
    config = IMAGE_CONFIGS[kind]()
    model = hf.AutoModel.from_config(config).eval()
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    write_json(path, **json.loads(path.read_text()), padding_side=side)
    size = {"height": 32, "width": 32}
    write_json(folder / "preprocessor_config.json", size=size, image_mean=[0.5] * 3)
    return model


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_the_halves_give_features_in_one_space(kind, side, tmp_path):
    model = both(kind, tmp_path, side=side)
    theirs = hf.AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.padding_side == side
    padding = {"padding": "max_length", "max_length": 64} if kind == "siglip" else {"padding": True}
    embedder = TextEmbedder(tmp_path, cache=False)
    found = embedder.fit_transform(TEXTS)
    with torch.inference_mode():
        for row, text in enumerate(TEXTS):
            given = theirs([text], return_tensors="pt", **padding)["input_ids"]
            wanted = model.get_text_features(input_ids=given).pooler_output.numpy()
            assert close(found[row : row + 1], wanted)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    assert ImageEmbedder(tmp_path, cache=False).fit_transform(images).shape == (2, found.shape[1])
    backbone = get_backbone(tmp_path, modality="text")
    again = unpack(*pack(backbone), fingerprint=backbone.fingerprint)
    assert again.processor.encode(TEXTS, 50) == backbone.processor.encode(TEXTS, 50)
    tuned = TextClassifier(tmp_path, trainable=1, max_epochs=2, cache=False)
    assert tuned.fit(TEXTS, [0, 1, 0, 1, 0]).predict(TEXTS).shape == (5,)
    random = [get_backbone(tmp_path, modality="text", weights=None) for _ in range(2)]
    assert random[0].fingerprint == random[1].fingerprint != backbone.fingerprint


def test_a_half_saved_alone_keeps_its_projection(tmp_path):
    whole = both("clip", tmp_path / "whole")
    for name in ("Text", "Vision"):
        kind = getattr(hf, f"CLIP{name}ModelWithProjection")
        folder = tmp_path / name
        both("clip", folder)
        config = kind.config_class.from_pretrained(tmp_path / "whole", projection_dim=8)
        kind.from_pretrained(tmp_path / "whole", config=config).save_pretrained(folder)
    texts = TextEmbedder(tmp_path / "Text", cache=False).fit_transform(TEXTS)
    assert close(texts, TextEmbedder(tmp_path / "whole", cache=False).fit_transform(TEXTS))
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    ours = [ImageEmbedder(tmp_path / name, cache=False) for name in ("Vision", "whole")]
    assert close(*(embedder.fit_transform(images) for embedder in ours))
    assert whole.config.projection_dim == texts.shape[1] == 8


def test_a_missing_projection_is_named(tmp_path):
    both("clip", tmp_path)
    state = hf.CLIPModel.from_pretrained(tmp_path).state_dict()
    del state["text_projection.weight"]
    torch.save(state, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"missing: text_projection\.weight"):
        get_backbone(tmp_path, modality="text")


def test_a_clip_folder_of_sentence_transformers_is_read(tmp_path):
    model = both("clip", tmp_path / "0_CLIPModel")
    step = {"idx": 0, "name": "0", "path": "0_CLIPModel"}
    steps = [step | {"type": "sentence_transformers.models.CLIPModel"}]
    (tmp_path / "modules.json").write_text(json.dumps(steps))
    found = TextEmbedder(tmp_path, cache=False).fit_transform(TEXTS)
    assert found.shape == (5, model.config.projection_dim)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_both_halves_saved_by_sentence_transformers_are_read(kind, tmp_path):
    both(kind, tmp_path)
    halves = {
        name: {"method": f"get_{name}_features", "method_output_name": "pooler_output"}
        for name in ("text", "image")
    }
    wanted = TextEmbedder(tmp_path, cache=False).fit_transform(TEXTS)
    step = {"idx": 0, "name": "0", "path": ""}
    steps = [step | {"type": "sentence_transformers.base.modules.transformer.Transformer"}]
    (tmp_path / "modules.json").write_text(json.dumps(steps))
    settings = {"modality_config": halves, "module_output_name": "sentence_embedding"}
    write_json(tmp_path / "sentence_bert_config.json", **settings)
    assert np.array_equal(TextEmbedder(tmp_path, cache=False).fit_transform(TEXTS), wanted)
    library = pytest.importorskip("sentence_transformers")
    if kind == "clip":  # its library does not pad texts to the one length of SigLIP
        processor = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32}}
        write_json(tmp_path / "preprocessor_config.json", **processor)
        content = json.loads((tmp_path / "tokenizer_config.json").read_text())
        content["processor_class"] = "CLIPProcessor"
        write_json(tmp_path / "tokenizer_config.json", **content)
        model = library.SentenceTransformer(str(tmp_path), device="cpu", local_files_only=True)
        assert close(model.encode(TEXTS, show_progress_bar=False), wanted)


def test_a_text_model_in_a_users_module_is_not_one_for_images():
    from sktransfer.backbones.huggingface import stages_of

    assert stages_of(build("llama")) is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("albert", "AlbertForMaskedLM"),
        ("bloom", "BloomForCausalLM"),
        ("gemma3_text", "Gemma3ForCausalLM"),
        ("gpt2", "GPT2LMHeadModel"),
        ("longformer", "LongformerForMaskedLM"),
        ("llama", "LlamaForSequenceClassification"),
        ("opt", "OPTForCausalLM"),
        ("qwen3", "Qwen3ForCausalLM"),
        ("t5", "T5ForConditionalGeneration"),
    ],
)
def test_a_model_saved_with_its_head_gives_the_same_features(kind, name, tmp_path):
    save(kind, tmp_path)
    torch.manual_seed(0)
    whole = getattr(hf, name)(build(kind).config).eval()
    whole.save_pretrained(tmp_path)
    encoder = whole.get_encoder() if kind == "t5" else whole.base_model
    backbone = get_backbone(tmp_path, modality="text")
    batch = backbone.processor.collate(backbone.processor.encode(TEXTS, 50))
    with torch.inference_mode():
        wanted = encoder(**batch).last_hidden_state[:, 0]
        found = backbone.extract(batch, layer=-1, pooling="cls")
    assert close(found.numpy(), wanted.numpy())


def test_a_family_that_does_not_run_in_bfloat16_is_an_error_with_advice(tmp_path):
    save("deberta", tmp_path)
    options = {"precision": "bfloat16", "cache": False}
    with pytest.raises(BackboneError, match=r"does not run in bfloat16.*precision='float32'"):
        TextEmbedder(tmp_path, **options).fit_transform(["alpha beta"])
    with pytest.raises(BackboneError, match=r"does not run in bfloat16.*precision='float32'"):
        TextClassifier(tmp_path, trainable=1, max_epochs=1, **options).fit(
            ["a", "b"] * 3, [0, 1] * 3
        )
    assert TextEmbedder(tmp_path, cache=False).fit_transform(["alpha beta"]).shape == (1, 32)
