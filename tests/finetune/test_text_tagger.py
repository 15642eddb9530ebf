"""TextTagger: forms of y, long texts, scores, scikit-learn's contract, and files."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils import estimator_checks

from sktransfer import TextEmbedder, TextTagger, export_onnx, load, save
from sktransfer.exceptions import (
    BackboneError,
    BadCellError,
    BadCellWarning,
    LeftOutWarning,
    PersistenceError,
    TargetError,
)
from tests.contracts.test_estimator_checks import WITHOUT_DATA

PEOPLE = ["Anna Smith", "Peter", "Maria Jones", "John Brown", "Julia", "Paul"]
CITIES = ["Paris", "London", "New York", "Berlin", "Rome", "Madrid"]
TEXTS = [f"yesterday {who} went to {city}." for who, city in zip(PEOPLE, CITIES, strict=True)]
WORDS = [text.replace(".", " .").split() for text in TEXTS]
SPANS = [
    [
        (text.index(name), text.index(name) + len(name), label)
        for name, label in ((who, "PER"), (city, "LOC"))
    ]
    for text, who, city in zip(TEXTS, PEOPLE, CITIES, strict=True)
]
TAGS = [
    [
        *["O", "B-PER", *["I-PER"] * who.count(" "), "O", "O"],
        *["B-LOC", *["I-LOC"] * city.count(" "), "O"],
    ]
    for who, city in zip(PEOPLE, CITIES, strict=True)
]


def tagger(**options):
    return TextTagger(**{"max_epochs": 15, "cache": False, "random_state": 0, **options})


@pytest.fixture(scope="module")
def fitted():
    return tagger().fit(TEXTS, SPANS)


def test_spans_are_learned_and_come_back_as_tuples(fitted):
    assert fitted.labels_ == ["LOC", "PER"]
    assert fitted.predict(TEXTS) == SPANS
    assert fitted.score(TEXTS, SPANS) == 1.0
    assert fitted.predict(["yesterday Laura Miller went to Vienna."]) == [
        [(10, 22, "PER"), (31, 37, "LOC")]
    ]


def test_dicts_come_back_as_dicts_with_scores():
    y = [[{"start": s, "end": e, "label": label, "id": 7} for s, e, label in row] for row in SPANS]
    found = tagger().fit(TEXTS, y).predict(TEXTS, return_scores=True)
    assert [[(s["start"], s["end"], s["label"]) for s in row] for row in found] == SPANS
    assert all(0.5 < span["score"] <= 1 for row in found for span in row)


def test_tags_of_words_come_back_in_their_scheme():
    found = tagger().fit(WORDS, TAGS)
    assert found.predict(WORDS) == TAGS
    pairs = found.predict(WORDS[:1], return_scores=True)[0]
    assert [tag for tag, _ in pairs] == TAGS[0]
    assert all(0 < share <= 1 for _, share in pairs)
    single = [[tag.replace("B-", "U-") for tag in row] for row in TAGS if "I-PER" not in row]
    words = [row for row, tags in zip(WORDS, TAGS, strict=True) if "I-PER" not in tags]
    single = [[t.replace("I-LOC", "L-LOC") for t in row] for row in single]
    single = [[("B-LOC" if "L-LOC" in row and t == "U-LOC" else t) for t in row] for row in single]
    assert tagger(max_epochs=30).fit(words, single).predict(words) == single


@pytest.mark.parametrize("decoder", ["viterbi", "greedy"])
def test_other_decoders_learn_and_give_whole_entities(decoder):
    found = tagger(decoder=decoder, early_stopping=True).fit(WORDS, TAGS)
    assert found.score(WORDS, TAGS) > 0.6
    before = "O"
    for row in found.predict(WORDS):
        for tag in row:
            assert tag[0] != "I" or before[2:] == tag[2:]
            before = tag


@pytest.mark.parametrize("trainable", [1, "all", "gradual", "lora"])
def test_stages_are_trained_by_every_strategy(trainable, tmp_path):
    found = tagger(trainable=trainable, max_epochs=3, lr=1e-3, layer="layer2").fit(TEXTS, SPANS)
    save(found, tmp_path / "tagger.skt")
    assert load(tmp_path / "tagger.skt").predict(TEXTS) == found.predict(TEXTS)
    names = found.module_.trained()
    assert any(name.startswith("network.") for name in names)
    assert not any("layer.4" in name or "layer.5" in name for name in names)


def test_the_score_and_the_report_are_those_of_a_hand_computation(fitted):
    y = copy.deepcopy(SPANS)
    y[0] = [(10, 14, "PER"), y[0][1]]  # half of the name
    y[1] = [(*y[1][0][:2], "LOC"), y[1][1]]  # another label
    y[2] = y[2][:1]  # the city is too much
    y[3] = [*y[3], (0, 9, "TIME")]  # never learned
    # Of 12 predicted and 12 true entities 9 are right.
    assert fitted.score(TEXTS, y) == pytest.approx(2 * 9 / (12 + 12))
    report = fitted.classification_report(TEXTS, y)
    assert report["PER"] == {
        "precision": 4 / 6,
        "recall": 4 / 5,
        "f1-score": pytest.approx(8 / 11),
        "support": 5,
    }
    assert report["TIME"] == {"precision": 0, "recall": 0, "f1-score": 0, "support": 1}
    assert report["micro avg"]["f1-score"] == pytest.approx(0.75)
    assert fitted.score(TEXTS, y, sample_weight=[0, 0, 0, 0, 1, 1]) == 1.0


def test_scores_of_spans_are_probabilities_of_exactly_these_words(fitted):
    sure = fitted.predict(TEXTS, return_scores=True)
    other = fitted.predict(["green ideas sleep Furiously in Sleepy"], return_scores=True)
    assert all(0.5 < span[3] <= 1 for row in sure for span in row)
    assert min(s[3] for row in sure for s in row) > max([0, *(s[3] for s in other[0])])


def test_long_texts_are_tagged_to_their_end():
    long = "nothing of note happened there. " * 30 + TEXTS[0] + " nobody saw it." * 10
    spans = [[(start + 960, end + 960, label) for start, end, label in SPANS[0]]]
    with warnings.catch_warnings():
        warnings.simplefilter("error", LeftOutWarning)
        found = tagger(max_length=32, max_epochs=30).fit([*TEXTS, long], [*SPANS, *spans])
        assert found.predict([long]) == spans
    moved = found.predict(["nothing of note happened there. " * 45 + TEXTS[2]])
    assert (SPANS[2][0][0] + 1440, SPANS[2][0][1] + 1440, "PER") in moved[0]


def test_all_containers_of_texts_give_the_same(fitted):
    for X in (np.array(TEXTS), pd.Series(TEXTS), pd.DataFrame({"t": TEXTS}), tuple(TEXTS)):
        assert tagger().fit(X, pd.Series(SPANS)).predict(X) == SPANS
    same = tagger().fit(pd.Series(WORDS), pd.Series(TAGS))
    assert same.predict(np.array([*WORDS, None], dtype=object)[:-1]) == TAGS


def test_predictions_of_a_lazy_column_are_lazy(fitted):
    dask = pytest.importorskip("dask.dataframe")
    X = dask.from_pandas(pd.Series(TEXTS), npartitions=2)
    assert fitted.predict(X).compute().tolist() == SPANS


def test_rows_do_not_depend_on_their_neighbours(fitted):
    all_rows = fitted.predict(TEXTS, return_scores=True)
    for row in (4, 0):
        (alone,) = fitted.predict([TEXTS[row]], return_scores=True)
        for one, other in zip(alone, all_rows[row], strict=True):
            assert one[:3] == other[:3]
            assert one[3] == pytest.approx(other[3], abs=1e-4)
    assert fitted.predict(TEXTS[::-1]) == SPANS[::-1]


def test_features_are_the_means_over_words(fitted):
    features = fitted.transform(TEXTS)
    assert features.shape == (6, 384)
    assert features.dtype == np.float32
    assert len(fitted.get_feature_names_out()) == 384


def test_activations_that_are_kept_change_nothing(cache_folder):
    kept, computed = (
        tagger(cache=cache, reuse_activations=reuse).fit(TEXTS, SPANS)
        for cache, reuse in ((cache_folder, True), (False, False))
    )
    again = tagger(cache=cache_folder).fit(TEXTS, SPANS)
    for other in (computed, again):
        for name, tensor in kept.module_.trained().items():
            np.testing.assert_allclose(
                tensor.detach().float(), other.module_.trained()[name].detach().float(), atol=1e-4
            )


def test_clones_and_pickles_and_files_predict_alike(fitted, tmp_path):
    assert clone(fitted).get_params() == fitted.get_params()
    save(fitted, tmp_path / "tagger.skt")
    for other in (pickle.loads(pickle.dumps(fitted)), load(tmp_path / "tagger.skt")):
        assert other.predict(TEXTS, return_scores=True) == fitted.predict(TEXTS, return_scores=True)
        assert other.labels_ == fitted.labels_
    again = clone(fitted).fit(TEXTS, SPANS)
    assert again.predict(TEXTS, return_scores=True) == fitted.predict(TEXTS, return_scores=True)


@pytest.mark.parametrize("check", WITHOUT_DATA)
def test_checks_that_need_no_data(check):
    getattr(estimator_checks, check)("TextTagger", tagger())


def test_scikit_learn_cross_validates_and_searches(cache_folder):
    X, y = TEXTS * 2, SPANS * 2
    model = tagger(cache=cache_folder, max_epochs=8)
    assert cross_val_score(model, X, y, cv=2).min() > 0.8
    grid = {"decoder": ["crf", "greedy"], "spelling": [True, False]}
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.8
    assert search.predict(TEXTS[:1]) == SPANS[:1]


def test_training_continues_and_stops_early():
    groups = ["a", "a", "b", "b", "c", "c"]
    model = tagger(early_stopping=True, validation_fraction=0.3, warm_start=True, max_epochs=4)
    model.fit(TEXTS, SPANS, groups=groups, sample_weight=[1, 2, 1, 1, 1, 1])
    assert {"valid_loss", "valid_score"} <= set(model.history_[-1])
    model.fit(TEXTS, SPANS, X_val=TEXTS, y_val=SPANS)
    assert len(model.history_) == 8
    assert model.history_[-1]["valid_score"] > 0.5


def test_bad_cells_are_reported_or_left_out():
    with pytest.raises(BadCellError, match="row 1"):
        tagger().fit([TEXTS[0], 5], SPANS[:2])
    texts, spans = [*TEXTS, None], [*SPANS, [(0, 1, "PER")]]
    with pytest.warns(BadCellWarning):
        found = tagger(on_error="nan").fit(texts, spans)
    with pytest.warns(BadCellWarning):
        assert found.predict(texts) == [*SPANS, None]
    with pytest.warns(BadCellWarning):
        assert found.score(texts, spans) == 1.0
    with pytest.warns(BadCellWarning):
        assert np.isnan(found.transform(texts)[-1]).all()
    empty = tagger(missing="empty", max_epochs=2).fit([*TEXTS, ""], [*SPANS, []])
    assert empty.predict(["", None]) == [[], []]
    words = tagger(missing="empty", max_epochs=2).fit([*WORDS, []], [*TAGS, []])
    assert words.predict([[]]) == [[]]


def test_errors_of_y_name_its_row():
    with pytest.raises(TargetError, match=r"row 2 of y: .* outside the text"):
        tagger().fit(TEXTS[:3], [*SPANS[:2], [(0, 500, "PER")]])
    with pytest.raises(TargetError, match="row 1 of y: 1 tags for 6 words"):
        tagger().fit(WORDS[:2], [TAGS[0], ["O"]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        tagger().fit(TEXTS, SPANS[:2])


def test_settings_that_do_not_fit_are_reported(fitted, tmp_path):
    with pytest.raises(NotFittedError):
        tagger().predict(TEXTS)
    other = copy.deepcopy(fitted).set_params(layer="layer1")
    with pytest.raises(BackboneError, match="Fit again after setting parameters"):
        other.predict(TEXTS)
    with pytest.raises(BackboneError, match="no backbone: its network gives vectors of words"):
        TextEmbedder(fitted).fit(TEXTS)
    with pytest.raises(
        PersistenceError, match="cannot be exported to ONNX: its head reads the spelling"
    ):
        export_onnx(fitted, tmp_path / "tagger.onnx")
