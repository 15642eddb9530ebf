"""Which estimator computes on which columns, of tables of numbers and words."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    StandardScaler,
)

from sktransfer import (
    ImageClassifier,
    ImageEmbedder,
    MixedClassifier,
    TableEmbedder,
    TextClassifier,
)
from sktransfer.exceptions import ColumnError, LeftOutWarning, WeightsError
from tests._tiny import images, tiny_network

N = 24
Y = np.array(["even", "odd"] * (N // 2))


def make(towers, **options):
    return MixedClassifier(towers, **{"max_epochs": 2, "random_state": 0, "lr": 0.01} | options)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    titles = [f"{'good' if row % 2 else 'bad'} film {row}" for row in range(N)]
    columns = {"title": titles, "size": rng.normal(size=N), "price": rng.normal(size=N)}
    return pd.DataFrame(columns, index=np.arange(N) + 100)


@pytest.mark.parametrize(
    ("fit", "use"),
    [
        (lambda X: X, lambda X: X.to_numpy(object)),
        (lambda X: X, lambda X: X.to_numpy(object).tolist()),
        (pl.from_pandas, lambda X: X.to_numpy(object)),
        (lambda X: X.to_numpy(object), lambda X: X),
        (lambda X: X.to_numpy(object).tolist(), lambda X: pa.table(X.to_dict("list"))),
        (lambda X: X.to_numpy(object), lambda X: X.set_axis([7, 8, 9], axis=1)),
    ],
)
def test_where_one_table_has_no_names_columns_have_places(fit, use, table):
    X, other = fit(table), use(table)
    names = getattr(X, "columns", range(3))
    model = make({names[0]: TfidfVectorizer()}).fit(X, Y, X_val=other, y_val=Y)
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(X))
    with pytest.raises(ColumnError, match="X has 2 features, but MixedClassifier is expecting 3"):
        model.predict(table.to_numpy(object)[:, :2])
    # What a fit goes on with has the names of the first one.
    model.partial_fit(other, Y)
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(X))
    assert hasattr(model, "feature_names_in_") == hasattr(X, "columns")


def test_numbers_name_columns_without_names(table):
    model = make({0: TfidfVectorizer(), "both": (StandardScaler(), [1, 2])})
    assert model.set_params(**{"0__min_df": 2}).get_params()["0__min_df"] == 2
    model.fit(table.to_numpy(object), Y)
    assert list(model.towers_) == ["0", "both"]
    assert clone(model).set_params(**{"0": None}).towers[0] is None


@pytest.mark.parametrize("of", [list, tuple, np.array, pd.Index, pd.Series])
def test_columns_of_a_tower_may_be_in_any_container(of, table):
    towers = {"title": None, "both": (StandardScaler(), of(["size", "price"]))}
    assert make(towers).fit(table, Y).towers_["both"].n_features_in_ == 2


@pytest.mark.parametrize(
    ("name", "why"), [("device", "a parameter has this name"), ("a__b", "it contains '__'")]
)
def test_a_name_that_cannot_be_set_is_refused(name, why, table):
    named = table.rename(columns={"title": name})
    model = make({name: TfidfVectorizer()})
    assert model.get_params()["device"] == "auto"
    with pytest.raises(ColumnError, match=f"No tower can be named '{name}': {why}"):
        model.fit(named, Y)
    other = make({"title": (TfidfVectorizer(), name)}).fit(named, Y)
    np.testing.assert_array_equal(
        other.predict_proba(named),
        make({"title": TfidfVectorizer()}).fit(table, Y).predict_proba(table),
    )


@pytest.mark.parametrize(
    "transformer",
    [
        TfidfVectorizer(),
        HashingVectorizer(n_features=4),
        make_pipeline(OneHotEncoder(sparse_output=False), StandardScaler()),
        ImageEmbedder(tiny_network(), image_size=16, cache=False),
    ],
)
def test_a_transformer_without_any_cell_is_left_out(transformer, table):
    model = make({"title": transformer})
    with pytest.warns(LeftOutWarning, match="Towers without any cell are not used: 'title'"):
        model.fit(table.assign(title=None), Y)
    assert list(model.towers_) == ["rest"]
    assert np.isfinite(model.predict_proba(table)).all()


def test_towers_without_any_cell_at_all_are_an_error(table):
    empty = table.assign(title=None, size=np.nan, price=np.nan)
    with pytest.warns(LeftOutWarning), pytest.raises(ColumnError, match="leaves no column of X"):
        make({"title": TfidfVectorizer(), "rest": TableEmbedder()}).fit(empty, Y)


@pytest.mark.parametrize(
    "transformer",
    [PCA(1), make_pipeline(PCA(1)), SimpleImputer(), KBinsDiscretizer(2), StandardScaler()],
)
@pytest.mark.parametrize("columns", [["size"], ["size", "price"]])
@pytest.mark.parametrize(
    "of", [pd.DataFrame, pl.from_pandas, lambda X: pa.table(X.to_dict("list"))]
)
def test_a_row_without_cells_has_a_blank_of_any_transformer(transformer, columns, of, table):
    holes = table.assign(size=table["size"].where(np.arange(N) > 3))
    holes["price"] = holes["price"].where(np.arange(N) > 3)
    towers = {"title": None, "x": (transformer, columns), "rest": None}
    fused = make(towers).fit(of(holes), Y).transform(of(holes))
    np.testing.assert_array_equal(fused[:4], np.tile(fused[0], (4, 1)))
    full = make(towers).fit(of(table), Y)
    assert np.isfinite(full.transform(of(holes))).all()
    np.testing.assert_array_equal(full.transform(of(holes))[4:], full.transform(of(table))[4:])


def test_numbers_are_texts_for_a_transformer_of_texts(table):
    model = make({"title": TfidfVectorizer()}).fit(table, Y)
    np.testing.assert_array_equal(
        model.predict_proba(table.assign(title=3)), model.predict_proba(table.assign(title="3"))
    )


@pytest.mark.parametrize(
    ("tower", "message"),
    [
        (TextClassifier(), "is a TextClassifier, which takes one column, and not 3"),
        (TfidfVectorizer(), "is a TfidfVectorizer, which takes one column, and not 3"),
        (3, "must be a fine-tuner of rows"),
        ("drop", "must be a fine-tuner of rows"),
        ([StandardScaler(), ["size"]], "must be a fine-tuner of rows"),
        (TableEmbedder, "must be a fine-tuner of rows"),
        ((), "must be a pair of an estimator and its columns"),
    ],
)
def test_the_tower_of_the_rest_is_checked_as_others_are(tower, message, table):
    model = make({"rest": tower})
    assert repr(model)
    assert model.get_params()["rest"] is tower
    with pytest.raises((ColumnError, TypeError), match=message):
        model.fit(table, Y)


def test_a_transformer_without_features_is_an_error(table):
    nothing = FunctionTransformer(lambda X: X.iloc[:, :0])
    with pytest.raises(ColumnError, match="gives no features") as raised:
        make({"title": None, "size": nothing}).fit(table, Y)
    assert raised.value.__notes__ == ["This is about the tower 'size'."]


def test_a_pair_may_be_named_rest(table):
    model = make({"rest": (StandardScaler(), ["size"]), "title": None}).fit(table, Y)
    assert list(model.towers_) == ["rest", "rest_"]


def test_a_head_that_does_not_fit_its_towers_is_refused(table):
    model = make({"title": None}).fit(table, Y)
    model._head["linear.weight"] = model._head["linear.weight"][:, 1:]
    with pytest.raises(
        WeightsError, match=r"of another shape: linear.weight \(2, 3\) for \(2, 4\)"
    ):
        model.predict(table)


def test_targets_are_counted_before_towers_are_fitted(table):
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[24, 5\]") as raised:
        make("auto").fit(table, Y[:5])
    assert not hasattr(raised.value, "__notes__")


def pictured(table):
    pictures = images(N)
    pictures[::2] //= 2
    return table.assign(photo=list(pictures))


def test_a_warm_start_has_the_parameters_of_towers_that_they_have_now(table):
    X = pictured(table)
    photo = ImageClassifier(tiny_network(), image_size=16, cache=False)
    model = make({"photo": photo, "title": TfidfVectorizer()}, warm_start=True).fit(X, Y)
    before, proba = model.towers_["photo"], model.predict_proba(X)
    assert before.module_.opened == ()
    with pytest.raises(ValueError, match="'lr' parameter of ImageClassifier"):
        model.set_params(photo__lr=-1.0).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), proba)
    model.set_params(photo__trainable=1, photo__lr=0.1).fit(X, Y)
    assert model.towers_["photo"].module_.opened == ("stage4",)
    assert (model.towers_["photo"].lr, before.lr) == (0.1, 0.001)
    assert len(model.history_) == 4
    with pytest.raises(
        ColumnError, match="cannot replace the tower 'title', a TfidfVectorizer, by None"
    ):
        model.set_params(title=None).fit(X, Y)


def test_a_warm_start_adds_no_tower(table):
    model = make({"title": TfidfVectorizer()})
    with pytest.warns(LeftOutWarning, match="without any cell"):
        model.partial_fit(table.assign(title=None), Y)
    with pytest.warns(LeftOutWarning, match="not in the first fit are not used: 'title'"):
        model.partial_fit(table, Y)
    assert list(model.towers_) == ["rest"]
