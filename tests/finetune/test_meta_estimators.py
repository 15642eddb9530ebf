"""Fine-tuners in scikit-learn's meta-estimators."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from sktransfer import ImageClassifier, ImageRegressor, TextClassifier, cache_info
from tests._jobs import BACKENDS, two_jobs
from tests._tiny import texts

N_ROWS = 30
SIDES = np.arange(N_ROWS) % 2


@pytest.fixture(scope="module")
def dark_and_light_images():
    """Return alternating dark and light images."""
    noise = np.random.default_rng(0).integers(0, 100, (N_ROWS, 16, 16, 3))
    return (noise + 150 * SIDES[:, None, None, None]).astype(np.uint8)


@pytest.fixture(scope="module")
def column(dark_and_light_images):
    """Return the images as flattened rows, which all meta-estimators accept."""
    return dark_and_light_images.reshape(N_ROWS, -1)


def classifier(**options):
    settings = {"image_shape": (16, 16, 3), "image_size": 32, "lr": 0.01, "max_epochs": 4}
    settings |= {"random_state": 0, "weights": None}
    return ImageClassifier("resnet18", **{**settings, **options})


def test_a_search_over_learning_rates_computes_each_row_once(column, cache_folder):
    before = cache_info().computed
    grid = {"lr": [0.1, 0.01], "max_epochs": [1, 4]}
    search = GridSearchCV(classifier(), grid, cv=3).fit(column, SIDES)
    assert search.best_score_ > 0.9
    assert cache_info().computed - before == N_ROWS


def test_a_search_over_trainable_and_augment_runs(column):
    grid = {"trainable": ["head", 1], "augment": [None, "light"]}
    search = GridSearchCV(classifier(max_epochs=1), grid, cv=2, error_score="raise")
    assert len(search.fit(column, SIDES).cv_results_["params"]) == 4


def test_halving_search_trains_better_candidates_for_more_epochs(column):
    search = HalvingGridSearchCV(
        classifier(), {"lr": [0.1, 0.01, 1e-6]}, resource="max_epochs", max_resources=9, cv=2
    ).fit(column, SIDES)
    assert search.best_params_["max_epochs"] > 1


def test_cross_validation_with_several_scores(column):
    scores = cross_validate(
        classifier(), column, SIDES, cv=3, scoring=["accuracy", "roc_auc", "neg_log_loss"]
    )
    assert scores["test_roc_auc"].mean() > 0.9


def test_cross_val_predict_and_learning_curve(column):
    shares = cross_val_predict(classifier(), column, SIDES, cv=3, method="predict_proba")
    assert shares.shape == (N_ROWS, 2)
    _, _, scores = learning_curve(classifier(), column, SIDES, cv=3, train_sizes=[0.5, 1.0])
    assert scores.shape == (2, 3)


def test_calibration_works_without_warnings(column):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ensemble in (True, False):
            model = CalibratedClassifierCV(classifier(), cv=3, ensemble=ensemble)
            assert model.fit(column, SIDES).score(column, SIDES) > 0.9


def test_a_threshold_is_tuned(column):
    model = TunedThresholdClassifierCV(classifier(), cv=3).fit(column, SIDES)
    assert model.score(column, SIDES) > 0.9


@pytest.mark.parametrize("meta", [OneVsRestClassifier, OneVsOneClassifier])
def test_one_vs_rest_and_one_vs_one(column, meta):
    y = np.arange(N_ROWS) % 3
    assert meta(classifier(max_epochs=1)).fit(column, y).predict(column).shape == (N_ROWS,)


def test_several_outputs_bagging_self_training_and_stacking(column):
    both = np.stack([SIDES, 1 - SIDES], axis=1)
    assert MultiOutputClassifier(classifier()).fit(column, both).predict(column).shape == both.shape
    assert BaggingClassifier(classifier(), 2).fit(column, SIDES).score(column, SIDES) > 0.8
    some = np.where(np.arange(N_ROWS) < 12, SIDES, -1)
    assert SelfTrainingClassifier(classifier()).fit(column, some).score(column, SIDES) > 0.8
    stack = StackingClassifier([("a", classifier())], LogisticRegression(), cv=2, passthrough=True)
    assert stack.fit(column, SIDES).score(column, SIDES) > 0.8


def test_a_transformed_target_regressor(column):
    y = np.exp(SIDES * 3.0)
    regressor = ImageRegressor(
        "resnet18",
        weights=None,
        image_shape=(16, 16, 3),
        image_size=32,
        lr=0.01,
        max_epochs=30,
        random_state=0,
    )
    model = TransformedTargetRegressor(regressor, func=np.log, inverse_func=np.exp)
    assert model.fit(column, y).score(column, y) > 0.5


def test_weights_are_routed_to_fit_and_score(column):
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        weighted = (
            classifier()
            .set_fit_request(sample_weight=True, groups=True)
            .set_score_request(sample_weight=True)
        )
        scores = cross_validate(
            weighted,
            column,
            SIDES,
            cv=3,
            params={"sample_weight": np.ones(N_ROWS), "groups": SIDES},
        )
    assert len(scores["test_score"]) == 3


# Processes are tested in tests/test_other_libraries.py, and fits in them in test_contract.py.
@pytest.mark.parametrize(
    "backend", [pytest.param(b, marks=[pytest.mark.slow] * (b != "threading")) for b in BACKENDS]
)
def test_two_jobs_give_the_scores_of_one(column, backend):
    one = cross_val_score(classifier(trainable=1), column, SIDES, cv=3)
    with two_jobs(backend):
        two = cross_val_score(classifier(trainable=1), column, SIDES, cv=3)
    np.testing.assert_allclose(two, one)


def test_two_fine_tuners_and_a_table_in_one_pipeline():
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import StandardScaler

    table = pd.DataFrame({"text": texts(N_ROWS), "number": np.arange(N_ROWS)})
    features = ColumnTransformer(
        [
            ("text", TextClassifier(max_epochs=2, random_state=0), "text"),
            ("number", StandardScaler(), ["number"]),
        ]
    )
    model = make_pipeline(features, LogisticRegression(max_iter=300)).fit(table, SIDES)
    assert model.predict(table).shape == (N_ROWS,)
    assert model[0].get_feature_names_out()[0] == "text__text_0"


def test_features_can_be_data_frames(column):
    fitted = classifier().set_output(transform="pandas").fit(column, SIDES)
    assert fitted.transform(column).shape == (N_ROWS, 512)
