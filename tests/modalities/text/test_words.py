"""Words of texts: their places, tokens, windows and spelling."""

import itertools

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from sktransfer.backbones import get_backbone
from sktransfer.exceptions import BackboneError, BadCellError
from sktransfer.modalities.text import N_SPELLINGS, TextTokenizer, WordModality, words_of
from sktransfer.modalities.text._spelling import PER_WORD, spelling_of
from sktransfer.modalities.text._word_modality import _central, _tokens_of, _window_starts
from sktransfer.modalities.text._words import read_words

TEXT = "Dr. O'Neil paid €5.50 to 東京タワー, हिन्दी नमस्ते  a_b\n😀y Zürich!"
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Dr. O'Neil", ["Dr", ".", "O", "'", "Neil"]),
        ("  a\tb\n\nc ", ["a", "b", "c"]),
        ("€5.50, #1", ["€", "5", ".", "50", ",", "#", "1"]),
        ("a_b x-y", ["a_b", "x", "-", "y"]),
        ("हिन्दी नमस्ते", ["हिन्दी", "नमस्ते"]),
        ("東京でコーヒー", [*"東京でコ", "ー", *"ヒ", "ー"]),
        ("Zürich 😀!", ["Zürich", "😀", "!"]),
        ("한국어 말", ["한국어", "말"]),
        ("", [""]),
    ],
)
def test_words_are_runs_of_letters_and_other_characters_one_by_one(text, words):
    found = words_of(text)
    assert found.strings == words
    assert not found.are_given


def test_words_that_are_given_stay_as_they_are():
    found = words_of(("New York", "St.", "", "😀"))
    assert found.strings == ["New York", "St.", "", "😀"]
    assert found.text == "New York St.  😀"
    assert len(words_of(())) == 1


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (["a", None], "word 1 is a value of type NoneType"),
        (["a", 3], "word 1 is a value of type int"),
        ([], "the text is missing"),
        ([" "], "the text is missing"),
        (["a", "\ud800"], "lone surrogate"),
        (b"a", "bytes are not text"),
        (None, "the text is missing"),
    ],
)
def test_a_cell_that_is_no_text_is_reported(cell, message):
    found = read_words(cell, "raise")
    assert isinstance(found, BadCellError)
    assert message in str(found)


def test_arrays_of_words_are_lists_of_words():
    assert read_words(np.array(["a", "b"]), "raise") == ("a", "b")


def test_tokens_belong_to_the_word_that_they_are_in():
    words = np.array([(0, 3), (4, 5), (5, 9), (10, 12)])
    tokens = np.array([(0, 2), (2, 3), (3, 5), (5, 9), (9, 10), (10, 11), (11, 12)])
    assert _tokens_of(words, tokens).tolist() == [[0, 2], [2, 3], [3, 4], [4, 7]]


def test_a_word_without_a_token_has_that_of_the_word_before():
    words = np.array([(0, 1), (1, 2), (3, 4)])
    assert _tokens_of(words, np.array([(0, 2), (3, 4)])).tolist() == [[0, 1], [0, 1], [1, 2]]
    assert _tokens_of(words, np.zeros((0, 2), int)).tolist() == [[0, 1]] * 3


def test_windows_overlap_and_hold_every_token():
    for n_tokens in (1, 10, 11, 17, 18, 100):
        starts = _window_starts(n_tokens, 10)
        assert starts[0] == 0
        assert starts[-1] == max(0, n_tokens - 10)
        assert all(0 < after - before <= 8 for before, after in itertools.pairwise(starts))


def test_a_word_is_taken_from_the_window_in_whose_middle_it_is():
    tokens = np.stack([np.arange(25), np.arange(1, 26)], axis=1)
    starts = np.array(_window_starts(25, 10))
    window, first, last = _central(tokens, starts, 10).T
    np.testing.assert_array_equal(starts[window] + first, np.arange(25))
    np.testing.assert_array_equal(last, first + 1)
    left = np.where(window == 0, 99, first)
    right = np.where(window == len(starts) - 1, 99, 10 - last)
    assert np.minimum(left, right).min() >= 1


def test_prepared_texts_hold_the_tokens_of_each_word():
    backbone = get_backbone("all-MiniLM-L6-v2", modality="text")
    preparer = WordModality().bind(backbone)
    item = preparer.prepare("Unbelievable Lovelace, 1843", None)
    ids = backbone.processor.encode(["Unbelievable Lovelace, 1843"], 256)[0]
    assert item.windows == [ids]
    spans = item.places[:, 1:].tolist()
    assert [stop for _, stop in spans[:-1]] == [start for start, _ in spans[1:]]
    assert (spans[0][0], spans[-1][1]) == (1, len(ids) - 1)


@pytest.mark.parametrize("prefix", ["", "query: "])
def test_tokens_with_spaces_and_a_prefix_before_them_belong_to_words(prefix):
    letters = pre_tokenizers.ByteLevel.alphabet()
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.train_from_iterator(
        [TEXT] * 9, trainers.BpeTrainer(initial_alphabet=letters, show_progress=False)
    )
    tokenizer = TextTokenizer(backend, pad_id=0, prefix=prefix)
    before, ids, offsets, after = tokenizer.encode_words(TEXT)
    assert [*before, *ids, *after] == tokenizer.encode([TEXT], 99)[0]
    found = words_of(TEXT)
    places = _tokens_of(found.offsets, np.array(offsets)).tolist()
    for word, (first, last) in zip(found.strings, places, strict=True):
        start, end = offsets[first][0], offsets[last - 1][1]
        assert word in TEXT[start:end]  # one token may cover several words


def test_lower_case_moves_no_word():
    backend = get_backbone("all-MiniLM-L6-v2", modality="text").processor._tokenizer
    tokenizer = TextTokenizer(backend, pad_id=0, lower=True)
    _, _, offsets, _ = tokenizer.encode_words("İİİ Ada")  # each is two characters in lower case
    assert offsets[-1] == (4, 7)


def test_collated_texts_are_padded():
    backbone = get_backbone("all-MiniLM-L6-v2", modality="text")
    preparer = WordModality().bind(backbone)
    items = [preparer.prepare(text, None) for text in ("one", "Lovelace met Babbage")]
    inputs = preparer.collate(items, CPU)
    assert inputs["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]
    assert inputs["input_ids"].shape[:2] == (2, 1)
    assert inputs["words"][0, 1:].eq(-1).all()
    assert inputs["spelling"].shape == (2, 3, PER_WORD)


def test_a_window_without_room_for_words_is_refused():
    backbone = get_backbone("all-MiniLM-L6-v2", modality="text")
    with pytest.raises(BackboneError, match="max_length=2 leaves no room"):
        WordModality(max_length=2).bind(backbone)


def test_spelling_depends_on_a_word_and_its_neighbours_only():
    one = spelling_of(["the", "old", "River-12", "bank", "of", "it", "all"])
    other = spelling_of(["an", "old", "River-12", "bank", "in", "it", "all"])
    assert one.shape == (7, PER_WORD)
    assert one.min() >= 0
    assert one.max() < N_SPELLINGS
    np.testing.assert_array_equal(one[2], other[2])
    assert (one[3] != other[3]).any()
    # In small letters only words and cores are alike.
    upper = spelling_of(["the", "old", "RIVER-12", "bank", "of", "it", "all"])
    assert 0 < (one[2] != upper[2]).sum() < 5
