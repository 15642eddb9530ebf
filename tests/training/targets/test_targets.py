"""Unusual targets, weights and validation rows are learned correctly or refused."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import KFold, cross_val_score

from sktransfer import ImageClassifier, ImageRegressor
from sktransfer.exceptions import TargetError
from tests._tiny import images, tiny_network

X = list(images(8))
CLASSES = ["a", "b"] * 4
NETWORK = tiny_network()


def make(kind=ImageClassifier, **parameters):
    common = {"image_size": 16, "max_epochs": 1, "random_state": 0, "cache": False}
    return kind(NETWORK, **common, **parameters)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "y",
    [
        [np.nan, 1.0, 2.0, 1.0],
        pd.Series([None, "a", "b", "a"], dtype="string"),
        pd.Series([None, True, False, True], dtype="boolean"),
        np.array([[np.nan, 0], [1, 0], [0, 1], [1, 1]]),
        np.ma.masked_array([0, 1, 2, 1], mask=[1, 0, 0, 0]),
        np.ma.masked_array(["a", "b", "a", "b"], mask=[1, 0, 0, 0]),
    ],
)
def test_a_missing_class_is_named_by_its_row(y):
    with pytest.raises(TargetError, match=r"row 0 of y: .* is no class"):
        make().fit(X[:4], y)


@pytest.mark.parametrize(
    "y",
    [
        pd.Series([1, None, 2, 3], dtype="Float64"),
        pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [1, np.nan, 2, 3]}),
        np.ma.masked_array([1.0, 2, 3, 4], mask=[0, 1, 0, 0]),
    ],
)
def test_a_missing_number_is_named_by_its_row(y):
    with pytest.raises(TargetError, match=r"row 1 of y: .*NaN"):
        make(ImageRegressor).fit(X[:4], y)


def test_an_empty_string_is_a_class():
    assert make().fit(X, ["", "b"] * 4).classes_.tolist() == ["", "b"]


def test_classes_that_cannot_be_sorted_raise():
    with pytest.raises(
        TargetError, match="classes of type int and str, which have no common order"
    ):
        make().fit(X, np.array(["a", 1] * 4, dtype=object))


@pytest.mark.parametrize("values", [(-1, 1), (0, 2)])
def test_a_label_matrix_of_other_values_than_zero_and_one_raises(values):
    y = np.array(values)[[[1, 0, 1], [0, 1, 1]] * 4]
    with pytest.raises(TargetError, match=r"row 0 of y: .* other values than 0"):
        make().fit(X, y)


@pytest.mark.filterwarnings("error")
def test_numbers_whose_deviation_overflows_raise():
    with pytest.raises(TargetError, match="too large"):
        make(ImageRegressor).fit(X, [1e200, -1e200] * 4)


def test_a_column_of_classes_warns_once():
    with pytest.warns(UserWarning, match="column-vector") as caught:
        make().fit(X, np.array(CLASSES)[:, None])
    assert len(caught) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("weight", [-1, np.nan, np.inf])
def test_invalid_class_weights_raise(weight):
    with pytest.raises(TargetError, match="class_weight gives row 1 of y"):
        make(class_weight={"a": 1, "b": weight}).fit(X, CLASSES)


def test_training_and_validation_rows_need_a_weight():
    weights = np.zeros(8)
    weights[0] = 1
    classifier = make(early_stopping=True, validation_fraction=0.5)
    with pytest.raises(TargetError, match=r"No row to .* has a weight"):
        classifier.fit(X, CLASSES, sample_weight=weights)


def test_an_error_in_validation_rows_says_so():
    with pytest.raises(TargetError, match="row 1 of y: 'c'") as error:
        make().fit(X, CLASSES, X_val=X[:2], y_val=["a", "c"])
    assert "X_val and y_val" in error.value.__notes__[0]


def test_a_contrastive_batch_has_no_more_rows_than_the_training_set():
    y = [0, 1] * 4
    expected = make(trainable="all", contrastive_epochs=1, batch_size=8).fit(X, y)
    found = make(trainable="all", contrastive_epochs=1, batch_size=100_000).fit(X, y)
    assert np.array_equal(found.predict_proba(X), expected.predict_proba(X))


def test_a_fit_does_not_depend_on_the_default_dtype_of_torch():
    expected = make(trainable=1).fit(X, CLASSES)
    kept = pickle.dumps(expected)
    try:
        torch.set_default_dtype(torch.float64)
        found = copy.deepcopy(make(trainable=1).fit(X, CLASSES))
        read = pickle.loads(kept)
    finally:
        torch.set_default_dtype(torch.float32)
    for estimator in (found, read, pickle.loads(pickle.dumps(found))):
        assert np.array_equal(estimator.predict_proba(X), expected.predict_proba(X))


def test_a_class_missing_from_a_fold_is_not_predicted_there():
    y = ["a", "b", "a", "b", "a", "b", "c", "c"]
    assert cross_val_score(make(), X, y, cv=KFold(4))[-1] == 0


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([["a"], ["a", "b"]] * 4, "rows of different lengths.*MultiLabelBinarizer"),
        ([("a", "b"), ("b", "a")] * 4, r"shape \(8, 2\).*MultiLabelBinarizer"),
        ([{"a"}, {"a", "b"}] * 4, "type set.*MultiLabelBinarizer"),
        ([[1, 2], [3, 1]] * 4, "MultiOutputClassifier"),
        (np.array([[0, 1], [1, 0]] * 4, dtype=object), "type object, is no matrix of zeros"),
        (np.array([1, 2] * 4, dtype=object), r"of type int\. Convert it"),
    ],
)
def test_targets_of_other_shapes_raise_with_advice(y, message):
    with pytest.raises(TargetError, match=message):
        make().fit(X, y)


def test_an_empty_list_of_classes_raises():
    with pytest.raises(TargetError, match="at least 2 classes in y; there is none"):
        make().partial_fit(X, CLASSES, classes=[])


def test_an_infinite_number_is_named_by_its_row():
    with pytest.raises(TargetError, match=r"row 1 of y: inf .*infinity"):
        make(ImageRegressor).fit(X[:3], [1.0, np.inf, 2.0])


def test_an_error_about_many_classes_names_some():
    classifier = make().partial_fit(X, np.arange(8), classes=np.arange(1000))
    with pytest.raises(TargetError, match=r"1000 is none of the classes \[0, .*\.\.\.\]") as error:
        classifier.partial_fit(X[:1], [1000])
    assert len(str(error.value)) < 300


@pytest.mark.filterwarnings("error")
def test_many_classes_in_a_partial_fit_do_not_warn():
    classifier = make().partial_fit(images(30), np.arange(30), classes=np.arange(1000))
    assert classifier.predict_proba(X).shape == (8, 1000)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [ImageClassifier, ImageRegressor])
def test_sample_weights_whose_sum_overflows_raise(kind):
    with pytest.raises(TargetError, match="sample weights are too large"):
        make(kind).fit(X, [0, 1] * 4, sample_weight=np.full(8, 1e308))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_groups_of_another_length_or_with_missing_values_raise(early_stopping):
    classifier = make(early_stopping=early_stopping)
    for missing, groups in ((None, ["a", None] * 4), (np.nan, [1.0, np.nan] * 4)):
        with pytest.raises(TargetError, match=f"row 1 of groups: {missing} is no group"):
            classifier.fit(X, CLASSES, groups=groups)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier.fit(X, CLASSES, groups=[1, 2])
