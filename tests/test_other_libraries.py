"""Embedders in scikit-learn's tools and in other libraries."""

import copy
import pickle

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import estimator_html_repr

from sktransfer import AudioEmbedder, ImageEmbedder, TextEmbedder
from tests._jobs import BACKENDS, two_jobs
from tests._tiny import images, sounds, texts, tiny_network

N_ROWS = 24
LABELS = np.array(["cat", "dog", "fish"])[np.arange(N_ROWS) % 3]


@pytest.fixture(autouse=True)
def _own_cache(cache_folder):
    """Start every test with an empty cache."""


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "photo": list(images(N_ROWS)),
            "title": texts(N_ROWS),
            "colour": np.array(["red", "blue"])[np.arange(N_ROWS) % 2],
            "width": np.arange(N_ROWS) * 1.5,
        }
    )


def image_embedder(**parameters):
    return ImageEmbedder(tiny_network(), **parameters)


def make_features(one_column=str, *, cache=True):
    return ColumnTransformer(
        [
            ("photo", image_embedder(cache=cache), one_column("photo")),
            ("title", TextEmbedder(cache=cache), one_column("title")),
            ("colour", OneHotEncoder(sparse_output=False), ["colour"]),
            ("width", StandardScaler(), ["width"]),
        ]
    )


def test_column_transformer_selects_a_column_by_name_and_by_list(table):
    by_name = make_features(str).fit_transform(table)
    by_list = make_features(lambda name: [name]).fit_transform(table)
    assert by_name.shape == (N_ROWS, 6 + 384 + 2 + 1)
    np.testing.assert_array_equal(by_name, by_list)


def test_column_transformer_names_its_features(table):
    for one_column in (str, lambda name: [name]):
        names = make_features(one_column).fit(table).get_feature_names_out()
        assert names[0] == "photo__photo_0"
        assert names[6] == "title__title_0"


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_column_transformer_can_give_data_frames(table, library):
    frame = make_features().set_output(transform=library).fit_transform(table)
    assert "title__title_383" in frame.columns


def test_pipeline_predicts(table):
    model = Pipeline([("features", make_features()), ("clf", RidgeClassifier())])
    model.fit(table, LABELS)
    assert set(model.predict(table)) <= set(LABELS)
    assert model[:-1].get_feature_names_out()[-1] == "width__width"


def test_feature_union_concatenates_two_backbones(table):
    union = FeatureUnion([("a", image_embedder()), ("b", ImageEmbedder(tiny_network(seed=1)))])
    assert union.fit_transform(table["photo"]).shape == (N_ROWS, 12)
    assert len(union.get_feature_names_out()) == 12


def test_grid_search_chooses_among_backbones():
    grid = {"imageembedder__backbone": ["resnet18", "squeezenet1_1"]}
    model = make_pipeline(ImageEmbedder(weights=None, image_size=32), RidgeClassifier())
    search = GridSearchCV(model, grid, cv=2).fit(images(N_ROWS), LABELS)
    assert search.best_params_["imageembedder__backbone"] in grid["imageembedder__backbone"]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_halving_search_runs(table):
    model = make_pipeline(TextEmbedder(), RidgeClassifier())
    grid = {"ridgeclassifier__alpha": [0.1, 1, 10]}
    search = HalvingGridSearchCV(model, grid, cv=2, min_resources=12, random_state=0)
    assert set(search.fit(table["title"], LABELS).predict(table["title"])) <= set(LABELS)


def test_cross_val_predict_gives_every_row_a_label(table):
    model = make_pipeline(make_features(), RidgeClassifier())
    assert len(cross_val_predict(model, table, LABELS, cv=3)) == N_ROWS


def test_calibration_and_stacking(table):
    by_photo = make_pipeline(
        make_column_transformer((image_embedder(), "photo")), LogisticRegression()
    )
    by_title = make_pipeline(
        make_column_transformer((TextEmbedder(), "title")), LogisticRegression()
    )
    stack = StackingClassifier(
        [("photo", by_photo), ("title", by_title)], LogisticRegression(), cv=2
    )
    calibrated = CalibratedClassifierCV(stack, cv=2).fit(table, LABELS)
    np.testing.assert_allclose(calibrated.predict_proba(table).sum(axis=1), 1)


def test_permutation_importance_of_columns(table):
    model = make_pipeline(make_features(), RidgeClassifier()).fit(table, LABELS)
    importance = permutation_importance(model, table, LABELS, n_repeats=2, random_state=0)
    assert importance.importances_mean.shape == (table.shape[1],)


def test_permutation_importance_and_bagging_on_one_column_of_texts():
    column = np.array(texts(N_ROWS), dtype=object)[:, None]
    model = make_pipeline(TextEmbedder(), RidgeClassifier()).fit(column, LABELS)
    importance = permutation_importance(model, column, LABELS, n_repeats=2, random_state=0)
    assert importance.importances_mean.shape == (1,)
    bagging = BaggingClassifier(model, n_estimators=2, random_state=0).fit(column, LABELS)
    assert len(bagging.predict(column)) == N_ROWS


def test_html_representation_names_the_embedder(table):
    html = estimator_html_repr(make_pipeline(make_features(), RidgeClassifier()).fit(table, LABELS))
    assert "ImageEmbedder" in html


@pytest.mark.parametrize(
    "copied",
    [
        clone,
        copy.deepcopy,
        lambda e: pickle.loads(pickle.dumps(e)),
        lambda e: cloudpickle.loads(cloudpickle.dumps(e)),
    ],
    ids=["clone", "deepcopy", "pickle", "cloudpickle"],
)
def test_copies_give_the_same_features(table, copied):
    features = make_features(cache=False)
    expected = features.fit_transform(table)
    again = copied(features)
    if copied is clone:
        again.fit(table)
    np.testing.assert_array_equal(again.transform(table), expected)


def test_joblib_dump_and_load(table, tmp_path):
    model = make_pipeline(TextEmbedder(cache=False), RidgeClassifier())
    model.fit(table["title"], LABELS)
    joblib.dump(model, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(
        again.decision_function(table["title"]), model.decision_function(table["title"])
    )


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_jobs_give_the_scores_of_one(table, backend):
    model = make_pipeline(
        make_column_transformer(
            (ImageEmbedder("resnet18", weights=None, image_size=32, cache=False), "photo"),
            (TextEmbedder(cache=False), "title"),
        ),
        RidgeClassifier(),
    )
    alone = cross_val_score(model, table, LABELS, cv=3)
    with two_jobs(backend):
        together = cross_val_score(model, table, LABELS, cv=3)
    np.testing.assert_allclose(together, alone)


def test_skrub_applies_the_embedder_to_a_column(table):
    skrub = pytest.importorskip("skrub")
    applied = skrub.ApplyToCols(TextEmbedder(), cols=["title"]).fit_transform(table)
    assert "title_383" in applied.columns
    assert "width" in applied.columns


def test_skrub_table_vectorizer_uses_the_embedder_for_texts(table):
    skrub = pytest.importorskip("skrub")
    vectorizer = skrub.TableVectorizer(high_cardinality=TextEmbedder(), cardinality_threshold=5)
    frame = vectorizer.fit_transform(table.drop(columns="photo"))
    assert "title_383" in frame.columns


def test_recordings_go_through_skrub_and_dask(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    skrub = pytest.importorskip("skrub")
    dd = pytest.importorskip("dask.dataframe")
    paths = [str(tmp_path / f"{row}.wav") for row in range(4)]
    for path, samples in zip(paths, sounds(4), strict=True):
        soundfile.write(path, samples, 16_000)
    table = pd.DataFrame({"call": paths, "size": range(4)})
    expected = AudioEmbedder(cache=False).fit_transform(paths)
    applied = skrub.ApplyToCols(AudioEmbedder(cache=False), cols=["call"]).fit_transform(table)
    np.testing.assert_allclose(applied.drop(columns="size"), expected, rtol=1e-5, atol=1e-5)
    lazy = dd.from_pandas(table["call"], npartitions=2)
    features = AudioEmbedder(cache=False).fit_transform(lazy).compute()
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)
