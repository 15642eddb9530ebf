"""Token ids of a text do not depend on truncation, threads, or earlier calls."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, chain, pairwise

import pytest
import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from sktransfer.exceptions import BackboneError
from sktransfer.modalities.text import TextTokenizer

PHRASE = "the quick brown fox jumps over a lazy dog while it rains in naïve Straße 日本 😀 42"
WORDS = PHRASE.split()
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def word_pieces() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return trained(
        tokenizer,
        trainers.WordPieceTrainer(vocab_size=120, special_tokens=SPECIAL, show_progress=False),
    )


def byte_pairs() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return trained(
        tokenizer,
        trainers.BpeTrainer(
            vocab_size=330,
            special_tokens=SPECIAL,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )


def whole_texts() -> Tokenizer:
    """Return single characters of a text that is not split into words, as decoders have it."""
    names = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *sorted({*PHRASE, "▁"})]
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    return with_special_tokens(tokenizer)


def sentence_pieces() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return trained(
        tokenizer,
        trainers.UnigramTrainer(
            vocab_size=60, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
        ),
    )


def trained(tokenizer: Tokenizer, trainer: object) -> Tokenizer:
    tokenizer.train_from_iterator([" ".join(WORDS)] * 50, trainer)
    return with_special_tokens(tokenizer)


def with_special_tokens(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


MADE = {make.__name__: make() for make in (word_pieces, byte_pairs, sentence_pieces)}

NASTY = {
    "empty": "",
    "spaces only": " " * 10**4,
    "spaces, then words": " " * 10**5 + " ".join(WORDS * 9),
    "words, spaces, words": " ".join(WORDS * 40) + " " * 10**4 + "fox",
    "a long word": "x" * 10**5,
    "a long word, then words": "x" * 10**5 + " " + " ".join(WORDS * 9),
    "words with wide gaps": (" " * 700).join(WORDS * 9),
    "emoji": "😀" * 4000,
    "emoji families": " ".join(["👩‍👩‍👧‍👦" * 30] * 90),
    "lines": "\n".join(WORDS * 400),
    "line ends": "\r\n\r\n".join(WORDS * 400),
    "other white space": "\u3000".join(WORDS * 90) + "\x1c" + "\x0b".join(WORDS * 400),
    "removed characters": "\x00fo\x00x \x01 ".join(WORDS * 400),
    "accents apart": "e\u0301 \u0301x ".join(WORDS * 400),
    "special tokens": " </s> <pad>".join(WORDS * 400),
    "no spaces": "日本語, naïve.fox-" * 5000,
    "letters apart": "日本語" * 5000,
    "joining marks": "e\u0301" * 20000,
    "Korean letters": "\u1112\u1161\u11ab " * 9000,
    "sentences": ". ".join(" ".join(WORDS) for _ in range(200)),
}


@pytest.fixture(params=MADE)
def tokenizer(request):
    return TextTokenizer(MADE[request.param], pad_id=1)


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("made", MADE)
def test_truncating_the_text_first_equals_truncating_the_tokens(made, text):
    tokenizer = TextTokenizer(MADE[made], pad_id=1)
    first, *whole, last = MADE[made].encode(NASTY[text]).ids
    for max_length in (3, 16, 130):
        (got,) = tokenizer.encode([NASTY[text]], max_length)
        assert got == [first, *whole[: max_length - 2], last]


@pytest.mark.parametrize("made", MADE)
def test_a_row_is_that_of_the_tokenizer_with_its_own_truncation(made):
    own = Tokenizer.from_str(MADE[made].to_str())
    own.enable_truncation(16)
    text = NASTY["sentences"]
    assert TextTokenizer(MADE[made], pad_id=1).encode([text], 16) == [own.encode(text).ids]


@pytest.mark.parametrize("made", MADE)
def test_a_huge_text_is_tokenized_quickly(made):
    # Without spaces such a text is one word for sentence pieces, which must be read completely.
    texts = ["the quick " * 10**6, "naïve.fox-" * 10**6][: 1 if made == "sentence_pieces" else 2]
    tokenizer = TextTokenizer(MADE[made], pad_id=1)
    start = time.process_time()
    rows = tokenizer.encode(texts, 256)
    assert time.process_time() - start < 2.0
    assert all(len(row) == 256 for row in rows)


def test_rows_do_not_depend_on_each_other(tokenizer):
    texts = [text[-2000:] for text in NASTY.values()]
    assert tokenizer.encode(texts, 20) == [tokenizer.encode([text], 20)[0] for text in texts]


def test_threads_may_request_different_lengths(tokenizer):
    texts = [" ".join(WORDS[i % 7 :] * (1 + i % 5)) for i in range(20)]
    lengths = list(range(3, 40)) * 2
    alone = [tokenizer.encode(texts, length) for length in lengths]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda length: tokenizer.encode(texts, length), lengths))
    assert alone == together


def test_settings_of_the_original_tokenizer_are_neither_used_nor_changed():
    original = Tokenizer.from_str(MADE["word_pieces"].to_str())
    original.enable_truncation(5, stride=1)
    original.enable_padding(length=9, pad_id=1, pad_token="<pad>")
    before = original.to_str()
    tokenizer = TextTokenizer(original, pad_id=1)
    assert tokenizer.encode(["the quick fox " * 3], 50) == TextTokenizer(
        MADE["word_pieces"], pad_id=1
    ).encode(["the quick fox " * 3], 50)
    assert tokenizer.digest == TextTokenizer(MADE["word_pieces"], pad_id=1).digest
    assert original.to_str() == before


def test_the_digest_is_that_of_the_content(tokenizer):
    digest = tokenizer.digest
    tokenizer.encode(["the fox"], 9)
    assert tokenizer.digest == digest
    assert len(digest) == 32
    others = [TextTokenizer(made, pad_id=1).digest for made in MADE.values()]
    made = MADE["word_pieces"]
    others += [
        TextTokenizer(made, pad_id=0).digest,
        TextTokenizer(made, pad_id=1, prefix="fox ").digest,
        TextTokenizer(made, pad_id=1, lower=True).digest,
    ]
    assert len(set(others)) == 6


def test_prefix_and_lower_casing_are_applied_before_tokenization():
    tokenizer = TextTokenizer(MADE["byte_pairs"], pad_id=1, prefix="The: ", lower=True)
    plain = TextTokenizer(MADE["byte_pairs"], pad_id=1)
    assert tokenizer.encode(["FOX Dog"], 50) == plain.encode(["the: fox dog"], 50)


def chunked(made: Tokenizer, text: str, max_length: int) -> tuple[list[int], list[str]]:
    """Return the numbers of tokens of all chunks, without special tokens, and their texts."""
    chunks = [c[1:-1] for c in TextTokenizer(made, pad_id=1).encode_chunks(text, max_length)]
    encoding = made.encode(text, add_special_tokens=False)
    assert [*chain.from_iterable(chunks)] == encoding.ids
    ends = [0, *accumulate(map(len, chunks))]
    offsets = encoding.offsets
    parts = [offsets[i:j] for i, j in pairwise(ends)]
    return [*map(len, chunks)], [text[part[0][0] : part[-1][1]] for part in parts if part]


CHUNKED = [word_pieces, byte_pairs, sentence_pieces, whole_texts]


@pytest.mark.parametrize("make", CHUNKED)
@pytest.mark.parametrize("words", [WORDS, ["rains", "brown", "naïve", "dog"], ["日本", "😀😀"]])
def test_chunks_end_between_words(make, words):
    lengths, texts = chunked(make(), " ".join(words * 30), 40)
    assert {word for text in texts for word in text.split()} <= set(words)
    assert max(lengths) <= 38


@pytest.mark.parametrize("make", CHUNKED)
@pytest.mark.parametrize("text", ["Я" * 999, "日本語" * 400, "😀" * 300, "x" * 90], ids=ascii)
def test_chunks_of_one_long_word_end_between_characters(make, text):
    lengths, texts = chunked(make(), text, 15)
    assert "".join(texts) in (text, text[:1])  # the second where the word is one unknown token
    assert max(lengths) <= 13


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("made", MADE)
def test_chunks_are_of_similar_length_and_below_the_limit(made, text):
    for max_length in (3, 12, 130):
        lengths, _ = chunked(MADE[made], NASTY[text][-2000:], max_length)
        assert max(lengths, default=0) <= max_length - 2
        assert min(lengths) >= 0.35 * (max_length - 2) or len(lengths) == 1


def test_rows_are_padded_on_the_right(tokenizer):
    batch = tokenizer.collate([[0, 7, 2], [0, 2]])
    assert batch["input_ids"].tolist() == [[0, 7, 2], [0, 2, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}
    assert tokenizer.collate([])["input_ids"].shape == (0, 0)


def test_a_text_without_tokens_still_has_one():
    tokenizer = Tokenizer.from_str(MADE["word_pieces"].to_str())
    tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    assert TextTokenizer(tokenizer, pad_id=1).encode([""], 5) == [[1]]


def test_max_length_must_leave_room_for_a_token(tokenizer):
    with pytest.raises(BackboneError, match="max_length=2 leaves no room"):
        tokenizer.encode(["the"], 2)
