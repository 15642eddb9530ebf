"""Loaded estimators equal the saved ones, alone or inside scikit-learn's estimators."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, StratifiedKFold, TunedThresholdClassifierCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from sktransfer import ImageClassifier, ImageEmbedder, ImageRegressor, TextEmbedder, load, save
from sktransfer.exceptions import PersistenceError, UntrustedError, UntrustedWarning
from tests._estimators import CASES
from tests._tiny import images

COLUMN = list(images(12, size=32))
SIDES = np.array(["a", "b"] * 6)
NUMBERS = np.linspace(1, 2, 12)


def outputs(estimator, column) -> dict[str, np.ndarray]:
    """Return all outputs of a fitted estimator for a column."""
    names = ("predict", "predict_proba", "transform")
    return {n: np.asarray(getattr(estimator, n)(column)) for n in names if hasattr(estimator, n)}


def assert_equal_outputs(one, other, column):
    expected, found = outputs(one, column), outputs(other, column)
    assert expected.keys() == found.keys() != set()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def round_trip(estimator, path, **options):
    save(estimator, path, **options)
    return load(path)


@pytest.mark.parametrize(
    ("name", "standalone"),
    [*((name, False) for name in CASES), ("ImageEmbedder", True), ("TextClassifier", True)],
)
def test_every_estimator_is_loaded_with_its_fitted_attributes(name, standalone, path):
    case = CASES[name]
    column = case.column(4)
    fitted = case.make().fit(column, case.target(4))
    loaded = round_trip(fitted, path, standalone=standalone)
    assert_equal_outputs(fitted, loaded, column)
    assert loaded.get_params() == fitted.get_params()
    assert vars(loaded).keys() == vars(fitted).keys()
    for attribute in ("history_", "best_epoch_", "n_features_in_", "fingerprint_"):
        assert getattr(loaded, attribute, None) == getattr(fitted, attribute, None)
    np.testing.assert_array_equal(getattr(loaded, "classes_", 0), getattr(fitted, "classes_", 0))
    np.testing.assert_array_equal(loaded.get_feature_names_out(), fitted.get_feature_names_out())
    again = pickle.loads(pickle.dumps(loaded))
    assert_equal_outputs(fitted, again, column)
    assert clone(loaded).get_params() == fitted.get_params()
    assert not clone(loaded).__sklearn_is_fitted__()


@pytest.mark.parametrize("name", CASES)
def test_unfitted_estimators_are_loaded_unfitted(name, path):
    estimator = CASES[name].make().set_params(cache=False, batch_size=7)
    loaded = round_trip(estimator, path)
    assert loaded.get_params() == estimator.get_params()
    assert vars(loaded) == vars(estimator)


def embedder(vit, **options):
    return ImageEmbedder(str(vit), **options)


def classifier(vit, **options):
    settings = {"max_epochs": 2, "lr": 0.01, "random_state": 0, **options}
    return ImageClassifier(str(vit), **settings)


META = {
    "pipeline": lambda vit: make_pipeline(embedder(vit), SVC()),
    "voting": lambda vit: VotingClassifier(
        [("a", make_pipeline(embedder(vit), LogisticRegression())), ("b", classifier(vit))],
        voting="soft",
    ),
    "stacking": lambda vit: StackingClassifier(
        [("a", classifier(vit)), ("b", make_pipeline(embedder(vit), LogisticRegression()))], cv=2
    ),
    "calibrated": lambda vit: CalibratedClassifierCV(
        FrozenEstimator(classifier(vit, trainable=1).fit(COLUMN, SIDES))
    ),
    "union": lambda vit: make_pipeline(
        FeatureUnion([("last", embedder(vit)), ("first", embedder(vit, layer=0))]),
        FunctionTransformer(np.tanh),
        LogisticRegression(),
    ),
    "threshold": lambda vit: TunedThresholdClassifierCV(classifier(vit), cv=2),
    "on another": lambda vit: make_pipeline(
        ImageEmbedder(FrozenEstimator(classifier(vit, trainable=1).fit(COLUMN, SIDES))),
        LogisticRegression(),
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning:sklearn")
@pytest.mark.parametrize("kind", META)
def test_estimators_inside_meta_estimators_are_loaded(kind, vit, path):
    fitted = META[kind](vit).fit(COLUMN, SIDES)
    for standalone in (False, True):
        loaded = round_trip(fitted, path, standalone=standalone)
        assert_equal_outputs(fitted, loaded, COLUMN)


def test_a_search_is_loaded_with_its_best_estimator_and_results(vit, path):
    model = make_pipeline(embedder(vit), LogisticRegression())
    grid = {"imageembedder__layer": ["pooled", 1], "logisticregression__C": [1.0, 10.0]}
    folds = StratifiedKFold(2, shuffle=True, random_state=np.random.RandomState(0))
    search = GridSearchCV(model, grid, cv=folds, scoring="f1_macro").fit(COLUMN, SIDES)
    loaded = round_trip(search, path, standalone=True)
    assert_equal_outputs(search, loaded, COLUMN)
    assert loaded.best_params_ == search.best_params_
    assert loaded.score(COLUMN, SIDES) == search.score(COLUMN, SIDES)
    pd.testing.assert_frame_equal(
        pd.DataFrame(loaded.cv_results_), pd.DataFrame(search.cv_results_)
    )


def test_a_regressor_is_loaded_with_the_scale_of_its_targets(vit, path):
    regressor = ImageRegressor(str(vit), max_epochs=2, random_state=0)
    scaled = TransformedTargetRegressor(regressor, func=np.log1p, inverse_func=np.expm1)
    fitted = scaled.fit(COLUMN, NUMBERS)
    assert_equal_outputs(fitted, round_trip(fitted, path), COLUMN)


def test_a_column_transformer_is_loaded_with_its_columns_and_output(path):
    table = pd.DataFrame(
        {"icon": pd.Series(COLUMN, dtype=object), "name": ["a cat"] * 12, "size": range(12)}
    )
    features = ColumnTransformer(
        [("icon", ImageEmbedder(), "icon"), ("name", TextEmbedder(), "name")],
        remainder=StandardScaler(),
    ).set_output(transform="pandas")
    fitted = make_pipeline(features, Ridge()).fit(table, NUMBERS)
    loaded = round_trip(fitted, path)
    assert_equal_outputs(fitted, loaded, table)
    frame = loaded[0].transform(table)
    pd.testing.assert_frame_equal(frame, fitted[0].transform(table))
    assert frame.columns[0] == "icon__icon_0"


@pytest.mark.parametrize("trainable", ["head", 1, "all", "gradual", "lora"])
def test_a_loaded_fine_tuner_continues_its_training(trainable, vit, path):
    def more(estimator):
        estimator.set_params(warm_start=True, max_epochs=1).fit(COLUMN, SIDES)
        return estimator.partial_fit(COLUMN, SIDES)

    fitted = classifier(vit, trainable=trainable).fit(COLUMN, SIDES)
    loaded = round_trip(fitted, path, standalone=True)
    assert_equal_outputs(fitted, loaded, COLUMN)
    assert_equal_outputs(more(fitted), more(loaded), COLUMN)
    # Except durations, which differ.
    losses = [[epoch["train_loss"] for epoch in e.history_] for e in (fitted, loaded)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4


def test_a_shared_estimator_is_written_once(vit, path, tmp_path):
    fitted = classifier(vit, trainable="all").fit(COLUMN, SIDES)
    save(fitted, path)
    save([fitted, fitted], tmp_path / "two")
    assert (tmp_path / "two").stat().st_size < 1.5 * path.stat().st_size
    one, other = load(tmp_path / "two")
    assert one is other


def test_equal_estimators_give_equal_files(vit, path, tmp_path):
    fitted = make_pipeline(embedder(vit), LogisticRegression()).fit(COLUMN, SIDES)
    save(fitted, path, standalone=True)
    save(pickle.loads(pickle.dumps(fitted)), tmp_path / "copy", standalone=True)
    save(load(path), tmp_path / "again", standalone=True)
    assert path.read_bytes() == (tmp_path / "copy").read_bytes()
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


def test_saving_and_loading_change_neither_the_estimator_nor_the_process(vit, path):
    import torch

    fitted = classifier(vit, trainable=1).fit(COLUMN, SIDES)
    before, state = dict(vars(fitted)), torch.get_rng_state()
    loaded = round_trip(fitted, path, standalone=True)
    assert vars(fitted) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert not loaded.module_.training
    with torch.inference_mode():
        load(path).set_params(warm_start=True).fit(COLUMN, SIDES)


def test_trees_are_loaded_if_the_user_trusts_them(vit, path):
    forest = make_pipeline(embedder(vit), RandomForestClassifier(3, random_state=0))
    fitted = forest.fit(COLUMN, SIDES)
    with pytest.warns(UntrustedWarning, match="sklearn.tree._tree.Tree"):
        save(fitted, path)
    with pytest.raises(UntrustedError, match="wrong ones crash") as caught:
        load(path)
    assert caught.value.types == ("sklearn.tree._tree.Tree",)
    loaded = load(path, trusted=caught.value.types)
    assert_equal_outputs(fitted, loaded, COLUMN)


def test_a_cyclic_estimator_is_refused_and_named(path):
    holder = FunctionTransformer(kw_args={})
    holder.kw_args["all"] = holder
    with pytest.raises(PersistenceError, match=r"FunctionTransformer.*cannot be saved"):
        save(holder, path)
    assert not path.exists()
