"""Rows ranked by how improbable their label is."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import make_blobs, make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import (
    GroupKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from sktransfer import ImageEmbedder, find_label_issues
from sktransfer._table import Table
from sktransfer.exceptions import TargetError
from tests._tiny import images, tiny_network

X, Y = make_blobs(300, n_features=8, centers=3, cluster_std=2, random_state=0)
X /= 5
WRONG = [5, 77, 140, 200]
FLIPPED = Y.copy()
FLIPPED[WRONG] = (Y[WRONG] + 1) % 3
MODEL = LogisticRegression()


def rows_of(issues):
    return [issue["row"] for issue in issues]


def test_wrong_labels_come_first():
    issues = find_label_issues(MODEL, X, FLIPPED)
    assert set(rows_of(issues)[:4]) == set(WRONG)
    for issue in issues[:4]:
        assert issue["given"] == FLIPPED[issue["row"]]
        assert issue["likely"] == Y[issue["row"]]
    assert list(issues[0]) == ["row", "given", "likely", "probability_given", "probability_likely"]


def test_probabilities_are_those_of_cross_val_predict():
    cv = StratifiedKFold(3, shuffle=True, random_state=4)
    P = cross_val_predict(MODEL, X, FLIPPED, cv=cv, method="predict_proba")
    given = P[np.arange(300), FLIPPED]
    expected = [r for r in np.argsort(given, kind="stable") if P[r].max() > given[r]]
    issues = find_label_issues(MODEL, X, FLIPPED, cv=cv)
    assert rows_of(issues) == expected
    assert [i["probability_given"] for i in issues] == given[expected].tolist()
    assert [i["probability_likely"] for i in issues] == P.max(axis=1)[expected].tolist()


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: np.array(["bus", "car", "tram"])[y],
        lambda y: np.array(["bus", "car", "tram"], dtype=object)[y],
        lambda y: pd.Series(y, index=np.arange(300)[::-1]),
        lambda y: pd.Series(np.array(["bus", "car", "tram"])[y], dtype="category"),
        lambda y: pl.Series(y),
        lambda y: y.tolist(),
        lambda y: y[:, None],
    ],
    ids=["str", "object", "Series", "category", "polars", "list", "column"],
)
def test_labels_of_any_kind_give_the_same_rows(convert):
    assert rows_of(find_label_issues(MODEL, X, convert(FLIPPED))) == rows_of(
        find_label_issues(MODEL, X, FLIPPED)
    )


def test_labels_are_given_as_the_user_writes_them():
    issue = find_label_issues(MODEL, X, np.array(["bus", "car", "tram"])[FLIPPED])[0]
    assert type(issue["given"]) is str
    truths = find_label_issues(MODEL, X[Y < 2], FLIPPED[Y < 2] > 0)
    assert {type(value) for i in truths for value in (i["given"], i["likely"])} == {bool}


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pl.Series, pl.DataFrame])
def test_columns_of_any_container_are_taken(kind):
    paths = [f"{'cat' if n % 2 else 'tax'} {n}" for n in range(20)]
    model = make_pipeline(FunctionTransformer(has_cat), LogisticRegression())
    y = np.arange(20) % 2
    y[4] = 1
    assert find_label_issues(model, kind(paths), y, cv=2)[0]["row"] == 4


def has_cat(X):
    return np.array([["cat" in str(cell)] for cell in np.asarray(X, dtype=object)], dtype=float)


def test_images_are_embedded_in_folds():
    model = make_pipeline(ImageEmbedder(tiny_network(), cache=False), LogisticRegression())
    issues = find_label_issues(model, images(12), [0, 1] * 6, cv=2)
    assert all(0 <= i["probability_given"] < i["probability_likely"] <= 1 for i in issues)


def test_rows_have_their_label_in_the_index():
    table = pd.DataFrame(X, index=[f"r{n}" for n in range(300)])
    issues = find_label_issues(MODEL, table, FLIPPED)
    assert list(issues[0])[:2] == ["row", "index"]
    assert all(i["index"] == f"r{i['row']}" for i in issues)
    assert "index" not in find_label_issues(MODEL, pd.DataFrame(X), FLIPPED)[0]


def test_groups_are_kept_together():
    """Each wrong row has a copy with the same label, which gives it away unless kept together."""
    both, y = np.concatenate([X, X[WRONG]]), np.concatenate([FLIPPED, FLIPPED[WRONG]])
    groups = np.concatenate([np.arange(300), WRONG])
    nearest = KNeighborsClassifier(1)
    wrong = {*WRONG, *range(300, 304)}
    assert wrong <= set(rows_of(find_label_issues(nearest, both, y, groups=groups)))
    own = find_label_issues(nearest, both, y, cv=GroupKFold(4), groups=groups)
    assert wrong <= set(rows_of(own))
    assert not wrong <= set(rows_of(find_label_issues(nearest, both, y)))


@pytest.mark.parametrize("model", [LinearSVC(), RidgeClassifier()])
def test_a_model_without_probabilities_is_calibrated(model):
    issues = find_label_issues(model, X, FLIPPED)
    assert set(rows_of(issues)[:4]) == set(WRONG)
    assert 0 <= issues[0]["probability_given"] < issues[0]["probability_likely"] <= 1


def test_a_model_that_cannot_rank_is_refused():
    class Guess(LogisticRegression):
        predict_proba = decision_function = property()

    with pytest.raises(TypeError, match="Guess has neither predict_proba nor decision_function"):
        find_label_issues(Guess(), X, Y)
    labels = np.eye(3, dtype=int)[Y]
    with pytest.raises(TypeError, match="RidgeClassifier has no predict_proba, which labels in"):
        find_label_issues(RidgeClassifier(), X, labels)


@pytest.mark.parametrize(
    "model",
    [
        OneVsRestClassifier(LogisticRegression()),
        MultiOutputClassifier(LogisticRegression()),
        RandomForestClassifier(20, random_state=0),
    ],
    ids=["OneVsRest", "MultiOutput", "forest"],
)
def test_labels_of_a_matrix_are_ranked_one_by_one(model):
    X, y = make_multilabel_classification(300, n_classes=3, random_state=0)
    frame = pd.DataFrame(y, columns=["red", "round", "ripe"])
    issues = find_label_issues(model, X, frame)
    assert list(issues[0])[:4] == ["row", "label", "given", "likely"]
    probabilities = [i["probability_given"] for i in issues]
    assert probabilities == sorted(probabilities)
    assert all(i["given"] == frame[i["label"]][i["row"]] != i["likely"] for i in issues)
    assert {i["label"] for i in find_label_issues(model, X, y)} == {0, 1, 2}


def test_a_label_that_every_row_has_is_not_ranked():
    X, y = make_multilabel_classification(100, n_classes=2, random_state=0)
    y = np.column_stack([y, np.ones(100, dtype=int)])
    issues = find_label_issues(RandomForestClassifier(10, random_state=0), X, y)
    assert {i["label"] for i in issues} == {0, 1}


def test_a_regressor_ranks_by_its_error():
    y = X @ np.arange(8)
    y[3] += 1_000
    issues = find_label_issues(LinearRegression(), X, y)
    assert issues[0]["row"] == 3
    assert issues[0]["given"] == y[3]
    assert issues[0]["error"] == pytest.approx(abs(y[3] - issues[0]["likely"]))
    assert len(issues) == 300
    with pytest.raises(TargetError, match="one number per row"):
        find_label_issues(LinearRegression(), X, np.stack([y, y], 1))


def test_a_class_that_a_fold_cannot_learn_is_named():
    y = np.array(["a", "b"] * 150, dtype=object)
    y[7] = "rare"
    with (
        pytest.warns(UserWarning, match="least populated class"),
        pytest.raises(TargetError, match=r"class 'rare' is in test rows .* \(rows of it in y: 1\)"),
    ):
        find_label_issues(MODEL, X, y)
    with pytest.raises(TargetError, match="class 2 is in test rows of fold"):
        find_label_issues(MODEL, X, np.sort(Y), cv=GroupKFold(3), groups=np.sort(Y))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1] * 300, "at least 2 classes"),
        ([None, *Y[1:]], "row 0 of y: None is no class"),
        (Y[:-1], "inconsistent numbers of samples"),
        (np.linspace(0, 1, 300), "continuous"),
    ],
)
def test_bad_labels_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        find_label_issues(MODEL, X, y)


def test_ties_are_no_issues_and_no_issues_are_an_empty_table():
    class Even(LogisticRegression):
        def predict_proba(self, X):
            return np.full((len(X), 3), 1 / 3)

    assert find_label_issues(Even(), X, Y) == []


def test_a_long_table_is_printed_in_part_and_sliced_as_a_table():
    table = Table({"row": n} for n in range(101))
    assert repr(table).splitlines()[-1] == "... and 81 more rows"
    assert isinstance(table[:5], Table)
    assert len(repr(table[:5]).splitlines()) == 6
    assert len(repr(table[:100]).splitlines()) == 101


def test_classes_named_by_a_parameter_are_those_of_y():
    """`cross_val_predict` numbers classes, which `class_weight` names."""
    labels = np.array(["bus", "car", "tram"])[FLIPPED]
    by_name = LogisticRegression(class_weight={"bus": 1, "car": 5, "tram": 1})
    by_number = LogisticRegression(class_weight={0: 1, 1: 5, 2: 1})
    found = find_label_issues(by_name, X, labels)
    assert rows_of(found) == rows_of(find_label_issues(by_number, X, FLIPPED))
    assert found[0]["given"] == labels[found[0]["row"]]


@pytest.mark.parametrize("cv", [ShuffleSplit(3), TimeSeriesSplit(3), [], [([0, 1], [2])]])
@pytest.mark.parametrize("model", [MODEL, LinearRegression()])
def test_splits_that_are_no_partition_are_refused(cv, model):
    with pytest.raises(ValueError, match="test rows of exactly one fold"):
        find_label_issues(model, X, Y, cv=cv)


@pytest.mark.parametrize("convert", [csr_array, pl.DataFrame, pd.DataFrame, lambda y: y])
def test_a_matrix_of_labels_is_any_container(convert):
    y = np.eye(3, dtype=int)[FLIPPED]
    model = RandomForestClassifier(10, random_state=0)
    found = find_label_issues(model, X, convert(y), cv=2)
    assert rows_of(found) == rows_of(find_label_issues(model, X, y, cv=2))


def test_labels_have_the_names_of_columns():
    y = np.eye(3, dtype=int)[FLIPPED]
    model = RandomForestClassifier(10, random_state=0)
    table = pa.table({name: y[:, n] for n, name in enumerate("abc")})
    assert {issue["label"] for issue in find_label_issues(model, X, table, cv=2)} <= set("abc")
    twice = pd.DataFrame(y, columns=["a", "a", "b"])
    assert {issue["label"] for issue in find_label_issues(model, X, twice, cv=2)} <= {"a", "b"}


@pytest.mark.parametrize(("dtype", "kind"), [("Int64", int), ("boolean", bool), ("string", str)])
def test_nullable_labels_are_given_as_the_user_writes_them(dtype, kind):
    y = FLIPPED > 0 if kind is bool else FLIPPED.astype(kind)
    issue = find_label_issues(MODEL, X, pd.Series(y, dtype=dtype))[0]
    assert {type(issue["given"]), type(issue["likely"])} == {kind}


def test_a_column_of_numbers_is_one_number_per_row():
    y = X @ np.arange(8)
    found = find_label_issues(LinearRegression(), X, pd.DataFrame({"price": y}))
    assert found == find_label_issues(LinearRegression(), X, y)


def test_a_row_without_probabilities_is_not_listed():
    class Blind(LogisticRegression):
        def predict_proba(self, X):
            found = super().predict_proba(X)
            return np.where(X[:, :1] == X[:, 0].max(), np.nan, found)

    rows = rows_of(find_label_issues(Blind(), X, FLIPPED, cv=2))
    assert set(rows) < set(rows_of(find_label_issues(MODEL, X, FLIPPED, cv=2))) | {-1}


def test_no_number_of_folds_is_refused():
    with pytest.raises(ValueError, match="cv must be a number of folds"):
        find_label_issues(LogisticRegression(), np.eye(4), [0, 1, 0, 1], cv=None)
