"""`TextGenerator`: as `generate` of transformers writes, row by row, cached by content."""

import importlib.util
import json
import pickle
import shutil

import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

from sktransfer import TextEmbedder, TextGenerator, cache_info, explain, load, save
from sktransfer.exceptions import (
    BackboneError,
    BadCellError,
    BadCellWarning,
    ColumnError,
    LeftOutWarning,
    OfflineError,
    WeightsError,
)
from tests.backbones._huggingface_folders import WORDS, build, tokenizer
from tests.contracts.test_estimator_checks import WITHOUT_DATA
from tests.embedders._writers import (
    CONTINUING,
    REWRITING,
    TRANSLATORS,
    by_transformers,
    save_translator,
    save_writer,
)

rng = np.random.default_rng(0)
TEXTS = [" ".join(rng.choice(WORDS, count)) for count in (1, 3, 7, 12, 2, 5)]
CHAT = "{% for m in messages %}<s> {{ m['content'] }} {% endfor %}{{ 'mu' }}"


@pytest.fixture(scope="module")
def bart(tmp_path_factory):
    return save_writer("bart", tmp_path_factory.mktemp("bart"))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    return save_writer("gpt2", tmp_path_factory.mktemp("gpt2"))


def writer(folder, **options):
    return TextGenerator(folder, **{"cache": False, "max_new_tokens": 8, **options})


# As transformers writes -------------------------------------------------------------------------


FAST = ("bart", "llama", "marian", "t5")
KINDS = [
    kind if kind in FAST else pytest.param(kind, marks=pytest.mark.slow)
    for kind in (*REWRITING, *CONTINUING)
]


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_those_of_transformers_row_by_row(kind, tmp_path):
    folder = save_writer(kind, tmp_path)
    for beams in (1, 3):
        found = writer(folder, num_beams=beams).fit_transform(TEXTS).tolist()
        assert found == by_transformers(folder, TEXTS, num_beams=beams, max_new_tokens=8)
    assert all(type(text) is str for text in found)


@pytest.mark.parametrize("beams", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_text_does_not_depend_on_batches_and_neighbours(bart, gpt2, beams):
    for folder in (bart, gpt2):
        model = writer(folder, num_beams=beams).fit(TEXTS)
        expected = model.transform(TEXTS).tolist()
        assert len(set(expected)) > 2
        for size in (1, 2, 6):
            assert model.set_params(batch_size=size).transform(TEXTS).tolist() == expected
        assert model.transform(TEXTS[::-1]).tolist() == expected[::-1]
        assert model.transform(TEXTS[3:4]).tolist() == expected[3:4]


def test_what_the_folder_states_is_used_where_a_parameter_is_none(bart, tmp_path):
    folder = shutil.copytree(bart, tmp_path / "model")
    stated = json.loads((folder / "generation_config.json").read_text())
    stated |= {"num_beams": 3, "no_repeat_ngram_size": 1, "max_length": 3, "do_sample": True}
    stated |= {"temperature": 0.3, "cache_implementation": "static", "num_return_sequences": 2}
    (folder / "generation_config.json").write_text(json.dumps(stated))
    expected = by_transformers(
        bart, TEXTS, num_beams=3, no_repeat_ngram_size=1, max_new_tokens=8, temperature=1.0
    )
    assert writer(folder, num_beams=None).fit_transform(TEXTS).tolist() == expected
    expected = by_transformers(bart, TEXTS, no_repeat_ngram_size=1, max_new_tokens=8)
    assert writer(folder).fit_transform(TEXTS).tolist() == expected


def test_settings_in_the_config_of_an_older_folder_are_used(bart, tmp_path):
    folder = shutil.copytree(bart, tmp_path / "model")
    (folder / "generation_config.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    config |= {"num_beams": 3, "max_length": 4, "decoder_start_token_id": 1}
    config |= {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    (folder / "config.json").write_text(json.dumps(config))
    expected = by_transformers(folder, TEXTS, max_new_tokens=8)
    assert expected != by_transformers(folder, TEXTS, num_beams=1, max_new_tokens=8)
    assert writer(folder, num_beams=None).fit_transform(TEXTS).tolist() == expected


def test_a_search_by_code_of_a_hub_is_refused(bart, tmp_path):
    folder = shutil.copytree(bart, tmp_path / "model")
    stated = json.loads((folder / "generation_config.json").read_text())
    stated |= {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5}
    (folder / "generation_config.json").write_text(json.dumps(stated))
    with pytest.raises(BackboneError, match="a search other than greedy"):
        writer(folder, num_beams=None).fit_transform(TEXTS)


def test_bfloat16_writes_texts(bart):
    assert len(writer(bart, precision="bfloat16").fit_transform(TEXTS)) == 6


# Sampling ----------------------------------------------------------------------------------------


def test_what_is_drawn_depends_on_the_row_and_the_seed_alone(bart, gpt2):
    for folder in (bart, gpt2):
        model = writer(folder, do_sample=True).fit(TEXTS)
        torch.manual_seed(5)
        before = torch.get_rng_state()
        drawn = model.transform(TEXTS).tolist()
        assert torch.equal(before, torch.get_rng_state())
        assert model.transform(TEXTS[::-1]).tolist() == drawn[::-1]
        assert model.set_params(batch_size=1).transform(TEXTS[2:3]).tolist() == drawn[2:3]
        assert model.set_params(random_state=1).transform(TEXTS).tolist() != drawn


def test_sampling_from_the_most_probable_token_is_greedy(bart):
    greedy = writer(bart).fit_transform(TEXTS).tolist()
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}):
        assert writer(bart, do_sample=True, **narrow).fit_transform(TEXTS).tolist() == greedy


def test_numbers_of_numpy_are_plain_ones(bart, cache_folder):
    plain = {"num_beams": 2, "top_k": 3, "top_p": 0.5, "temperature": 2.0, "max_new_tokens": 6}
    expected = writer(bart, cache=True, do_sample=True, **plain).fit_transform(TEXTS).tolist()
    found = writer(
        bart, cache=True, do_sample=True, **{n: np.array([v])[0] for n, v in plain.items()}
    )
    assert found.fit_transform(TEXTS).tolist() == expected
    assert cache_info().rows == 6
    writer(bart, cache=True).fit_transform(TEXTS)
    writer(bart, cache=True, temperature=0.3).fit_transform(TEXTS)  # of sampling only
    assert cache_info().rows == 12


# What is put around a text -----------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["alpha beta ", "alpha {} beta", "{} and {}"])
def test_a_prompt_is_before_or_around_a_text(gpt2, prompt):
    found = writer(gpt2, prompt=prompt).fit_transform(TEXTS).tolist()
    template = prompt if "{}" in prompt else prompt + "{}"
    filled = [template.replace("{}", text) for text in TEXTS]
    assert found == by_transformers(gpt2, filled, max_new_tokens=8)


def test_the_chat_template_is_used_unless_it_is_not_wanted(tmp_path, gpt2):
    folder = shutil.copytree(gpt2, tmp_path / "model")
    (folder / "chat_template.jinja").write_text(CHAT)
    words = hf.AutoTokenizer.from_pretrained(folder)
    assert words.chat_template == CHAT
    model = hf.AutoModelForCausalLM.from_pretrained(folder)
    expected = []
    for text in TEXTS:
        inputs = words.apply_chat_template(
            [{"role": "user", "content": text}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        inputs.pop("token_type_ids", None)
        ids = model.generate(**inputs, max_new_tokens=8, pad_token_id=1)[0]
        start = inputs["input_ids"].shape[1]
        expected.append(words.decode(ids[start:], skip_special_tokens=True).strip())
    assert writer(folder).fit_transform(TEXTS).tolist() == expected
    assert writer(folder, chat=True).fit_transform(TEXTS).tolist() == expected
    plain = by_transformers(gpt2, TEXTS, max_new_tokens=8)
    assert writer(folder, chat=False).fit_transform(TEXTS).tolist() == plain
    with pytest.raises(BackboneError, match=r"has no chat template\. Set chat=False"):
        writer(gpt2, chat=True).fit(TEXTS)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('no user') }}", "no user"),
        ("{{ strftime_now('%d') }}", "date_of_today"),
        ("{{ ''.__class__.__mro__ }}", "unsafe|undefined"),
        ("{% for", "chat template of the model cannot be used"),
    ],
)
def test_a_chat_template_that_fails_or_tells_the_date_is_refused(template, message, tmp_path, gpt2):
    folder = shutil.copytree(gpt2, tmp_path / "model")
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(BackboneError, match=message):
        writer(folder).fit_transform(TEXTS)


def test_a_template_may_ask_whether_there_is_a_date(tmp_path, gpt2):
    folder = shutil.copytree(gpt2, tmp_path / "model")
    (folder / "chat_template.jinja").write_text(
        "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% else %}" + CHAT + "{% endif %}"
    )
    assert len(writer(folder).fit_transform(TEXTS)) == 6


@pytest.mark.parametrize("stop", ["beta", ["mu", "beta"], "not there"])
def test_a_text_ends_before_a_stop(gpt2, stop):
    whole = writer(gpt2, max_new_tokens=20).fit_transform(TEXTS)
    stops = [stop] if isinstance(stop, str) else stop
    found = writer(gpt2, max_new_tokens=20, stop=stop).fit_transform(TEXTS)
    for text, all_of_it in zip(found, whole, strict=True):
        ends = [all_of_it.index(s) for s in stops if s in all_of_it]
        assert text == (all_of_it[: min(ends)].rstrip() if ends else all_of_it)


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("\nQ:", "A"),
        ("\n Q", ""),
        ("\n", "Q: A"),
        (" ", "Q:"),
        (["A", ":"], "Q"),
        ("z", "Q: A\nQ:"),
    ],
)
def test_a_stop_is_found_in_the_text_with_its_spaces(gpt2, stop, expected):
    text = "\n A\nQ:" if stop == "\nQ:" else "\n Q: A\nQ: "
    assert writer(gpt2, stop=stop)._read(text) == expected


def test_a_stop_without_characters_is_refused(gpt2):
    with pytest.raises(ValueError, match="stop must be strings of at least one character, got ''"):
        writer(gpt2, stop=["a", ""]).fit(TEXTS)


# Lengths -----------------------------------------------------------------------------------------


def test_of_a_long_text_the_start_is_used_and_the_whole_prompt(gpt2):
    long = " ".join(["alpha"] * 30)
    model = writer(gpt2, prompt="beta {} mu", max_length=12).fit([long])
    with pytest.warns(LeftOutWarning, match=r"1 of 2 texts have more than max_length=12 tokens"):
        found = model.transform([long, "gamma"])
    kept = f"beta {' '.join(['alpha'] * 8)} mu"  # two of 12 are special
    assert found[0] == by_transformers(gpt2, [kept], max_new_tokens=8)[0]
    with pytest.raises(BadCellError, match=r"row 0: .*32 words.*|row 0.*has 34 tokens"):
        model.set_params(long_texts="raise").transform([long])
    with pytest.warns(BadCellWarning, match="1 of 2 rows are returned as None"):
        found = model.set_params(on_error="nan").transform([long, "gamma"])
    assert found[0] is None
    assert isinstance(found[1], str)


def test_a_prompt_that_leaves_no_room_is_refused(gpt2):
    with pytest.raises(BadCellError, match=r"max_length=4 leaves no room .* prompt\. To go"):
        writer(gpt2, prompt="beta beta beta beta {}", max_length=4).fit_transform(["alpha beta"])


def test_a_text_without_tokens_is_a_bad_cell(gpt2, tmp_path):
    folder = shutil.copytree(gpt2, tmp_path / "model")
    content = json.loads((folder / "tokenizer.json").read_text()) | {"post_processor": None}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    model = writer(folder, missing="empty", on_error="nan").fit(TEXTS)
    with pytest.warns(BadCellWarning, match="the text has no tokens"):
        found = model.transform(["", "alpha"])
    assert found[0] is None
    assert found[1] == model.transform(["alpha"])[0]


def test_lengths_beyond_the_positions_are_refused(bart, gpt2):
    with pytest.raises(BackboneError, match=r"max_new_tokens=64 is too large: .* for 64 tokens"):
        writer(bart, max_new_tokens=64).fit(TEXTS)
    with pytest.raises(BackboneError, match="for 64 tokens, with those of the text"):
        writer(gpt2, max_new_tokens=64).fit(TEXTS)
    with pytest.raises(BackboneError, match="max_length=60 is more than the 56 tokens"):
        writer(gpt2, max_length=60).fit(TEXTS)
    long = [" ".join(["alpha"] * 70)]
    with pytest.warns(LeftOutWarning, match="max_length=50 tokens with their prompt"):
        assert len(writer(bart).fit_transform(long)) == 1  # 50 is what the tokenizer states


# Languages ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    return save_translator("nllb", tmp_path_factory.mktemp("nllb"))


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_translations_are_those_of_transformers(kind, tmp_path):
    folder = save_translator(kind, tmp_path)
    german, french = ("deu_Latn", "fra_Latn") if kind == "nllb" else ("de_DE", "fr_XX")
    words = hf.AutoTokenizer.from_pretrained(folder)
    model = hf.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    found = {}
    for source, target in ((german, french), (french, german)):
        words.src_lang = source
        expected = []
        for text in TEXTS:
            inputs = words(text, return_tensors="pt")
            forced = words.convert_tokens_to_ids(target)
            ids = model.generate(
                **inputs, forced_bos_token_id=forced, max_new_tokens=8, do_sample=False
            )
            expected.append(words.decode(ids[0], skip_special_tokens=True).strip())
        both = {"source_language": source, "target_language": target}
        assert writer(folder, **both).fit_transform(TEXTS).tolist() == expected
        found[source] = expected
    assert found[german] != found[french]


def test_languages_have_texts_of_their_own_in_the_cache(translator, cache_folder):
    model = writer(translator, cache=True, target_language="deu_Latn").fit(TEXTS)
    german = model.transform(TEXTS).tolist()
    for name, code in (("target_language", "fra_Latn"), ("source_language", "deu_Latn")):
        clone(model).set_params(**{name: code}).fit_transform(TEXTS)
    assert cache_info().rows == 18
    assert model.transform(TEXTS).tolist() == german


def test_a_language_that_a_folder_states_is_used(translator, tmp_path):
    folder = shutil.copytree(translator, tmp_path / "model")
    words = hf.AutoTokenizer.from_pretrained(folder)
    path = folder / "generation_config.json"
    stated = {"forced_bos_token_id": words.convert_tokens_to_ids("deu_Latn")}
    path.write_text(json.dumps(json.loads(path.read_text()) | stated))
    words.src_lang = "fra_Latn"
    words.save_pretrained(folder)
    given = writer(translator, source_language="fra_Latn", target_language="deu_Latn")
    assert writer(folder).fit_transform(TEXTS).tolist() == given.fit_transform(TEXTS).tolist()


@pytest.mark.parametrize("parameter", ["source_language", "target_language"])
def test_languages_that_a_model_does_not_have_are_refused(bart, gpt2, translator, parameter):
    for folder in (bart, gpt2):
        with pytest.raises(BackboneError, match=f"{parameter}='de', .* does not mark languages"):
            writer(folder, **{parameter: "de"}).fit(TEXTS)
    model = writer(translator, target_language="deu_Latn")
    with pytest.raises(BackboneError, match=rf"{parameter}='xx_Latn' is none of the 202 languages"):
        model.set_params(**{parameter: "xx_Latn"}).fit(TEXTS)
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter of TextGenerator"):
        model.set_params(**{parameter: 3}).fit(TEXTS)


# Special tokens ----------------------------------------------------------------------------------


def test_special_tokens_in_a_text_are_text_and_those_of_a_prompt_are_not(bart, tmp_path):
    typed = [f"{text} </s> <pad> mu" for text in TEXTS]
    plain = [f"{text} < /s> < pad> mu" for text in TEXTS]
    folder = shutil.copytree(bart, tmp_path / "model")
    tokenizer(eos_token="</s>", bos_token="<s>").save_pretrained(folder)
    found = writer(folder).fit_transform(typed).tolist()
    assert found == by_transformers(folder, plain, max_new_tokens=8)
    assert found != by_transformers(folder, typed, max_new_tokens=8)
    prompted = writer(folder, prompt="gamma </s> {}").fit_transform(typed).tolist()
    filled = [f"gamma </s> {text}" for text in plain]
    assert prompted == by_transformers(folder, filled, max_new_tokens=8)


def test_special_tokens_in_a_message_do_not_end_it(gpt2, tmp_path):
    folder = shutil.copytree(gpt2, tmp_path / "model")
    tokenizer(eos_token="</s>", bos_token="<s>").save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(CHAT.replace("{% endfor", "</s> {% endfor"))
    found = writer(folder).fit_transform(["alpha </s> <s> beta"]).tolist()
    assert found == writer(folder).fit_transform(["alpha < /s> < s> beta"]).tolist()
    model = writer(folder).fit(TEXTS)
    preparer = model._modality().bind(model._get_backbone())
    assert preparer.prepare("alpha </s> beta", None).count(2) == 1


# Folders that cannot be used ---------------------------------------------------------------------


def test_names_and_folders_without_a_model_are_refused(tmp_path):
    for name in ("nowhere", tmp_path / "nowhere"):
        with pytest.raises(BackboneError, match=r"There is no model .*nowhere"):
            writer(name).fit(TEXTS)
    with pytest.raises(BackboneError, match=r"there is no config\.json"):
        writer(tmp_path).fit(TEXTS)
    with pytest.raises(OfflineError, match="Not on this machine: the Hugging Face model 'org/x'"):
        writer("org/x").fit(TEXTS)


@pytest.mark.parametrize("kind", ["bert", "t5", "gpt2", "clip_text_model"])
def test_a_model_without_a_part_that_writes_is_refused(kind, tmp_path):
    build(kind).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="which does not write texts"):
        writer(tmp_path).fit(TEXTS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "mine", "auto_map": {}}, "brings its own Python code"),
        ({"model_type": "mine"}, "is a model of type 'mine', which cannot be used"),
        ({"quantization_config": {"bits": 4}}, "has quantised weights"),
        ({"model_type": "bigbird_pegasus"}, "longest row of a batch"),
    ],
)
def test_configs_that_cannot_be_used_are_refused(bart, tmp_path, changes, message):
    folder = shutil.copytree(bart, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(BackboneError, match=message):
        writer(folder).fit(TEXTS)


def test_a_model_of_many_languages_must_state_into_which(translator):
    with pytest.raises(
        BackboneError, match=r"does not say into which\. Pass target_language, a cod"
    ):
        writer(translator).fit(TEXTS)


@pytest.mark.parametrize("kind", ["mbart", "mbart50"])
def test_an_mbart_without_a_language_to_write_chooses_it_as_in_transformers(kind, tmp_path):
    folder = save_translator(kind, tmp_path)
    found = writer(folder).fit_transform(TEXTS).tolist()
    assert found == by_transformers(folder, TEXTS, max_new_tokens=8)


def test_weights_that_do_not_fit_are_refused(bart, tmp_path):
    folder = shutil.copytree(bart, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("fc1.weight"))
    save_file({n: t for n, t in weights.items() if n != name}, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"missing: .*fc1\.weight"):
        writer(folder).fit(TEXTS)
    save_file(weights | {name: weights[name][:1].clone()}, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"of another shape: .*fc1\.weight"):
        writer(folder).fit(TEXTS)
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="cannot be read as tensors"):
        writer(folder).fit(TEXTS)


def test_damaged_tokenizers_and_settings_are_refused(bart, tmp_path):
    folder = shutil.copytree(bart, tmp_path / "model")
    (folder / "generation_config.json").write_text('{"num_beams": "three", "top_k": []}')
    with pytest.raises(
        BackboneError, match=r"generation_config.json .*cannot be used|cannot write"
    ):
        writer(folder, num_beams=None).fit_transform(TEXTS)
    (folder / "generation_config.json").write_text("[]")
    with pytest.raises(BackboneError, match="must hold a JSON object"):
        writer(folder).fit(TEXTS)
    (folder / "generation_config.json").unlink()
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(BackboneError, match=r"The tokenizer in .* cannot be used"):
        writer(folder).fit(TEXTS)


def test_a_tokenizer_without_its_library_names_the_extra(tmp_path):
    folder = save_writer("marian", tmp_path)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "MarianTokenizer"}')
    is_there = importlib.util.find_spec("sentencepiece") is not None
    fix = "" if is_there else r": it needs sentencepiece: pip install 'sktransfer\[translation\]'"
    with pytest.raises(BackboneError, match=rf"The tokenizer in .* cannot be used{fix}"):
        writer(folder).fit(TEXTS)


# The cache ---------------------------------------------------------------------------------------


def test_each_distinct_text_is_written_once_ever(bart, cache_folder):
    model = writer(bart, cache=True)
    texts = model.fit_transform([*TEXTS, TEXTS[1], TEXTS[0]])
    assert texts[6:].tolist() == [texts[1], texts[0]]
    assert cache_info().rows == 6
    before = cache_info().computed
    assert model.transform(TEXTS).tolist() == texts[:6].tolist()
    assert model.set_params(stop="mu").transform(TEXTS).shape == (6,)
    assert cache_info().computed == before
    assert writer(bart).fit_transform(TEXTS).tolist() == texts[:6].tolist()


@pytest.mark.parametrize(
    "options",
    [
        {"max_new_tokens": 7},
        {"num_beams": 2},
        {"prompt": "mu "},
        {"max_length": 20},
        {"precision": "bfloat16"},
        {"do_sample": True},
    ],
)
def test_other_settings_have_texts_of_their_own(bart, cache_folder, options):
    model = writer(bart, cache=True).fit(TEXTS)
    model.transform(TEXTS)
    model.set_params(**options).fit_transform(TEXTS)
    assert cache_info().rows == 12


def test_draws_of_another_seed_are_kept_apart(bart, cache_folder):
    for seed in (0, 1, 0):
        writer(bart, cache=True, do_sample=True, random_state=seed).fit_transform(TEXTS)
    assert cache_info().rows == 12


# Cells -------------------------------------------------------------------------------------------


def test_bad_and_missing_cells(bart):
    model = writer(bart).fit(TEXTS)
    with pytest.raises(BadCellError, match="row 1: 3"):
        model.transform(["alpha", 3])
    with pytest.raises(BadCellError, match="row 1: None"):
        model.transform(["alpha", None])
    with pytest.warns(BadCellWarning, match="2 of 3 rows are returned as None"):
        found = model.set_params(on_error="nan").transform([3, "alpha", None])
    assert [text is None for text in found] == [True, False, True]
    found = model.set_params(missing="nan", on_error="raise").transform(["alpha", None, ""])
    assert [text is None for text in found] == [False, True, True]
    found = model.set_params(missing="empty", prompt="mu ").transform([None, ""])
    assert found[0] == found[1] == by_transformers(bart, ["mu "], max_new_tokens=8)[0]


# The contract ------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", WITHOUT_DATA)
def test_checks_that_need_no_data(check, bart):
    getattr(estimator_checks, check)("TextGenerator", writer(bart))


def test_the_container_does_not_matter(bart):
    expected = writer(bart).fit_transform(TEXTS).tolist()
    for column in (
        np.array(TEXTS),
        pd.Series(TEXTS, index=[7] * 6),
        pd.DataFrame({"text": TEXTS}),
        pl.Series(TEXTS),
        pa.table({"text": TEXTS}),
    ):
        assert writer(bart).fit_transform(column).tolist() == expected
    with pytest.raises(ColumnError):
        writer(bart).fit(pd.DataFrame({"a": TEXTS, "b": TEXTS}))
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        writer(bart).fit([])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_names_and_frames(bart, library):
    model = writer(bart).fit(TEXTS)
    assert model.get_feature_names_out().tolist() == ["text"]
    frame = model.set_output(transform=library).fit_transform(pd.Series(TEXTS, name="review"))
    assert isinstance(frame, pd.DataFrame if library == "pandas" else pl.DataFrame)
    assert list(frame.columns) == ["review"]
    with pytest.raises(NotFittedError):
        writer(bart).transform(TEXTS)


def test_a_model_of_what_is_written(bart, cache_folder):
    model = make_pipeline(
        writer(bart, cache=True), TextEmbedder(missing="empty"), LogisticRegression()
    )
    search = GridSearchCV(model, {"textgenerator__num_beams": [1, 2]}, cv=2)
    search.fit(TEXTS, [0, 1] * 3)
    assert search.predict(TEXTS).shape == (6,)
    found = explain(search, ["alpha beta gamma"])
    assert len(found.parts[0]["0"]) == 3


def test_copies_and_files_write_the_same(bart, tmp_path):
    model = make_pipeline(writer(bart), CountVectorizer()).fit(TEXTS)
    expected = model.transform(TEXTS).toarray()
    save(model, tmp_path / "model.skt")
    for again in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.skt")):
        assert again[0].get_params() == model[0].get_params()
        np.testing.assert_array_equal(again.transform(TEXTS).toarray(), expected)
    assert clone(model[0]).get_params() == model[0].get_params()
    with pytest.raises(BackboneError, match="cannot be packed into a file"):
        save(model, tmp_path / "model.skt", standalone=True)


def test_a_folder_that_has_changed_is_refused(bart, tmp_path):
    folder = shutil.copytree(bart, tmp_path / "model")
    model = writer(folder).fit(TEXTS)
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    with pytest.raises(WeightsError, match="is not what this TextGenerator was fitted with"):
        model.transform(TEXTS)


def test_a_lazy_column_gives_lazy_texts(bart):
    expected = writer(bart).fit_transform(TEXTS).tolist()
    lazy = writer(bart).fit_transform(dd.from_pandas(pd.Series(TEXTS), npartitions=2))
    assert lazy.compute(scheduler="synchronous").tolist() == expected


def test_a_bar_counts_the_rows_to_write(bart, capsys):
    writer(bart, verbose=1).fit_transform([*TEXTS] * 2)
    assert "TextGenerator: 12 rows, 6 to compute" in capsys.readouterr().err
