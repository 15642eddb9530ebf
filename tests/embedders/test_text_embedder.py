"""Long texts are counted or chunked, never cut silently; prompts are honoured."""

import json
import warnings

import numpy as np
import pytest
from tokenizers import Tokenizer, normalizers

from sktransfer import TextClassifier, TextEmbedder, cache_info, load, save
from sktransfer.backbones import get_backbone
from sktransfer.exceptions import BackboneError, LeftOutWarning, PromptWarning
from sktransfer.modalities.text import TextTokenizer
from tests._tiny import texts
from tests.backbones import _huggingface_folders as folders

PLAIN = {"cache": False, "max_length": 12}
SHORT = ["a cat", "one two three"]
LONG = " ".join(texts(5))


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a tiny text network."""
    folders.save("bert", tmp_path / "model")
    return tmp_path / "model"


def with_prompts(folder, **config):
    path = folder / "config_sentence_transformers.json"
    path.write_text(json.dumps(config))
    return folder


def test_a_warning_counts_the_texts_that_are_cut_and_names_the_first():
    message = (
        r"2 of 4 texts have more than max_length=12 tokens, .* max_length up to 512, or "
        r"long_texts='chunk' in a TextEmbedder.* The first is row 1\."
    )
    with pytest.warns(LeftOutWarning, match=message) as told:
        TextEmbedder(**PLAIN).fit_transform([*SHORT[:1], LONG, *SHORT[1:], LONG])
    assert len(told) == 1
    assert told[0].filename == __file__


def test_texts_that_just_fit_or_are_cached_give_no_warning(cache_folder):
    embedder = TextEmbedder(max_length=5, missing="empty")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embedder.fit_transform(["one two three", "", "one"])
    with pytest.warns(LeftOutWarning, match=r"1 of 2 .* The first is row 1"):
        embedder.transform(["one", "one two three four"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embedder.transform(["one", "one two three four"])


def test_fine_tuners_warn_in_fit_and_in_predict():
    classifier = TextClassifier(max_epochs=2, max_length=12, cache=False)
    with pytest.warns(LeftOutWarning, match="1 of 4 texts") as told:
        classifier.fit([*SHORT, LONG, "four"], [0, 1, 0, 1])
    assert len(told) == 1
    with pytest.warns(LeftOutWarning, match="2 of 2 texts"):
        classifier.predict([LONG, LONG])


@pytest.mark.parametrize("layer", ["pooled", 0])
def test_a_chunked_text_has_the_mean_of_the_features_of_its_chunks(layer):
    embedder = TextEmbedder(layer=layer, long_texts="chunk", **PLAIN)
    found = embedder.fit_transform([*SHORT, LONG, LONG + " more"])
    plain = TextEmbedder(layer=layer, **PLAIN).fit_transform(SHORT)
    np.testing.assert_allclose(found[:2], plain, rtol=1e-5, atol=1e-6)

    backbone = get_backbone("all-MiniLM-L6-v2", modality="text")
    chunks = backbone.processor.encode_chunks(LONG, 12)
    assert len(chunks) > 3
    inputs = backbone.processor.collate(chunks)
    expected = backbone.extract(inputs, layer=layer).mean(0).numpy()
    np.testing.assert_allclose(found[2], expected, rtol=1e-5, atol=1e-6)


def test_a_chunked_text_does_not_depend_on_its_neighbours_or_the_batch_size(cache_folder):
    column = [*texts(30), *(" ".join(texts(40, seed=i)) for i in range(3)), "x"]
    embedder = TextEmbedder(long_texts="chunk", max_length=16)
    found = embedder.fit_transform(column)
    np.testing.assert_array_equal(embedder.transform(column), found)  # from the cache
    for size in (1, 3, 100):
        other = TextEmbedder(long_texts="chunk", batch_size=size, **{**PLAIN, "max_length": 16})
        rows = other.fit_transform(column[::-1])[::-1]
        np.testing.assert_allclose(rows, found, rtol=1e-5, atol=2e-6)


def test_chunked_and_truncated_rows_are_cached_apart(cache_folder):
    with pytest.warns(LeftOutWarning):
        start = TextEmbedder(max_length=12).fit_transform([LONG])
    before = cache_info().computed
    chunked = TextEmbedder(max_length=12, long_texts="chunk").fit_transform([LONG])
    assert cache_info().computed == before + 1
    assert not np.allclose(start, chunked)


def test_openvino_gives_the_same_mean():
    pytest.importorskip("openvino")
    options = {"long_texts": "chunk", "max_length": 12, "cache": False}
    rows = [TextEmbedder(engine=e, **options).fit_transform([LONG]) for e in ("torch", "openvino")]
    np.testing.assert_allclose(*rows, atol=1e-4)


@pytest.mark.parametrize("long_texts", ["truncate", "chunk"])
def test_a_prompt_is_put_before_each_text(long_texts, cache_folder, path_of_model):
    embedder = TextEmbedder(prompt="query: ", long_texts=long_texts).fit(SHORT)
    before = TextEmbedder().fit_transform(SHORT)
    found = embedder.transform(SHORT)
    assert not np.allclose(found, before)
    expected = TextEmbedder().fit_transform([f"query: {text}" for text in SHORT])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    save(embedder, path_of_model)
    np.testing.assert_array_equal(load(path_of_model).transform(SHORT), found)


@pytest.fixture
def path_of_model(tmp_path):
    return tmp_path / "model.skt"


def test_each_chunk_has_the_prompt():
    tokenizer = get_backbone("all-MiniLM-L6-v2", modality="text").processor
    (prompt,) = tokenizer.encode(["query: "], 12)
    plain = tokenizer.encode_chunks(LONG, 12 - len(prompt) + 2, "")
    with_prompt = tokenizer.encode_chunks(LONG, 12, "query: ")
    assert [chunk[len(prompt) - 1 :] for chunk in with_prompt] == [c[1:] for c in plain]
    assert all(chunk[: len(prompt) - 1] == prompt[:-1] for chunk in with_prompt)
    assert max(map(len, with_prompt)) <= 12


def test_the_prompt_of_a_folder_is_the_default(folder):
    column = ["kappa iota", "iota"]
    bare = TextEmbedder(folder, cache=False).fit_transform(column)
    prefixed = TextEmbedder(folder, cache=False).fit_transform([f"iota {t}" for t in column])
    with_prompts(folder, prompts={"query": "iota "}, default_prompt_name="query")
    np.testing.assert_allclose(TextEmbedder(folder, cache=False).fit_transform(column), prefixed)
    no_prompt = TextEmbedder(folder, prompt="", cache=False)
    np.testing.assert_allclose(no_prompt.fit_transform(column), bare)


def test_prompts_of_which_none_is_the_default_are_named(folder):
    with_prompts(folder, prompts={"query": "kappa ", "document": "", "other": "iota "})
    message = r"none of which is its default: \{'query': 'kappa ', 'other': 'iota '\}.*'kappa '"
    with pytest.warns(PromptWarning, match=message):
        TextEmbedder(folder, cache=False).fit(["iota"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TextEmbedder(folder, prompt="", cache=False).fit(["iota"])
        with_prompts(folder, prompts={"query": "", "document": ""})
        TextEmbedder(folder, cache=False).fit(["iota"])


def test_chunks_are_of_similar_length():
    tokenizer = get_backbone("all-MiniLM-L6-v2", modality="text").processor
    lengths = [len(chunk) for chunk in tokenizer.encode_chunks("cat " * 101, 12)]
    assert len(lengths) == 11
    assert set(lengths) == {11, 12}
    assert sum(lengths) == 101 + 2 * 11


@pytest.mark.parametrize("long_texts", ["truncate", "chunk"])
def test_a_prompt_that_leaves_no_room_is_refused(long_texts):
    embedder = TextEmbedder(prompt="one two three: ", long_texts=long_texts, cache=False)
    with pytest.raises(BackboneError, match="no room for text beside the prompt, which has 4 tok"):
        embedder.set_params(max_length=6).fit_transform(["cat"])
    assert embedder.set_params(max_length=7).fit_transform(["cat"]).shape == (1, 384)


@pytest.mark.parametrize("prompt", ["\ud800", "query\udfff: ", "\ud83d \ude00"])
def test_a_prompt_with_a_lone_surrogate_is_refused(prompt, folder):
    with pytest.raises(BackboneError, match=r"prompt .* lone surrogate at position"):
        TextEmbedder(prompt=prompt, cache=False).fit_transform(["cat"])
    with_prompts(folder, prompts={"query": prompt}, default_prompt_name="query")
    with pytest.raises(BackboneError, match=r"prompt .* lone surrogate at position"):
        TextEmbedder(folder, cache=False).fit_transform(["iota"])


def test_a_prompt_is_lower_cased_as_its_texts_are():
    tokenizer = get_backbone("all-MiniLM-L6-v2", modality="text").processor
    made = Tokenizer.from_str(tokenizer.to_dict()["json"])
    made.normalizer = normalizers.NFC()
    lower = TextTokenizer(made, pad_id=0, lower=True)
    assert lower.encode_start("Cat", 9, "Query: ") == lower.encode_start("cat", 9, "query: ")
    assert lower.encode_chunks("A Cat " * 9, 9, "Query: ") == lower.encode_chunks(
        "a cat " * 9, 9, "query: "
    )
