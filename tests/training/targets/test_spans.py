"""Labelled spans and tags of words as targets."""

from types import SimpleNamespace

import numpy as np
import pytest

from sktransfer.exceptions import TargetError, WidenedWarning
from sktransfer.modalities.text import words_of
from sktransfer.training.targets import (
    SpanTarget,
    counts_of,
    entities_of,
    f1_of,
    target_from_dict,
)
from sktransfer.training.targets._tag_schemes import scheme_of, tags_of

TEXT = "Dr. Who met Ada Lovelace."
SPANS = [(0, 7, "PER"), (12, 24, "PER")]
ENTITIES = [(0, 2, "PER"), (2, 3, "PER"), (4, 5, "ORG"), (5, 8, "PER")]
TAGS = {
    "IOB1": "I-PER I-PER B-PER O I-ORG I-PER I-PER I-PER",
    "IOB2": "B-PER I-PER B-PER O B-ORG B-PER I-PER I-PER",
    "BILOU": "B-PER L-PER U-PER O U-ORG B-PER I-PER L-PER",
    "BIOES": "B-PER E-PER S-PER O S-ORG B-PER I-PER E-PER",
}


def items(*cells):
    return [SimpleNamespace(words=words_of(cell)) for cell in cells]


@pytest.mark.parametrize("scheme", TAGS)
def test_tags_of_each_scheme_are_recognized_read_and_written(scheme):
    tags = TAGS[scheme].split()
    assert scheme_of([tags]) == scheme
    assert entities_of(tags, 0) == ENTITIES
    assert tags_of(ENTITIES, 8, scheme) == tags


@pytest.mark.parametrize(
    ("tags", "expected"),  # as seqeval 1.2.2 finds them
    [
        ("O I-A I-A O", [(1, 3, "A")]),
        ("B-A I-B", [(0, 1, "A"), (1, 2, "B")]),
        ("B-A B-A", [(0, 1, "A"), (1, 2, "A")]),
        ("E-A E-A I-A", [(0, 1, "A"), (1, 2, "A"), (2, 3, "A")]),
        ("O O", []),
    ],
)
def test_tags_that_are_not_whole_entities_are_read_as_seqeval_reads_them(tags, expected):
    assert entities_of(tags.split(), 0) == expected


def test_spans_become_tags_of_words_and_come_back_in_every_form():
    rows = [SPANS, [dict(zip(("start", "end", "label"), s, strict=True), id=1) for s in SPANS]]
    for row, form in zip(rows, ("tuples", "dicts"), strict=True):
        target = SpanTarget.learn([row, []])
        assert (target.labels, target.form) == (["PER"], form)
        first, empty = target.encode([row, []], items(TEXT, "Nobody"))
        assert first.tolist() == [1, 2, 2, 0, 1, 2, 0]
        assert empty.tolist() == [0]
        found = target.decode(first.tolist(), words_of(TEXT))
        assert [tuple(s.values()) if form == "dicts" else s for s in found] == SPANS


def test_entities_of_spacy_documents_are_spans():
    document = {"text": TEXT, "ents": [{"start": 0, "end": 7, "label": "PER"}], "tokens": []}
    target = SpanTarget.learn([document])
    assert target.encode([document], items(TEXT))[0].tolist() == [1, 2, 2, 0, 0, 0, 0]


def test_a_target_is_described_by_plain_data():
    target = SpanTarget.learn([[(0, 2, 3)], [(0, 2, 1)]])
    assert target.to_dict() == {"kind": "spans", "labels": [1, 3], "form": "tuples"}
    assert target_from_dict(target.to_dict()) == target


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ((12, 99, "A"), r"row 1 of y: \(12, 99, 'A'\) is outside the text of 25 characters"),
        ((-1, 3, "A"), "outside the text"),
        ((4, 4, "A"), "empty"),
        ((7, 4, "A"), "empty"),
        ((3, 4, "A"), "empty"),  # only a space
        ((4, 7, None), "None is no label"),
        ((4, 7, float("nan")), "nan is no label"),
        ((4, 7, ["A"]), r"\['A'\] is no label"),
        ((4, 7, ""), "'' is no label"),
        ((4.0, 7, "A"), "no whole numbers"),
        ((True, 7, "A"), "no whole numbers"),
        ((4, 7), "no span"),
        ("B-A", "no span"),
        ({"start": 4, "label": "A"}, "lacks end"),
    ],
)
def test_a_bad_span_is_reported_with_its_row(span, message):
    with pytest.raises(TargetError, match="row 1 of y") as error:
        SpanTarget.learn([SPANS, [span]]).encode([SPANS, [span]], items(TEXT, TEXT))
    assert error.match(message)


def test_spans_that_cross_or_lie_in_each_other_are_reported():
    for other in ((8, 15, "A"), (12, 15, "A"), (12, 24, "A"), (13, 14, "A"), (0, 25, "A")):
        with pytest.raises(TargetError, match=r"row 0 of y: .* overlap"):
            SpanTarget.learn([SPANS]).encode([[*SPANS, other]], items(TEXT))


def test_spans_that_cut_words_are_widened_with_one_warning():
    rows = [SPANS, [(12, 20, "PER")], [(1, 6, "PER")]]
    with pytest.warns(WidenedWarning, match=r"2 spans .* row 1, \(12, 20, 'PER'\) to \(12, 24\)"):
        found = SpanTarget.learn(rows).encode(rows, items(TEXT, TEXT, TEXT))
    assert found[1].tolist() == [0, 0, 0, 0, 1, 2, 0]
    assert found[2].tolist() == [1, 2, 2, 0, 0, 0, 0]


def test_two_spans_of_one_word_are_reported():
    rows = [[(12, 15, "A"), (16, 20, "A"), (20, 24, "B")]]
    with pytest.raises(TargetError, match="share a word; pass lists of words"):
        SpanTarget.learn(rows).encode(rows, items(TEXT))


def test_spaces_around_a_span_are_no_part_of_it():
    (tags,) = SpanTarget.learn([[(3, 8, "A")]]).encode([[(3, 8, "A")]], items(TEXT))
    assert tags.tolist() == [0, 0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("y", "cell", "message"),
    [
        ([["B-A", "O"]], ["one"], "row 0 of y: 2 tags for 1 words"),
        ([["B-A"], None], ["one"], "row 1 of y: None is no list"),
        ([["B-A"], "B-A"], ["one"], "row 1 of y: 'B-A' is no list"),
        ([["A"]], ["one"], "'A' is no tag"),
        ([["B-A", "Q-B"]], ["one"], "'Q-B' is no tag"),
        ([["B-"]], ["one"], "'B-' is no tag"),
        ([["B-A", 3]], ["one"], "3 is no tag, as others are"),
        ([["L-A", "E-A"]], ["one"], "two schemes: E, L"),
        ([["B-A"]], "one", "X has a text, y tags"),
        ([[(0, 3, "A")]], ["one"], "X has words, y spans"),
        ([[], []], "one", "no labelled span"),
        ([["O"]], ["one"], "no labelled span"),
    ],
)
def test_rows_that_do_not_fit_are_reported(y, cell, message):
    with pytest.raises(TargetError, match=message):
        SpanTarget.learn(y).encode(y, items(*[cell] * len(y)))


def test_a_new_label_in_a_later_fit_is_reported():
    with pytest.raises(TargetError, match=r"row 0 of y: 'B' is none of the labels \['A'\]"):
        SpanTarget(["A"], "tuples").encode([[(0, 3, "B")]], items("one"))


def test_counts_and_f1_are_those_of_a_hand_computation():
    true = [[(0, 1, "A"), (2, 4, "B")], [(0, 2, "A")], []]
    predicted = [[(0, 1, "A"), (2, 3, "B")], [(0, 2, "B")], [(5, 6, "A")]]
    counts = counts_of(list(zip(true, predicted, strict=True)), [1, 1, 1])
    assert {label: found.tolist() for label, found in counts.items()} == {
        "A": [1, 2, 2],
        "B": [0, 2, 1],
    }
    assert f1_of(counts) == pytest.approx(2 * 1 / (4 + 3))
    assert f1_of(counts_of([(true[0], predicted[0])], [3.0])) == pytest.approx(0.5)
    assert f1_of({}) == 0.0


def test_the_score_of_outputs_ignores_padding():
    target, hot = SpanTarget(["A"], "tuples"), np.eye(3)
    targets = [np.array([1, 2, -100]), np.array([0, 1, 0])]
    outputs = [hot[[1, 2, 1]], hot[[0, 0, 1]]]
    assert target.score(outputs, targets, np.ones(2)) == pytest.approx(0.5)
    assert target.score(outputs, targets, np.array([1.0, 0.0])) == 1.0
