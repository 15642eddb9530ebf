"""Leave-one-out ridge against scikit-learn and a plain loop; LogME against the evidence itself."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.linear_model import Ridge, RidgeClassifier, RidgeClassifierCV, RidgeCV
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.preprocessing import StandardScaler

from sktransfer.inspection import _ranking_scores
from sktransfer.inspection._ranking_scores import (
    leave_one_out,
    log_evidence,
    logme_score,
    ranking_target,
    ridge_score,
)
from sktransfer.inspection._spectrum import spectrum

ALPHAS = _ranking_scores._ALPHAS
rng = np.random.default_rng(0)
SHAPES = [(60, 8), (40, 90), (30, 30), (5, 3)]


def data(n, d, k=3):
    features = rng.normal(size=(n, d)).astype(np.float32) * rng.uniform(0.1, 10, d) + 5
    features[:, 0] = 2.5  # a constant
    return features.astype(np.float32), np.arange(n) % k


def scaled(features):
    return StandardScaler().fit_transform(features.astype(float))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_spectrum_is_that_of_standardized_features(shape, monkeypatch):
    monkeypatch.setattr("sktransfer.inspection._spectrum.CHUNK", 7)
    features, _ = data(*shape)
    values, vectors = spectrum(features, scale=True)
    gram = scaled(features) @ scaled(features).T
    np.testing.assert_allclose((vectors * values) @ vectors.T, gram, atol=1e-8 * np.trace(gram))
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(len(values)), atol=1e-6)
    centred = features.astype(float) - features.astype(float).mean(axis=0)
    values, vectors = spectrum(features, scale=False)
    np.testing.assert_allclose((vectors * values) @ vectors.T, centred @ centred.T, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("alpha", [0.1, 30.0, 1e5])
def test_predictions_are_those_of_a_fit_without_each_row(shape, alpha):
    features, _ = data(*shape)
    y = rng.normal(size=(shape[0], 2)) + np.array([3, 0])
    (found,) = leave_one_out(spectrum(features, scale=True), y, np.array([alpha]))
    expected = cross_val_predict(Ridge(alpha), scaled(features), y, cv=LeaveOneOut())
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("k", [2, 3])
def test_the_score_of_classes_is_the_accuracy_of_ridge_classifier_cv(shape, k):
    features, y = data(*shape, k)
    targets, kind = ranking_target(y, "auto")
    assert targets.shape[1] == (1 if k == 2 else 3)
    found = ridge_score(spectrum(features, scale=True), targets, kind)
    alpha = RidgeClassifierCV(ALPHAS).fit(scaled(features), y).alpha_
    # Not `scoring="accuracy"` of that class, which is 1 for two classes (scikit-learn 1.9).
    expected = cross_val_predict(RidgeClassifier(alpha), scaled(features), y, cv=LeaveOneOut())
    assert found.value == pytest.approx((expected == y).mean())
    assert found.error == pytest.approx(np.sqrt(found.value * (1 - found.value) / shape[0]))


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_the_score_of_values_is_r2_of_ridge_cv(shape):
    features, _ = data(*shape)
    y = scaled(features)[:, 1:3] @ [1, 2] * 40 + rng.normal(size=shape[0]) * 30 + 100
    targets, kind = ranking_target(y, "auto")
    assert kind == "values"
    found = ridge_score(spectrum(features, scale=True), targets, kind)
    mse = -RidgeCV(ALPHAS).fit(scaled(features), y).best_score_
    assert found.value == pytest.approx(1 - mse / y.var())


def test_the_error_of_r2_is_its_spread_over_samples():
    scores = []
    for _ in range(200):
        features = rng.normal(size=(300, 5)).astype(np.float32)
        y = (features.sum(axis=1) + rng.normal(size=300) * 2)[:, None]
        scores.append(ridge_score(spectrum(features, scale=True), y, "values"))
    spread = np.std([score.value for score in scores])
    assert np.mean([score.error for score in scores]) == pytest.approx(spread, rel=0.2)


def test_several_outputs_and_labels_are_averaged():
    features, _ = data(50, 6)
    y = rng.normal(size=(50, 2)) * [1, 1000] + scaled(features)[:, 1:3] * [1, 1000]
    both = ridge_score(spectrum(features, scale=True), y, "values").value
    each = [ridge_score(spectrum(features, scale=True), y[:, [k]], "values").value for k in (0, 1)]
    assert both == pytest.approx(np.mean(each), abs=0.02)  # one regularization for both
    labels, kind = ranking_target((y > 0).astype(int), "auto")
    assert kind == "labels"
    found = ridge_score(spectrum(features, scale=True), labels, kind)
    each = [ridge_score(spectrum(features, scale=True), labels[:, [k]], kind).value for k in (0, 1)]
    assert found.value == pytest.approx(np.mean(each), abs=0.05)


@pytest.mark.parametrize("shape", [(30, 5), (12, 40)])
def test_log_evidence_is_the_largest_density_of_the_targets_under_the_model(shape):
    features = (rng.normal(size=shape) * np.geomspace(9, 0.01, shape[1])).astype(np.float32)
    y = 0.2 * features[:, 0] + rng.normal(size=shape[0])
    y -= y.mean()
    centred = features - features.astype(float).mean(axis=0)

    def negative(logs):
        alpha, beta = np.exp(logs)
        covariance = np.eye(len(y)) / beta + centred @ centred.T / alpha
        return -multivariate_normal(cov=covariance).logpdf(y)

    best = -minimize(negative, [0, 0], method="Nelder-Mead", options={"fatol": 1e-9}).fun
    found = log_evidence(spectrum(features, scale=False), y)
    assert found == pytest.approx(best / len(y), abs=1e-5)


def test_logme_by_hand():
    """One feature of two rows, +1 and -1, and such targets times 2 and 1: the fit is exact there."""
    features = np.array([[1.0], [-1.0], [1.0], [-1.0]], dtype=np.float32)
    y = np.array([2.0, -2.0, 1.0, -1.0])
    # Along the feature lie 9 of 10, so at the maximum 1 / beta = (10 - 9) / 3 and
    # 4 / alpha + 1 / beta = 9: minus half of the logarithms, of the powers, and n log 2 pi.
    expected = -0.5 * (3 * np.log(1 / 3) + np.log(9) + 4 + 4 * np.log(2 * np.pi)) / 4
    assert log_evidence(spectrum(features, scale=False), y) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("score", [ridge_score, logme_score])
def test_better_features_have_a_better_score(score):
    y = np.arange(60) % 3
    targets, kind = ranking_target(y, "auto")
    noise = rng.normal(size=(60, 5))
    good = (noise + 3 * np.eye(3)[y] @ rng.normal(size=(3, 5))).astype(np.float32)
    scores = [
        score(spectrum(f, scale=True), targets, kind).value for f in (good, noise.astype("f4"))
    ]
    assert scores[0] > scores[1]


@pytest.mark.parametrize("score", [ridge_score, logme_score])
def test_constant_features_say_nothing_and_raise_nothing(score):
    targets, kind = ranking_target([0, 1, 2] * 5, "auto")
    assert np.isfinite(score(spectrum(np.ones((15, 4), np.float32), scale=True), targets, kind)[0])


@pytest.mark.parametrize(
    "y", [["a", "b", "c"], [True, False, True], [1.0, 2.0, 3.0], np.array([3, 1, 2])]
)
def test_strings_bools_and_whole_numbers_are_classes(y):
    assert ranking_target(y, "auto")[1] == "classes"


def test_a_task_can_be_named():
    assert ranking_target([1, 2, 3], "regression")[1] == "values"
    assert ranking_target([0.5, 2, 3], "auto")[1] == "values"
    with pytest.raises(ValueError, match="continuous"):
        ranking_target([0.5, 2, 3], "classification")
    with pytest.raises(ValueError, match="task='rank' is none of 'auto', 'classification'"):
        ranking_target([0, 1], "rank")


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (["a", "a"], "y must have two different classes at least, in 2 rows"),
        ([], "0 sample"),
        ([1.5, 1.5], "two different values"),
        (np.zeros((3, 2), int), "two different labels"),
        (["a", None], "row 1 of y: None is no class"),
        ([0.5, np.nan], "row 1 of y: nan"),
        ([[1, 2], [3, 4]], "no matrix of zeros and ones"),
    ],
)
def test_targets_that_cannot_be_ranked_are_refused(y, match):
    with pytest.raises(ValueError, match=match):
        ranking_target(y, "auto")


def test_many_features_that_fit_all_targets_have_a_finite_evidence():
    features = rng.normal(size=(20, 300)).astype(np.float32)
    assert np.isfinite(log_evidence(spectrum(features, scale=False), np.arange(20) - 9.5))


def test_constant_labels_are_left_out():
    targets, kind = ranking_target(np.array([[0, 1, 1], [0, 0, 1]]), "auto")
    assert (targets.tolist(), kind) == ([[1.0], [0.0]], "labels")


@pytest.mark.parametrize("scale", [1e-300, 1e-5, 1e30])
def test_the_score_of_values_does_not_depend_on_their_scale(scale):
    features, _ = data(40, 8)
    y = features[:, 1:2].astype(float) + np.arange(40)[:, None]
    X = spectrum(features, scale=True)
    expected = ridge_score(X, y, "values").value
    assert ridge_score(X, y * scale, "values").value == pytest.approx(expected)
