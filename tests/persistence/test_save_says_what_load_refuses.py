"""What `save` warns of or refuses is what `load` refuses, for estimators of many kinds."""

import functools

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import Birch, BisectingKMeans, FeatureAgglomeration
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, TweedieRegressor
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.multiclass import OutputCodeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, NuSVR
from torchvision.transforms import v2

from sktransfer import ImageClassifier, ImageEmbedder, load, save
from sktransfer.exceptions import PersistenceError, UntrustedError, UntrustedWarning
from tests._tiny import images, tiny_network

random = np.random.default_rng(0)
X = random.normal(size=(60, 4))
WHOLE = np.abs(X * 3).astype(int)
Y = (X[:, 0] > 0).astype(int)
TABLE = pd.DataFrame({"c": pd.Categorical(["a", "b", "c"] * 20), "n": X[:, 0], "m": X[:, 1]})


class Own(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X


def doubled(values):
    return 2 * values


def boosting(**options):
    return HistGradientBoostingClassifier(max_iter=4, **options)


def selector_of_numbers():
    return make_column_selector(dtype_include=np.number)


def search(cv):
    return GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=cv)


PARTS = [("a", LogisticRegression()), ("b", GaussianNB())]
FOREST = [("a", RandomForestClassifier(3)), ("b", GaussianNB())]
LOADED = {
    "support vectors": (SVC(), X),
    "probabilities": (SVC(probability=True), X),
    "boosting": (boosting(), X),
    "boosting in a search": (GridSearchCV(boosting(), {"max_iter": [2, 3]}, cv=2), X),
    "boosting in a stack": (StackingClassifier([*PARTS, ("c", boosting())], cv=2), X),
    "selectors": (
        make_column_transformer(
            (StandardScaler(), selector_of_numbers()),
            (OneHotEncoder(), make_column_selector(dtype_include="category")),
        ),
        TABLE,
    ),
    "targets of categories": (make_column_transformer((TargetEncoder(cv=2), ["c"])), TABLE),
    "imputer": (make_pipeline(SimpleImputer(), KBinsDiscretizer(), LogisticRegression()), X),
    "voting": (VotingClassifier(PARTS), X),
    "stacking": (StackingClassifier(PARTS, cv=2), X),
    "function of NumPy": (FunctionTransformer(np.tanh), X),
    "function of arrays": (FunctionTransformer(np.nan_to_num), X),
    "splines": (SplineTransformer(), X),
    "periodic splines": (SplineTransformer(extrapolation="periodic"), X),
    "bisecting k-means": (BisectingKMeans(3), X),
    "bisecting k-means of Elkan": (BisectingKMeans(3, algorithm="elkan"), X),
    "merged features": (FeatureAgglomeration(), X),
    "code of classes": (OutputCodeClassifier(LogisticRegression(), random_state=0), X),
    "Tweedie losses": (make_pipeline(TweedieRegressor(power=1.5)), WHOLE),
    "losses without a link": (TweedieRegressor(power=0, link="identity"), X),
    "iterative imputer": (IterativeImputer(), X),
    "kernel as a matrix": (SVC(kernel="precomputed"), X @ X.T),
    "kernel as a function": (SVC(kernel=rbf_kernel), X),
    "support vector regression": (NuSVR(), X),
}
UNTRUSTED = {
    "function": (FunctionTransformer(doubled), X),
    "partial": (FunctionTransformer(functools.partial(doubled)), X),
    "own class": (make_pipeline(Own(), LogisticRegression()), X),
    "neighbours": (KNeighborsClassifier(), X),
    "ball tree": (KNeighborsClassifier(algorithm="ball_tree"), X),
    "trees in a stack": (StackingClassifier(FOREST, cv=2), X),
    "categories": (boosting(categorical_features=[0]), WHOLE),
    "categories of a table": (boosting(categorical_features="from_dtype"), TABLE),
    "warm start": (boosting(warm_start=True), X),
    "categories and a function": (
        make_pipeline(
            FunctionTransformer(doubled), boosting(categorical_features=[0], warm_start=True)
        ),
        WHOLE,
    ),
    "warm start and a function": (
        make_pipeline(FunctionTransformer(doubled), boosting(warm_start=True)),
        X,
    ),
    "distribution": (
        RandomizedSearchCV(
            LogisticRegression(), {"C": scipy.stats.loguniform(0.1, 1)}, n_iter=2, cv=2
        ),
        X,
    ),
}
REFUSED = {
    "lambda": (FunctionTransformer(lambda values: values), X),
    "lambda in a pipeline": (make_pipeline(FunctionTransformer(lambda v: v), GaussianNB()), X),
    "lambda as columns": (make_column_transformer((StandardScaler(), lambda _: ["n"])), TABLE),
    "lambda as a score": (SelectKBest(lambda X, y: np.ones(4), k=2), X),
    "generator of folds": (search(KFold(2).split(X)), None),
    "method of str": (CountVectorizer(preprocessor=str.lower), None),
    "compiled function": (Birch(), X),
    "local class": (type("Local", (Own,), {})(), X),
    "generator of another kind": (
        FunctionTransformer(kw_args={"g": np.random.Generator(np.random.MT19937(0))}),
        None,
    ),
}


def fitted(estimator, column):
    return estimator if column is None else estimator.fit(column, Y)


def assert_equal_outputs(one, other, column):
    for name in ("predict", "predict_proba", "transform"):
        if hasattr(one, name):
            np.testing.assert_array_equal(getattr(other, name)(column), getattr(one, name)(column))


@pytest.mark.filterwarnings("ignore::FutureWarning:sklearn")
@pytest.mark.parametrize("kind", LOADED)
def test_what_is_saved_without_a_warning_is_loaded(kind, path):
    estimator, column = LOADED[kind]
    save(fitted(estimator, column), path)
    assert_equal_outputs(estimator, load(path), column)


@pytest.mark.parametrize("kind", UNTRUSTED)
def test_a_warning_names_all_that_load_wants_trusted(kind, path):
    estimator, column = UNTRUSTED[kind]
    with pytest.warns(UntrustedWarning) as warned:
        save(fitted(estimator, column), path)
    with pytest.raises(UntrustedError) as caught:
        load(path)
    assert f"trusted={list(caught.value.types)!r}" in str(warned[0].message)
    assert_equal_outputs(estimator, load(path, trusted=caught.value.types), column)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_loaded_is_not_saved(kind, path):
    with pytest.raises(PersistenceError, match="cannot be saved"):
        save(fitted(*REFUSED[kind]), path)
    assert not path.exists()


@pytest.mark.parametrize("is_fitted", [True, False])
def test_a_network_of_the_user_is_named_when_it_is_saved(is_fitted, path):
    embedder = ImageEmbedder(tiny_network(), cache=False)
    with pytest.warns(UntrustedWarning, match=r"own network \(Sequential\).*modules=\[module\]"):
        save(embedder.fit(images(2)) if is_fitted else embedder, path)
    load(path, modules=[tiny_network()])


@pytest.mark.parametrize(
    "transform", [v2.RandomResizedCrop(8), v2.ColorJitter(0.1), v2.RandomAffine(5)]
)
def test_a_transform_of_torchvision_is_a_parameter_like_any_other(transform):
    """Its method `get_params` is not that of an estimator."""
    model = make_pipeline(ImageClassifier(augment=transform))
    assert model.get_params()["imageclassifier__augment"] is transform
    with pytest.raises(PersistenceError, match="augment"):
        save(make_pipeline(ImageClassifier(augment=lambda pixels: transform(pixels))), "nowhere")
