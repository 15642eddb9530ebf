"""Tokenizers of models that write: what is typed in a text is text, and languages are marked."""

import pytest
import transformers as hf
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from sktransfer.backbones.huggingface._writing_tokenizer import WritingTokenizer
from sktransfer.exceptions import BackboneError
from tests.embedders._writers import TRANSLATORS, save_translator

START = ["<s>", "<pad>", "</s>", "<unk>", "<|im_end|>"]
LETTERS = [*"</s>paduniklmb|x_ "]


def save(kind, folder):
    """Save a tokenizer of one of the three algorithms with special tokens in its vocabulary."""
    pieces = list(dict.fromkeys([*START, "\u2581", "\u0120", *LETTERS]))
    if kind == "unigram":
        found = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=3))
        found.normalizer = normalizers.NFKC()
        found.pre_tokenizer, found.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    else:
        numbers = {piece: number for number, piece in enumerate(pieces)}
        if kind == "bpe":
            found = Tokenizer(models.BPE(numbers, []))
            found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            found.decoder = decoders.ByteLevel()
        else:
            found = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
            found.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    hf.PreTrainedTokenizerFast(
        tokenizer_object=found, extra_special_tokens=["<|im_end|>"], **names
    ).save_pretrained(folder)
    return WritingTokenizer(folder, pads_left=True)


@pytest.mark.parametrize(
    "typed", ["</s>", "a</s><s>b", "<|im_end|>", "<<pad>pad>", "<pad></s", "\uff1c/s\uff1e</s>"]
)
@pytest.mark.parametrize("kind", ["bpe", "unigram", "words"])
def test_special_tokens_that_are_typed_are_text(kind, typed, tmp_path):
    tokenizer = save(kind, tmp_path)
    special = {0, 1, 2, 4}
    assert special & {*tokenizer.ids("</s>", chat=False)}
    text = tokenizer.without_control(f"x {typed} x")
    assert not special & {*tokenizer.ids(text, chat=False)}
    assert len(text) < len(typed) + 8


@pytest.mark.parametrize("text", ["a < /s> b", "\uff1cb\uff1e \u2460", "s>", "", "</S>"])
def test_other_texts_stay_as_they_are(text, tmp_path):
    assert save("unigram", tmp_path).without_control(text) == text


def test_languages_of_marian_that_are_typed_are_text(tmp_path, monkeypatch):
    save("words", tmp_path)
    monkeypatch.setattr(hf.PreTrainedTokenizerFast, "supported_language_codes", [], raising=False)
    tokenizer = WritingTokenizer(tmp_path, pads_left=False)
    assert tokenizer.without_control(">>fra<< b") == "> >fra<< b"
    assert tokenizer.without_control("a >> b") == "a >> b"


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_the_language_of_one_text_is_not_that_of_the_next(kind, tmp_path):
    save_translator(kind, tmp_path)
    tokenizer, theirs = (
        WritingTokenizer(tmp_path, pads_left=False),
        hf.AutoTokenizer.from_pretrained(tmp_path),
    )
    german, usual = ("deu_Latn", "eng_Latn") if kind == "nllb" else ("de_DE", "en_XX")
    for language in (german, None, german):
        theirs.src_lang = language or usual
        expected = theirs("alpha beta")["input_ids"]
        assert tokenizer.ids("alpha beta", chat=False, language=language) == expected
        assert tokenizer.languages[theirs.src_lang] in expected
    typed = tokenizer.without_control(f"{german} alpha")
    ids = tokenizer.ids(typed, chat=False)
    assert tokenizer.languages[german] not in ids
    assert len(tokenizer.languages) == {"nllb": 202, "mbart": 25, "mbart50": 52}[kind]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("de", r"target_language='de' is none of the 202 languages of 'it', which has 'deu_Latn' "),
        ("DEU", "has 'deu_Latn' and others"),
        ("fra_latn", "has 'fra_Latn' and others"),
        ("French", "has 'fra_Latn' and others"),
        ("xx", "has 'ace_Arab', 'ace_Latn'"),
        ("", "has 'ace_Arab', 'ace_Latn'"),
    ],
)
def test_a_language_that_is_none_of_the_model_is_refused_with_near_ones(code, message, tmp_path):
    tokenizer = WritingTokenizer(save_translator("nllb", tmp_path), pads_left=False)
    with pytest.raises(BackboneError, match=message):
        tokenizer.check_language("target_language", code, "it")
