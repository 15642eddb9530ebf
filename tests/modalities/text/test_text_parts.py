"""Words of texts, left out and drawn."""

import re

import matplotlib.pyplot as plt
import pytest

from sktransfer.modalities.text._text_parts import TextParts, WordWeights, words_in

TEXTS = {
    "Don't panic, it’s fine!": ["Don't", "panic", ",", "it’s", "fine", "!"],
    "naïve cafe\u0301 Ωμέγα": ["naïve", "cafe\u0301", "Ωμέγα"],
    "हिन्दी में": ["हिन्दी", "में"],
    "日本語 カナ": ["日", "本", "語", "カ", "ナ"],
    "ok 👩‍👩‍👧 🇫🇷": ["ok", "👩‍👩‍👧", "🇫🇷"],
    "snake_case x2": ["snake_case", "x2"],
    "?!": ["?", "!"],
    "": [],
    " \n\t": [],
}


@pytest.mark.parametrize("text", TEXTS)
def test_words_of_any_script(text):
    assert [text[start:end] for start, end in words_in(text)] == TEXTS[text]


@pytest.mark.parametrize(
    ("text", "part", "left"),
    [
        ("one two three", (0, 3), "two three"),
        ("one two three", (4, 7), "one three"),
        ("one two three", (8, 13), "one two "),
        ("one\n\ntwo", (0, 3), "two"),
        ("(one)", (1, 4), "()"),
        ("日本", (0, 1), "本"),
        ("one", (0, 3), "."),
        ("one two", (0, 7), "."),
        ("one", None, "one"),
    ],
)
def test_a_word_is_left_out_with_the_space_behind_it(text, part, left):
    assert TextParts(text).without(part) == left


@pytest.mark.parametrize("most", [1, 2, 3, 7, 10, 99])
def test_runs_of_words_are_the_words_once(most):
    text = "a b c d e f g h i j"
    parts = TextParts(text).split((0, len(text)), most)
    assert len(parts) == min(most, 10)
    assert "".join(text[start:end] for start, end in parts).replace(" ", "") == "abcdefghij"
    lengths = {len(text[start:end].split()) for start, end in parts}
    assert max(lengths) - min(lengths) <= 1


def weighted(text, weights):
    parts = TextParts(text)
    return parts.weighted(parts.split(parts.whole, len(weights)), weights)


def test_the_three_largest_weights_are_named():
    found = weighted("a b c d", [0.1, -0.4, 0.3, 0.2])
    assert found.describe() == "b -0.400, c +0.300, d +0.200"
    assert found.largest == 0.4
    assert found[1] == (2, 3, "b", -0.4)
    assert WordWeights("", []).largest == 0


def test_html_is_escaped_and_keeps_the_text():
    text = "<script>alert('x')</script> &amp; \"you\"\n\nnext"
    parts = TextParts(text)
    words = parts.split(parts.whole, 99)
    found = parts.weighted(words, range(len(words))).to_html(9.0)
    assert "<script" not in found
    assert "alert" in found
    import html

    assert html.unescape(re.sub(r"</?(?:p|span)[^>]*>", "", found)) == text


@pytest.mark.parametrize("weight", [-1.0, -0.5, 0.0, 0.5, 1.0])
def test_black_letters_can_be_read_on_every_colour(weight):
    from sktransfer.modalities import css_colour

    colour = css_colour(weight, 1.0)
    values = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert (luminance + 0.05) / (0.0056 + 0.05) > 4.5  # WCAG AA, for #111


def test_a_long_word_is_cut_at_the_end_of_a_line():
    found = weighted("a " + "x" * 900 + " b", [1.0] * 3)
    figure, ax = plt.subplots()
    found.draw(ax, 1.0)
    assert [text.get_text() for text in ax.texts] == ["a", "x" * 55 + "…", "b"]
    plt.close(figure)


def test_a_long_text_is_drawn_in_lines_and_ends_with_dots():
    found = weighted("word " * 500, [1.0] * 64)
    figure, ax = plt.subplots()
    found.draw(ax, 1.0)
    assert ax.texts[-1].get_text() == "…"
    assert len({text.get_position()[1] for text in ax.texts}) == 18
    plt.close(figure)
