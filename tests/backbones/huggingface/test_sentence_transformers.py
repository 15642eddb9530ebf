"""Sentence-transformers folders give the same vectors as that library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sktransfer.backbones import Backbone, get_backbone, list_backbones, pack, unpack
from sktransfer.backbones.huggingface._families import family_of
from sktransfer.exceptions import BackboneError, WeightsError
from tests.backbones._huggingface_folders import WORDS, save, tokenizer, write_json

TEXTS = ["alpha", "beta gamma delta", " ".join(WORDS * 4), "Alpha unknown Mu"]
STEP = "sentence_transformers.models."
VARIED = (
    "the a river Quick stone don't e-mail 3.14 1,000 naïve Straße ΣΊΣΥΦΟΣ Привет 你好 世界 日本語 "
    "한국어 שלום مرحبا नमस्ते 😀 👩‍👩‍👧‍👦 🇫🇷 ... ?! \n \n\n \t <b> http://a.example/x?y=1 [SEP] [MASK] "
    "é e\u0301 \u200b \u202e İstanbul ﬁn ½ ﷺ antidisestablishmentarianism \x01 \ufffd"
)


def sentence_folder(folder: Path, *steps: str, kind: str = "bert") -> Path:
    """Write an encoder and the list of its modules."""
    save(kind, folder)
    modules = [{"idx": 0, "name": "0", "path": "", "type": f"{STEP}Transformer"}]
    for i, step in enumerate(steps, start=1):
        modules.append({"idx": i, "name": str(i), "path": f"{i}_{step}", "type": STEP + step})
        (folder / f"{i}_{step}").mkdir()
    (folder / "modules.json").write_text(json.dumps(modules))
    return folder


def pooling(folder: Path, **modes: bool) -> None:
    write_json(folder / "1_Pooling/config.json", word_embedding_dimension=32, **modes)


def dense(folder: Path, activation: str = "Tanh", **more: Any) -> None:
    content = {"in_features": 32, "out_features": 7, "bias": True, **more}
    kind = f"torch.nn.modules.activation.{activation}"
    write_json(folder / "2_Dense/config.json", activation_function=kind, **content)
    torch.manual_seed(0)
    state = {"linear.weight": torch.randn(7, 32), "linear.bias": torch.randn(7)}
    save_file(state, folder / "2_Dense/model.safetensors")


def embed(backbone: Backbone, texts: list[str]) -> np.ndarray:
    rows = backbone.processor.encode(texts, backbone.recipe.max_length)
    with torch.inference_mode():
        return backbone.extract(backbone.processor.collate(rows)).numpy()


def theirs(folder: Path, texts: list[str]) -> np.ndarray:
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return model.encode(texts, show_progress_bar=False)


@pytest.mark.parametrize(("kind", "mode"), [("bert", "mean"), ("mpnet", "max"), ("bert", "cls")])
def test_features_equal_those_of_sentence_transformers(kind, mode, tmp_path):
    folder = sentence_folder(tmp_path, "Pooling", "Dense", "Normalize", kind=kind)
    name = "cls_token" if mode == "cls" else f"{mode}_tokens"
    pooling(folder, **{f"pooling_mode_{name}": True})
    dense(folder)
    write_json(folder / "sentence_bert_config.json", max_seq_length=12, do_lower_case=False)
    backbone = get_backbone(folder, modality="text")
    assert backbone.recipe.pooling == mode
    assert backbone.recipe.max_length == 12
    assert backbone.feature_size == 7
    got = embed(backbone, TEXTS)
    assert np.allclose(np.linalg.norm(got, axis=1), 1)
    assert np.allclose(got, theirs(folder, TEXTS), atol=2e-6)


@pytest.mark.parametrize("steps", [["Pooling"], ["Pooling", "Normalize"], ["Pooling", "Dense"]])
def test_truncated_features_equal_those_of_sentence_transformers(steps, tmp_path):
    folder = sentence_folder(tmp_path, *steps)
    pooling(folder, pooling_mode_mean_tokens=True)
    if "Dense" in steps:
        dense(folder)
    whole = get_backbone(folder, modality="text")
    write_json(folder / "config_sentence_transformers.json", truncate_dim=5)
    backbone = get_backbone(folder, modality="text")
    found = embed(backbone, TEXTS)
    assert found.shape == (len(TEXTS), 5)
    assert backbone.feature_size == 5
    assert backbone.fingerprint != whole.fingerprint
    assert np.allclose(found, theirs(folder, TEXTS), atol=2e-6)
    again = unpack(*pack(backbone), fingerprint=backbone.fingerprint)
    assert np.array_equal(embed(again, TEXTS), found)


def test_a_truncation_beyond_the_width_has_no_effect(tmp_path):
    folder = sentence_folder(tmp_path)
    write_json(folder / "config_sentence_transformers.json", truncate_dim=999)
    assert get_backbone(folder, modality="text").feature_size == 32
    assert embed(get_backbone(folder, modality="text"), TEXTS).shape[1] == 32


@pytest.mark.parametrize("size", [0, -3, 2.5, "8"])
def test_an_invalid_truncation_width_is_refused(size, tmp_path):
    folder = sentence_folder(tmp_path)
    write_json(folder / "config_sentence_transformers.json", truncate_dim=size)
    with pytest.raises(BackboneError, match="truncate_dim"):
        get_backbone(folder, modality="text")


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}),
        ("sentence_bert_config.json", {"module_output_name": "other"}),
        ("sentence_bert_config.json", {"query_length": 32}),
        ("sentence_bert_config.json", {"model_args": {"num_hidden_layers": 1}}),
        ("sentence_bert_config.json", {"tokenizer_args": {"model_max_length": 8}}),
        ("sentence_bert_config.json", {"config_kwargs": {"is_decoder": True}}),
        ("sentence_bert_config.json", {"processing_kwargs": {"text": {"stride": 2}}}),
        (
            "sentence_bert_config.json",
            {"modality_config": {"text": {"method": "forward", "method_output_name": "logits"}}},
        ),
        ("2_Normalize/config.json", {"module_input_name": "token_embeddings"}),
    ],
)
def test_unsupported_settings_of_sentence_transformers_are_refused_by_name(file, setting, tmp_path):
    folder = sentence_folder(tmp_path, "Pooling", "Normalize")
    pooling(folder, pooling_mode_mean_tokens=True)
    write_json(folder / file, **setting)
    with pytest.raises(BackboneError, match=f"sets {next(iter(setting))} to"):
        get_backbone(folder, modality="text")


@pytest.mark.parametrize(
    ("file", "setting", "values"),
    [
        ("config_sentence_transformers.json", "prompts", [["x"], "x", 3, {"a": 1}, {"a": None}]),
        ("config_sentence_transformers.json", "default_prompt_name", [["x"], {}, 3]),
        ("sentence_bert_config.json", "max_seq_length", ["x", 1.5, 0, True]),
        ("sentence_bert_config.json", "do_lower_case", ["x", 1]),
        ("sentence_bert_config.json", "model_args", [["x"], 3]),
        ("sentence_bert_config.json", "modality_config", [["x"], 3]),
        ("1_Pooling/config.json", "pooling_mode", [3, ["mean", 3], {"a": 1}, True]),
    ],
)
def test_settings_of_a_wrong_kind_are_named(file, setting, values, tmp_path):
    folder = sentence_folder(tmp_path, "Pooling")
    pooling(folder, pooling_mode_mean_tokens=True)
    for value in values:
        write_json(folder / file, **{setting: value})
        with pytest.raises(BackboneError, match=f"{file}' sets {setting} to"):
            get_backbone(folder, modality="text")


@pytest.mark.parametrize(
    "file", ["config_sentence_transformers.json", "1_Pooling/config.json", "modules.json"]
)
@pytest.mark.parametrize("content", [3, "x", [3], {"a": 1}])
def test_files_of_another_structure_are_named(file, content, tmp_path):
    if isinstance(content, dict) and file != "modules.json":
        pytest.skip("is one of settings")
    folder = sentence_folder(tmp_path, "Pooling")
    pooling(folder, pooling_mode_mean_tokens=True)
    (folder / file).write_text(json.dumps(content))
    with pytest.raises(BackboneError, match=f"{file}' (must hold a JSON|names no step)"):
        get_backbone(folder, modality="text")


def test_prompts_of_null_are_none(tmp_path):
    folder = sentence_folder(tmp_path)
    write_json(folder / "config_sentence_transformers.json", prompts=None)
    assert get_backbone(folder, modality="text").processor.prompts == {}


def test_arguments_that_change_no_features_are_accepted(tmp_path):
    folder = sentence_folder(tmp_path)
    wanted = embed(get_backbone(folder, modality="text"), TEXTS)
    write_json(
        folder / "sentence_bert_config.json",
        model_args={"attn_implementation": "sdpa", "torch_dtype": "bfloat16"},
        tokenizer_args={"padding_side": "left"},
        config_args={},
    )
    assert np.array_equal(embed(get_backbone(folder, modality="text"), TEXTS), wanted)


@pytest.mark.parametrize(
    ("file", "setting", "message"),
    [
        ("tokenizer_config.json", {"split_special_tokens": True}, "split_special_tokens"),
        ("tokenizer_config.json", {"truncation_side": "left"}, "truncation_side='left'"),
    ],
)
def test_settings_of_a_tokenizer_that_change_tokens_are_refused(file, setting, message, tmp_path):
    save("bert", tmp_path)
    content = json.loads((tmp_path / file).read_text())
    write_json(tmp_path / file, **content | setting)
    with pytest.raises(BackboneError, match=message):
        get_backbone(tmp_path, modality="text")


def test_a_tokenizer_that_splits_at_random_is_refused(tmp_path):
    save("bert", tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    words = content["model"]["vocab"]
    model = {"type": "BPE", "vocab": words, "merges": [], "unk_token": "<unk>"}
    write_json(tmp_path / "tokenizer.json", **content | {"model": model | {"dropout": None}})
    assert get_backbone(tmp_path, modality="text").feature_size == 32
    write_json(tmp_path / "tokenizer.json", **content | {"model": model | {"dropout": 0.1}})
    with pytest.raises(BackboneError, match=r"splits words at random \(dropout\)"):
        get_backbone(tmp_path, modality="text")


def test_a_folder_saved_by_the_current_sentence_transformers_is_read(tmp_path):
    folder = sentence_folder(tmp_path / "old", "Pooling", "Dense", "Normalize")
    pooling(folder, pooling_mode_mean_tokens=True)
    dense(folder)
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(folder), device="cpu", truncate_dim=3)
    model.save(str(tmp_path / "new"))
    found = embed(get_backbone(tmp_path / "new", modality="text"), TEXTS)
    assert found.shape == (len(TEXTS), 3)
    assert np.allclose(found, model.encode(TEXTS, show_progress_bar=False), atol=2e-6)


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(tmp_path):
    save("bert", tmp_path)
    longer = tokenizer()
    longer.add_tokens([f"new{i}" for i in range(40 - len(longer))])
    longer.save_pretrained(tmp_path)
    assert get_backbone(tmp_path, modality="text").feature_size == 32
    longer.add_tokens(["one more"])
    longer.save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match=r"has 41 tokens.*for 40\. .*resize_token_embeddings"):
        get_backbone(tmp_path, modality="text")


def test_the_new_name_of_the_pooling_and_a_prompt_are_read(tmp_path):
    folder = sentence_folder(tmp_path, "Pooling")
    write_json(folder / "1_Pooling/config.json", embedding_dimension=32, pooling_mode="max")
    prompts = {"query": "kappa iota "}
    write_json(
        folder / "config_sentence_transformers.json", prompts=prompts, default_prompt_name="query"
    )
    backbone = get_backbone(folder, modality="text")
    assert np.allclose(embed(backbone, TEXTS), theirs(folder, TEXTS), atol=2e-6)
    assert not np.allclose(embed(backbone, ["alpha"]), embed(backbone, ["beta"]))


def test_a_plain_encoder_is_pooled_by_the_mean(tmp_path):
    save("roberta", tmp_path)
    recipe = get_backbone(tmp_path, modality="text").recipe
    assert (recipe.pooling, recipe.normalize) == ("mean", False)
    # 64 positions, of which RoBERTa leaves two unused; the tokenizer's limit is 50.
    assert (recipe.longest, recipe.max_length) == (62, 50)


def test_a_text_of_maximum_length_is_accepted_and_one_more_token_is_not(tmp_path):
    save("roberta", tmp_path)
    backbone = get_backbone(tmp_path, modality="text")
    rows = backbone.processor.encode(["alpha " * 99], backbone.recipe.at(62).max_length)
    assert torch.isfinite(backbone.extract(backbone.processor.collate(rows))).all()
    with pytest.raises(BackboneError, match="62 tokens"):
        backbone.recipe.at(63)


def test_a_maximum_length_beyond_the_positions_is_reduced(tmp_path):
    folder = sentence_folder(tmp_path)
    write_json(folder / "sentence_roberta_config.json", max_seq_length=9999, do_lower_case=True)
    backbone = get_backbone(folder, modality="text")
    assert backbone.recipe.max_length == 64
    assert backbone.processor.encode(["ALPHA"], 8) == backbone.processor.encode(["alpha"], 8)


def test_the_encoder_may_be_in_a_subfolder(tmp_path):
    save("bert", tmp_path / "0_Transformer")
    step = {"idx": 0, "name": "0", "path": "0_Transformer", "type": f"{STEP}Transformer"}
    (tmp_path / "modules.json").write_text(json.dumps([step]))
    assert get_backbone(tmp_path, modality="text").feature_size == 32


def test_random_weights_reach_the_linear_layer(tmp_path):
    folder = sentence_folder(tmp_path, "Pooling", "Dense")
    pooling(folder, pooling_mode_mean_tokens=True)
    dense(folder)
    first, same = (
        get_backbone(folder, modality="text", weights=None, random_state=seed) for seed in (1, 2)
    )
    assert not np.allclose(embed(first, TEXTS), embed(same, TEXTS))


@pytest.mark.parametrize("kind", ["CNN", "LSTM", "WeightedLayerPooling", "WordWeights", "Router"])
def test_unsupported_modules_are_named(kind, tmp_path):
    folder = sentence_folder(tmp_path, "Pooling", kind)
    pooling(folder, pooling_mode_mean_tokens=True)
    with pytest.raises(BackboneError, match=f"of type '{STEP}{kind}'.*Supported: Transformer"):
        get_backbone(folder, modality="text")


@pytest.mark.parametrize("kind", ["Dense", "LayerNorm"])
def test_steps_without_their_sizes_are_refused(kind, tmp_path):
    folder = sentence_folder(tmp_path, "Pooling", kind)
    pooling(folder, pooling_mode_mean_tokens=True)
    with pytest.raises(BackboneError, match=f"'kind': '{kind}'.* missing or unsuitable"):
        get_backbone(folder, modality="text")


@pytest.mark.parametrize(
    ("modes", "message"),
    [
        ({"pooling_mode_other_tokens": True}, "pools with other;"),
        ({"pooling_mode": ["mean", "other"]}, "mean, other"),
        ({"pooling_mode_mean_tokens": True, "include_prompt": False}, "leaves out its prompt"),
        ({"pooling_mode_mean_tokens": False}, "pools with nothing"),
    ],
)
def test_unsupported_poolings_are_named(modes, message, tmp_path):
    folder = sentence_folder(tmp_path, "Pooling")
    pooling(folder, **modes)
    with pytest.raises(BackboneError, match=message):
        get_backbone(folder, modality="text")


def test_an_unknown_default_prompt_is_refused(tmp_path):
    folder = sentence_folder(tmp_path)
    path = folder / "config_sentence_transformers.json"
    write_json(path, prompts={"query": "q "}, default_prompt_name="document")
    with pytest.raises(BackboneError, match=r"default_prompt_name to 'document'.*\(query\)"):
        get_backbone(folder, modality="text")


def saved_by_the_library(folder: Path, *modules: Any, **how: Any) -> Any:
    """Save modules of the library in its present format, and return its model."""
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(modules=list(modules), device="cpu", **how)
    for layer in model.modules():
        if isinstance(layer, (torch.nn.Linear, torch.nn.LayerNorm)):
            torch.nn.init.normal_(layer.weight, std=0.3)
    model.save(str(folder))
    return model.eval()


def agree(folder: Path, model: Any, texts: list[str] = TEXTS) -> Backbone:
    """Compare a folder's features with those of its library, also after packing."""
    backbone = get_backbone(folder, modality="text")
    wanted = model.encode(texts, show_progress_bar=False)
    found = embed(backbone, texts)
    assert found.shape == wanted.shape
    assert np.allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
    again = unpack(*pack(backbone), fingerprint=backbone.fingerprint)
    assert np.array_equal(embed(again, texts), found)
    return backbone


MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


@pytest.mark.parametrize("mode", [*MODES, ("lasttoken", "mean"), ("max", "cls")])
@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_each_pooling_equals_that_of_the_library(kind, mode, tmp_path):
    parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    save(kind, tmp_path / "encoder")
    encoder = parts.Transformer(str(tmp_path / "encoder"))
    model = saved_by_the_library(tmp_path / "all", encoder, parts.Pooling(32, mode))
    agree(tmp_path / "all", model)


def test_poolings_of_older_versions_are_joined_in_their_order(tmp_path):
    folder = sentence_folder(tmp_path, "Pooling")
    pooling(
        folder,
        pooling_mode_mean_sqrt_len_tokens=True,
        pooling_mode_lasttoken=True,
        pooling_mode_cls_token=True,
    )
    backbone = get_backbone(folder, modality="text")
    assert backbone.recipe.pooling == "cls+mean_sqrt_len_tokens+lasttoken"
    assert np.allclose(embed(backbone, TEXTS), theirs(folder, TEXTS), atol=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "gemma3_text", "qwen3", "mistral", "t5", "longformer"])
def test_other_encoders_equal_the_library(kind, tmp_path):
    parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    save(kind, tmp_path / "encoder")
    encoder = parts.Transformer(str(tmp_path / "encoder"))
    model = saved_by_the_library(tmp_path / "all", encoder, parts.Pooling(32, "mean"))
    agree(tmp_path / "all", model)


def test_a_tokenizer_that_pads_on_the_left_changes_nothing(tmp_path):
    parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    save("qwen3", tmp_path / "encoder")
    encoder = parts.Transformer(str(tmp_path / "encoder"))
    encoder.tokenizer.padding_side = "left"
    model = saved_by_the_library(tmp_path / "all", encoder, parts.Pooling(32, "lasttoken"))
    assert model.preprocess(TEXTS)["attention_mask"][0, 0] == 0
    agree(tmp_path / "all", model)


@pytest.mark.parametrize(
    "order",
    [
        ["Dropout", "LayerNorm"],
        ["LayerNorm", "Dense", "Dropout", "Normalize"],
        ["Normalize", "Dense", "LayerNorm"],
        ["Dense", "Normalize", "Normalize"],
    ],
)
def test_steps_behind_the_pooling_equal_the_library(order, tmp_path):
    parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    base = pytest.importorskip("sentence_transformers.base.modules")
    kinds = {
        "Dropout": lambda: parts.Dropout(0.5),
        "LayerNorm": lambda: parts.LayerNorm(32),
        "Dense": lambda: base.Dense(32, 32),
        "Normalize": base.Normalize,
    }
    save("bert", tmp_path / "encoder")
    encoder = parts.Transformer(str(tmp_path / "encoder"))
    steps = [kinds[name]() for name in order]
    model = saved_by_the_library(tmp_path / "all", encoder, parts.Pooling(32), *steps)
    agree(tmp_path / "all", model)


@pytest.mark.parametrize("steps", [[], ["Normalize"]])
def test_static_embeddings_equal_the_library(steps, tmp_path):
    parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    base = pytest.importorskip("sentence_transformers.base.modules")
    static = parts.StaticEmbedding(tokenizer(), embedding_dim=12)
    steps = [getattr(base, step)() for step in steps]
    model = saved_by_the_library(tmp_path, static, *steps, truncate_dim=9)
    # The empty text has no token.
    backbone = agree(tmp_path, model, ["", *TEXTS])
    assert backbone.stages == ("embeddings",)
    assert backbone.feature_size == 9
    random = get_backbone(tmp_path, modality="text", weights=None)
    assert random.fingerprint != backbone.fingerprint


def test_a_truncation_in_the_tokenizer_of_static_embeddings_is_kept(tmp_path):
    parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    backend = tokenizer()._tokenizer
    backend.enable_truncation(3)
    model = saved_by_the_library(tmp_path, parts.StaticEmbedding(backend, embedding_dim=12))
    assert agree(tmp_path, model).recipe.max_length == 3
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    content["truncation"]["direction"] = "Left"
    write_json(tmp_path / "tokenizer.json", **content)
    with pytest.raises(BackboneError, match="cuts texts at their start"):
        get_backbone(tmp_path, modality="text")


def test_static_embeddings_of_model2vec_are_read(tmp_path):
    parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    saved_by_the_library(tmp_path, parts.StaticEmbedding(tokenizer(), embedding_dim=12))
    (file,) = tmp_path.rglob("model.safetensors")
    state = {
        "embeddings": torch.randn(5, 12),
        "mapping": torch.randint(5, (16,)),
        "weights": torch.rand(16),
    }
    save_file(state, file)
    found = embed(get_backbone(tmp_path, modality="text"), TEXTS)
    assert np.allclose(found, theirs(tmp_path, TEXTS), atol=1e-6)
    save_file({"table": torch.zeros(1)}, file)
    with pytest.raises(WeightsError, match="no table of token vectors"):
        get_backbone(tmp_path, modality="text")


@pytest.mark.parametrize(
    ("activation", "more"),
    [("Softmax", {}), ("Tanh", {"use_residual": True}), ("Tanh", {"module_input_name": "x"})],
)
def test_unsupported_linear_layers_are_refused(activation, more, tmp_path):
    folder = sentence_folder(tmp_path, "Pooling", "Dense")
    pooling(folder, pooling_mode_mean_tokens=True)
    dense(folder, activation, **more)
    with pytest.raises(BackboneError, match="Dense step"):
        get_backbone(folder, modality="text")


def test_missing_weights_of_the_linear_layer_raise(tmp_path):
    folder = sentence_folder(tmp_path, "Pooling", "Dense")
    pooling(folder, pooling_mode_mean_tokens=True)
    dense(folder)
    (folder / "2_Dense/model.safetensors").unlink()
    with pytest.raises(WeightsError, match="holds no weights"):
        get_backbone(folder, modality="text")


@pytest.fixture(scope="module")
def minilm():
    (row,) = [row for row in list_backbones(source="bundled") if row["modality"] == "text"]
    if not row["on_this_machine"]:
        pytest.skip("the bundled text model is not installed")
    return get_backbone(row["name"], modality="text")


def varied_texts(n: int) -> list[str]:
    """Draw texts in many scripts; most are short, some have up to 400 words."""
    rng = np.random.default_rng(0)
    words = VARIED.split(" ")
    long = rng.integers(5, 50, 24), rng.integers(50, 401, 6)
    lengths = np.concatenate([rng.geometric(0.4, n - 30), *long])
    return [" ".join(rng.choice(words, length)) for length in lengths]


def test_the_bundled_model_matches_its_row_of_the_table(minilm):
    (row,) = [r for r in list_backbones(source="bundled") if r["name"] == minilm.name]
    assert row["parameters"] == minilm.n_parameters
    assert row["feature_size"] == minilm.feature_size
    assert row["input_size"] == minilm.recipe.max_length
    assert minilm.stages == ("embeddings", *(f"layer{i}" for i in range(1, 7)))


def test_padding_does_not_change_a_row_of_the_bundled_model(minilm):
    texts = varied_texts(30)[16:26]
    rows = minilm.processor.encode(texts, 256)
    with torch.inference_mode():
        together = minilm.extract(minilm.processor.collate(rows))
        for row, features in zip(rows, together, strict=True):
            alone = minilm.extract(minilm.processor.collate([row]))[0]
            assert torch.allclose(alone, features, atol=2e-6)


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_scaling": {"type": "dynamic", "factor": 2.0}},
        {"rope_parameters": {"rope_type": "longrope"}},
        {"rope_parameters": {"full_attention": {"rope_type": "dynamic"}, "other": None}},
    ],
)
def test_positions_that_depend_on_other_rows_are_refused(rope):
    with pytest.raises(BackboneError, match="depend on its neighbours"):
        family_of({"model_type": "modernbert", **rope}, name="x")
    plain = {"rope_parameters": {"full_attention": {"rope_type": "default"}}, "rope_scaling": 3}
    assert family_of({"model_type": "modernbert", **plain}, name="x").modality == "text"
