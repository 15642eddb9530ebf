"""A whole table becomes features: transformers, scales, missing cells, names, files."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skrub
from PIL import Image
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    StandardScaler,
    TargetEncoder,
)

from sktransfer import (
    ImageEmbedder,
    TableEmbedder,
    TextEmbedder,
    cache_info,
    explain,
    load,
    save,
)
from sktransfer.exceptions import BadCellError, ColumnError, LeftOutWarning
from tests._tiny import images, texts, tiny_network

N = 24
TEXT = HashingVectorizer(n_features=16)


@pytest.fixture(scope="module")
def image():
    return ImageEmbedder(tiny_network(), image_size=16, cache=False)


@pytest.fixture
def embedder(image):
    return TableEmbedder(image=image, text=TEXT)


def table(n=N, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "photo": list(images(n, seed=seed)),
            "title": texts(n, seed=seed),
            "width": rng.normal(size=n),
            "shop": rng.choice(["north", "south"], n),
            "day": pd.date_range("2020-01-01", periods=n, freq="37h"),
            "sold": rng.random(n) > 0.5,
        }
    )


def target(n=N):
    return np.resize(["a", "b"], n)


# Output ------------------------------------------------------------------------------------------


def test_features_are_float32_and_named_by_their_column(embedder):
    found = embedder.fit_transform(table(), target())
    names = embedder.get_feature_names_out().tolist()
    assert found.dtype == np.float32
    assert found.shape == (N, len(names)) == (N, 6 + 16 + 2 + 2 + 7 + 2)
    assert names[:6] == [f"photo_{n}" for n in range(6)]
    assert names[22:] == [
        *("width", "width_rank", "shop_north", "shop_south", "day_time", "day_year_sin"),
        *("day_year_cos", "day_weekday_sin", "day_weekday_cos", "day_hour_sin", "day_hour_cos"),
        *("sold", "sold_rank"),
    ]
    np.testing.assert_array_equal(embedder.transform(table()), found)
    assert embedder.feature_names_in_.tolist() == [*table()]


def test_describe_says_what_was_recognized_and_prints_as_a_table(embedder):
    described = embedder.fit(table(), target()).describe()
    kinds = [row["recognized_as"] for row in described]
    assert kinds == ["image", "text", "number", "category", "date", "number"]
    assert [row["features"] for row in described] == [6, 16, 2, 2, 7, 2]
    assert "recognized as" in repr(described)
    assert "HashingVectorizer" in repr(described)


def test_each_block_has_the_same_variance_without_a_target(embedder):
    found = embedder.fit_transform(table())
    names = embedder.get_feature_names_out()
    for column in ("photo", "title", "width", "shop", "sold"):
        block = found[:, [str(name).startswith(column) for name in names]]
        assert block.var(axis=0).sum() == pytest.approx(9, rel=1e-4)
        assert block.mean() == pytest.approx(0, abs=1e-5)


def test_a_row_depends_on_its_own_cells_only(embedder):
    embedder.fit(table(), target())
    rows = table(seed=1)
    whole = embedder.transform(rows)
    for row in (0, 7):
        np.testing.assert_allclose(
            embedder.transform(rows.iloc[[row]])[0], whole[row], rtol=1e-4, atol=1e-5
        )
    np.testing.assert_allclose(
        embedder.transform(rows.iloc[::-1])[::-1], whole, rtol=1e-4, atol=1e-5
    )


def test_libraries_give_equal_features(embedder):
    plain = table().drop(columns="photo")
    expected = embedder.fit_transform(plain, target())
    matrix = plain.to_numpy(object)
    polars = pl.from_pandas(plain)
    for other in (polars, polars.to_arrow(), matrix, matrix.tolist(), plain.convert_dtypes()):
        found = clone(embedder).fit_transform(other, target())
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(clone(embedder).fit(other).transform(other).shape, found.shape)
    np.testing.assert_allclose(embedder.transform(polars), expected, atol=1e-5)


def test_rows_with_another_index_are_the_same(embedder):
    shuffled = table().set_index(pd.Index([*"zyxwvutsrqponmlkjihgfedc"]))
    np.testing.assert_array_equal(
        embedder.fit_transform(shuffled, target()), embedder.fit_transform(table(), target())
    )


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_are_returned_if_asked_for(embedder, library):
    found = embedder.set_output(transform=library).fit_transform(table(), target())
    assert list(found.columns) == embedder.get_feature_names_out().tolist()
    assert type(found).__module__.startswith(library)


def test_features_of_one_name_are_told_apart():
    rows = pd.DataFrame({"a": texts(N), "a_0": range(N)})
    names = TableEmbedder(text=TEXT).fit(rows).get_feature_names_out()
    assert "a__a_0" in names
    assert "a_0__a_0" in names


# Columns of other tables -------------------------------------------------------------------------


def test_columns_are_found_by_name_and_others_are_ignored(embedder):
    expected = embedder.fit_transform(table(), target())
    other = table().iloc[:, ::-1].assign(more=1)
    np.testing.assert_array_equal(embedder.transform(other), expected)
    with pytest.raises(ColumnError, match=r"columns are missing: 'width'\. X has"):
        embedder.transform(table().drop(columns="width"))


def test_a_matrix_must_have_as_many_columns(embedder):
    embedder.fit(table()[["width", "sold"]])
    with pytest.raises(ColumnError, match="X has 3 features, but TableEmbedder is expecting 2"):
        embedder.transform(np.zeros((4, 3)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns of the same name"),
        (pd.Series([1, 2]), "Expected 2D array, got 1D array instead"),
        ([1, 2], "Expected 2D array"),
        (images(3), "Found array with dim 4"),
        (pd.DataFrame({"a": []}), r"0 sample\(s\)"),
        (pd.DataFrame(index=[1, 2]), r"0 feature\(s\)"),
        ([["a", 1], ["b"]], "different lengths"),
        ({"a": [1, 2]}, r"X is a dict, not a table; pass pandas.DataFrame\(X\)"),
        ([{"a": 1}, {"a": 2}], r"X is a list of dicts, not a table; pass pandas.DataFrame\(X\)"),
        (pd.DataFrame({"a": [1, 1], "b": [None, None]}), "no column of X is used: 'a': all cells"),
        (csr_array(np.eye(3)), "a sparse csr_array is not a column"),
        (pl.LazyFrame({"a": [1]}), "has no values yet"),
        (np.array([[1j]]), "Complex data not supported"),
    ],
)
def test_what_is_no_table_is_refused(X, message):
    with pytest.raises(ColumnError, match=message):
        TableEmbedder().fit(X)


def test_names_that_are_the_same_text_are_refused():
    with pytest.raises(ColumnError, match="several columns of X are named '1' as text"):
        TableEmbedder().fit(pd.DataFrame({1: range(N), "1": range(N)}))


def test_names_that_are_no_strings():
    found = TableEmbedder().fit(pd.DataFrame({0: range(N), 1: range(N)}))
    assert found.get_feature_names_out().tolist() == ["0", "0_rank", "1", "1_rank"]
    assert found.transform(np.zeros((2, 2))).shape == (2, 4)


# Missing and odd cells ---------------------------------------------------------------------------


def test_missing_cells_are_the_mean_and_have_a_feature(embedder):
    rows = table()
    rows["sold"] = rows["sold"].astype(object)
    rows.loc[3] = [None, "", np.nan, None, pd.NaT, None]
    found = embedder.fit_transform(rows, target())
    names = embedder.get_feature_names_out()
    lacking = [name for name in names if name.endswith("_missing")]
    assert lacking == [f"{column}_missing" for column in rows]
    is_flag = np.isin(names, lacking)
    assert (found[3, ~is_flag] == 0).all()
    assert (found[3, is_flag] > 0).all()
    assert (found[4, is_flag] == 0).all()
    alone = embedder.transform(rows.iloc[[3]])
    np.testing.assert_array_equal(alone[0], found[3])


def test_cells_that_are_missing_only_later_are_the_mean(embedder):
    embedder.fit(table(), target())
    rows = table().astype({"sold": object})
    rows.loc[0] = [None, None, None, None, None, None]
    assert (embedder.transform(rows)[0] == 0).all()


@pytest.mark.filterwarnings("default::sktransfer.exceptions.BadCellWarning")
def test_a_damaged_file_is_an_error_that_names_column_and_row(image, tmp_path):
    paths = []
    for number, picture in enumerate(images(N)):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(picture).save(paths[-1])
    rows = pd.DataFrame({"photo": paths, "n": range(N)})
    rows.loc[1, "photo"] = None
    (tmp_path / "5.png").write_bytes(b"no image")
    with pytest.raises(BadCellError, match=r"^column 'photo': row 5: '.*5\.png'") as caught:
        TableEmbedder(image=image).fit(rows)
    assert caught.value.row == 5
    lenient = clone(image).set_params(on_error="nan")
    with pytest.warns(UserWarning, match="1 of 24"):
        found = TableEmbedder(image=lenient).fit_transform(rows)
    assert (found[[1, 5], :6] == 0).all()
    assert (found[[1, 5], 6] > 0).all()


@pytest.mark.parametrize(
    ("cells", "other", "noun"),
    [([*map(str, range(N))], "x", "number"), (["2020-01-02", "2021-03"] * N, "soon", "date")],
)
def test_strings_that_cannot_be_read_are_missing(cells, other, noun):
    clean = TableEmbedder().fit(pd.DataFrame({"n": cells}))
    with pytest.warns(LeftOutWarning, match=rf"'n': 1 of 2 cells .* {noun} .* \(row 1: '{other}'"):
        found = clean.transform(pd.DataFrame({"n": [cells[0], other]}))
    assert (found[1] == 0).all()
    with_some = TableEmbedder().fit(pd.DataFrame({"n": [*cells, "?"]}))
    found = with_some.transform(pd.DataFrame({"n": [cells[0], other]}))  # a feature says so
    assert (found[1, :-1] == 0).all()
    assert found[1, -1] > 0


@pytest.mark.parametrize("dtype", [float, "Int64", object])
def test_strings_among_numbers_of_a_data_type_are_refused(dtype):
    strict = TableEmbedder().fit(pd.DataFrame({"n": pd.array(range(N), dtype=dtype)}))
    with pytest.raises(BadCellError, match=r"column 'n': row 1: 'x' is not a number"):
        strict.transform(pd.DataFrame({"n": ["1", "x"]}))


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("date", ["03/14/2021", None, "03/15/2021"]),
        ("date", ["14.03.2021", "15.03.2021"]),
        ("number", ["$1.50", "$2.50"]),
        ("number", ["a", "b"]),
    ],
)
def test_a_kind_that_no_string_can_be_read_as_is_refused(kind, cells):
    rows = pd.DataFrame({"c": cells})
    with pytest.raises(BadCellError, match=f"column 'c': row 0: '.*' is not a {kind}"):
        TableEmbedder(columns={"c": kind}).fit(rows)


def test_a_kind_that_many_strings_cannot_be_read_as_is_told():
    rows = pd.DataFrame({"price": ["999", "1,250", "870", "2,000"] * N})
    with pytest.warns(LeftOutWarning, match=r"'price': 48 of 96 .* not a number .*'1,250'"):
        TableEmbedder(columns={"price": "number"}).fit(rows)


def test_infinite_numbers_and_outliers_stay_in_bounds():
    rows = pd.DataFrame({"n": [*range(N), 1e300, np.inf, -np.inf]})
    found = TableEmbedder().fit_transform(rows)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 20
    assert (found[-3] == found[-2]).all()
    assert found[-3, 1] > found[-4, 1] > found[0, 1]
    greater = TableEmbedder().fit(rows[:N]).transform(pd.DataFrame({"n": [N - 1, 1e9]}))
    assert (greater[0] == greater[1]).all()


DAYS = pd.date_range("2020-01-01", periods=N, freq="37h")
HOURS = pd.to_timedelta(np.arange(N), unit="h")
CODES = ["07", "08"] * (N // 2)
TITLES = [f"a title {n}" for n in range(N)]


@pytest.mark.parametrize(
    ("seen", "kind", "other", "found"),
    [
        (DAYS, "auto", [2020, 2021], "2020.0 is a number; a cell .* a date or a string, as in fit"),
        (DAYS, "auto", [1.5, None], "1.5 is a number"),
        (DAYS, "auto", [True, False], "1.0 is a boolean"),
        (DAYS, "auto", HOURS[:2], "is a duration"),
        (DAYS.astype(str), "auto", DAYS.asi8[:2], "is a number"),
        (np.arange(N), "auto", DAYS[:2], "Timestamp.* is a date"),
        (np.arange(N), "auto", HOURS[:2], "is a duration"),
        (HOURS, "auto", [1, 2], "1.0 is a number; a cell of this column can be a duration"),
        ([True, False] * (N // 2), "auto", DAYS[:2], "is a date"),
        ([True, False] * (N // 2), "auto", ["yes", "no"], "'yes' is not a number"),
        (
            ["a", "b"] * (N // 2),
            "auto",
            [1, 2],
            "1.0 is a number; a cell of this column can be a s",
        ),
        (["a", "b"] * (N // 2), "auto", DAYS[:2], "is a date"),
        (["a", "b"] * (N // 2), "auto", [True, False], "is a boolean"),
        (CODES, "category", [7, 8], "7.0 is a number"),
        ([1, 2] * (N // 2), "category", DAYS[:2], "is a date"),
        (TITLES, "auto", [1, 2], "1.0 is a number; a cell of this column can be a string"),
        (TITLES, "auto", ["a title", 2][::-1], "2 is a number"),
        (TITLES, "text", [True, False], "is a boolean"),
        (TITLES, "auto", DAYS[:2], "is a date"),
        (DAYS, "text", [1, 2], "is a number"),
    ],
)
def test_cells_of_another_kind_than_in_fit_are_refused(seen, kind, other, found):
    columns = None if kind == "auto" else {"c": kind}
    embedder = TableEmbedder(columns=columns).fit(pd.DataFrame({"c": seen}))
    with pytest.raises(BadCellError, match=f"column 'c': row 0: .*{found}") as caught:
        embedder.transform(pd.DataFrame({"c": other}))
    assert caught.value.row == 0
    assert np.isfinite(embedder.transform(pd.DataFrame({"c": [None, None]}, dtype=float))).all()


def test_one_cell_of_another_kind_is_named_with_its_row():
    embedder = TableEmbedder().fit(pd.DataFrame({"c": DAYS}))
    cells = np.array([DAYS[0], "2020-01-02", None, 3], object)
    with pytest.raises(BadCellError, match="row 3: 3 is a number"):
        embedder.transform(pd.DataFrame({"c": cells}))
    with pytest.raises(BadCellError, match=r"column '0': row 0: 0\.0 is a number"):
        TableEmbedder().fit(DAYS.to_numpy()[:, None]).transform(np.arange(3.0)[:, None])


@pytest.mark.parametrize(
    ("cells", "kind", "found"), [(np.arange(N), "date", "number"), (DAYS, "number", "date")]
)
def test_a_kind_that_no_cell_has_is_refused_in_fit(cells, kind, found):
    with pytest.raises(BadCellError, match=f"column 'c': row 0: .* is a {found}; a cell of this"):
        TableEmbedder(columns={"c": kind}).fit(pd.DataFrame({"c": cells}))


@pytest.mark.parametrize(
    ("seen", "other", "kind"),
    [
        (["1", "2"], [1, 2], "category"),
        (["1.5", "2"], [1.5, 2.0], "category"),
        ([1, 2], ["1", "2"], "category"),
        ([1, 2], [1.0, 2.0], "category"),
        ([0, 1], [False, True], "category"),
        ([0, 1], [False, True], "number"),
        (["1", "2"], [1, 2], "number"),
        (["1.50", "2.50"], [1.5, 2.5], "number"),
        (["2020-01-01", "2020-02-03"], pd.to_datetime(["2020-01-01", "2020-02-03"]), "date"),
    ],
)
def test_the_same_values_in_another_data_type_are_the_same(seen, other, kind):
    embedder = TableEmbedder(columns={"c": kind}).fit(pd.DataFrame({"c": seen * (N // 2)}))
    expected = embedder.transform(pd.DataFrame({"c": seen}))
    assert (expected[0] != expected[1]).any()
    np.testing.assert_array_equal(embedder.transform(pd.DataFrame({"c": other})), expected)


@pytest.mark.parametrize("first", [2**53, 2**63, -(2**60)])
def test_long_integers_are_categories_of_their_own(first):
    ids = [first, first + 1] * (N // 2)
    dtype = np.uint64 if first == 2**63 else np.int64
    series = pd.Series(ids, dtype=dtype)
    tables = [
        pd.DataFrame({"c": series}),
        pd.DataFrame({"c": series.astype("UInt64" if first == 2**63 else "Int64")}),
        pl.DataFrame({"c": series.to_numpy()}),
        pl.DataFrame({"c": series.to_numpy()}).to_arrow(),
        series.to_numpy()[:, None],
        pd.DataFrame({"c": pd.Series(ids, dtype=object)}),
    ]
    for rows in tables:
        name = "0" if isinstance(rows, np.ndarray) else "c"
        embedder = TableEmbedder(columns={name: "category"})
        found = embedder.fit_transform(rows)
        assert {*embedder.get_feature_names_out()} == {f"{name}_{n}" for n in ids}
        assert (found[0] == -found[1]).all()
        assert found.any()


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "?", "M8[ns]", "m8[s]", "U3"])
def test_masked_cells_are_missing(dtype):
    cells = (np.arange(2 * N) % 5).reshape(N, 2) * (10**15 if dtype == "M8[ns]" else 1)
    cells = (cells % 2).astype(dtype) if dtype in ("?", "U3") else cells.astype(dtype)
    masked = np.ma.masked_array(cells, mask=np.arange(2 * N).reshape(N, 2) == 2)
    embedder = TableEmbedder()
    found = embedder.fit_transform(masked)
    names = embedder.get_feature_names_out().tolist()
    flag = names.index("0_missing")
    assert not found[1, :flag].any()
    assert found[1, flag] > 0
    np.testing.assert_array_equal(TableEmbedder().fit_transform(list(masked)), found)
    plain = np.ma.masked_array(cells, mask=False)
    np.testing.assert_array_equal(
        TableEmbedder().fit_transform(plain), TableEmbedder().fit_transform(cells)
    )


@pytest.mark.parametrize("size", [1e-300, 1e-9, 1e25, 1e39, 1e200, 1e300])
@pytest.mark.parametrize("how", ["number", FunctionTransformer()])
def test_the_size_of_numbers_does_not_matter(size, how):
    numbers = np.arange(N) * 1.0
    expected = TableEmbedder(columns={"c": how}).fit_transform(pd.DataFrame({"c": numbers}))
    found = TableEmbedder(columns={"c": how}).fit_transform(pd.DataFrame({"c": numbers * size}))
    np.testing.assert_allclose(found[:, 0] / found[1, 0], expected[:, 0] / expected[1, 0], 1e-5)


def test_numbers_too_large_for_features_are_named():
    rows = pd.DataFrame({"a": np.arange(N), "c": [1.0, np.inf, 1e39] * (N // 3)})
    with pytest.raises(BadCellError, match=r"column 'c': row 2: 1e\+39 is too large for features"):
        TableEmbedder(columns={"c": "passthrough"}).fit(rows)
    odd = FunctionTransformer(lambda X: np.where(X == 3, np.inf, X))
    fitted = TableEmbedder(columns={"a": odd}).fit(rows.drop(3)[["a"]])
    with pytest.raises(BadCellError, match="column 'a': row 3: FunctionTransformer gives infinity"):
        fitted.transform(rows)


def test_unknown_categories_give_no_error_and_rare_ones_are_one():
    rows = pd.DataFrame({"c": ["a", "b"] * 10 + ["once", "twice"]})
    embedder = TableEmbedder().fit(rows)
    assert embedder.get_feature_names_out().tolist() == ["c_a", "c_b", "c_infrequent_sklearn"]
    found = embedder.transform(pd.DataFrame({"c": ["new", "once"]}))
    np.testing.assert_array_equal(found[0], found[1])


def test_columns_of_no_known_kind_are_told_and_not_used():
    rows = pd.DataFrame({"tags": [["a", "b"]] * N, "n": range(N)})
    with pytest.warns(LeftOutWarning, match=r"not used \('tags': .*`columns`"):
        embedder = TableEmbedder().fit(rows)
    assert embedder.describe()[0]["recognized_as"] == "unknown"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TableEmbedder(columns={"tags": "drop"}).fit(rows)


def test_one_row_can_be_fitted(embedder):
    assert embedder.fit_transform(table(1), ["a"]).shape[0] == 1


# Transformers ------------------------------------------------------------------------------------


def test_columns_can_be_given_a_kind_a_transformer_or_none(image):
    rows = table().assign(id=range(N), sku=[f"AB-{n}" for n in range(N)])
    embedder = TableEmbedder(
        image=image,
        text="drop",
        columns={
            "id": "drop",
            "sku": "category",
            "width": "passthrough",
            "sold": KBinsDiscretizer(2),
        },
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = embedder.fit_transform(rows, target())
    kinds = {row["column"]: row["recognized_as"] for row in embedder.describe()}
    assert kinds["id"] == kinds["title"] == "drop"
    assert kinds["sku"] == "category"
    place = embedder.get_feature_names_out().tolist().index("width")
    np.testing.assert_allclose(found[:, place], rows["width"].astype(np.float32))


@pytest.mark.parametrize(
    "transformer",
    [
        TfidfVectorizer(),
        skrub.StringEncoder(n_components=4),
        OneHotEncoder(handle_unknown="ignore"),
        make_pipeline(HashingVectorizer(n_features=16), PCA(2, svd_solver="arpack")),
        TargetEncoder(),
    ],
    ids=lambda transformer: type(transformer).__name__,
)
def test_any_transformer_of_a_text_column(transformer):
    rows = table()[["title", "width"]]
    rows.loc[2, "title"] = None
    embedder = TableEmbedder(columns={"title": transformer}).fit(rows, target())
    found = embedder.transform(rows)
    assert np.isfinite(found).all()
    names = embedder.get_feature_names_out()
    assert len(names) == found.shape[1]
    assert all(name.startswith("title") for name in names[:-2])


def test_numbers_are_passed_as_they_are_missing_ones_too():
    rows = pd.DataFrame({"a": [1.5, np.nan] * 12, "b": range(24)})
    embedder = TableEmbedder(columns={"a": "passthrough"}).fit(rows, target())
    np.testing.assert_array_equal(embedder.transform(rows)[:, 0], rows["a"].astype(np.float32))
    only = TableEmbedder(columns={"a": "passthrough"}).fit(rows[["a"]], target())
    assert only.describe()[0]["weight"] == 1


def test_a_frozen_embedder_is_a_transformer_of_its_column():
    fitted = TextEmbedder(cache=False).fit(texts(2))
    embedder = TableEmbedder(columns={"title": FrozenEstimator(fitted)})
    rows = table()[["title", "width"]]
    rows.loc[2, "title"] = None
    assert embedder.fit_transform(rows, target()).shape == (N, 384 + 1 + 2)


@pytest.mark.parametrize("kind", ["number", "category", "text", "date", TEXT])
def test_a_column_without_values_is_not_used_whatever_it_is_to_be(kind):
    rows = pd.DataFrame({"empty": [None] * N, "width": range(N)})
    found = TableEmbedder(columns={"empty": kind}).fit(rows)
    assert found.get_feature_names_out().tolist() == ["width", "width_rank"]


def test_booleans_of_any_data_type_are_the_same_categories():
    rows = pd.DataFrame({"sold": [True, False] * (N // 2)})
    found = TableEmbedder(columns={"sold": "category"}).fit(rows)
    expected = found.transform(rows)[:1]
    for other in ([True, None], np.array([True, "x"], object), [1, 0]):
        np.testing.assert_array_equal(found.transform(pd.DataFrame({"sold": other}))[:1], expected)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": "drop"}, "`columns` names 'x', which X does not have; its columns are 'photo'"),
        ({"width": "numbers"}, r"columns\['width'\] is 'numbers'; use a transformer or one of"),
        ({"width": 3}, r"columns\['width'\] is 3"),
    ],
)
def test_wrong_values_of_columns_are_named(columns, message):
    with pytest.raises(ColumnError, match=message):
        TableEmbedder(columns=columns).fit(table())


def test_a_transformer_that_gives_no_numbers_is_named():
    class Upper(StandardScaler):
        def fit_transform(self, X, y=None):
            return np.array([["x"]] * len(X))

    with pytest.raises(ColumnError, match=r"column 'width': Upper gives <U1 and not numbers"):
        TableEmbedder(columns={"width": Upper()}).fit(table()[["width", "shop"]])


def test_parameters_of_default_transformers_can_be_searched():
    embedder = TableEmbedder()
    embedder.set_params(image__layer="block6", category__min_frequency=5)
    assert embedder.image.layer == "block6"
    assert embedder.category.min_frequency == 5
    assert TableEmbedder().image == "auto"
    with pytest.raises(ValueError, match="Invalid parameter"):
        TableEmbedder().set_params(image__leyer=1)
    model = make_pipeline(TableEmbedder(text=TEXT), LogisticRegression())
    grid = {
        "tableembedder__category__min_frequency": [1, 2],
        "tableembedder__text__n_features": [4],
    }
    search = GridSearchCV(model, grid, cv=2).fit(table().drop(columns="photo"), target())
    assert search.best_estimator_[0].text.n_features == 4


# Weights -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["classes", "numbers", "counts", "labels"])
def test_useless_columns_get_the_least_weight(kind):
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = {
        "classes": x > 0,
        "numbers": x,
        "counts": (100 * x).astype(int),
        "labels": np.stack([x > 0, x > 1], axis=1).astype(int),
    }
    rows = pd.DataFrame({"good": x, **{f"noise {n}": rng.normal(size=200) for n in range(9)}})
    embedder = TableEmbedder().fit(rows, y[kind])
    weights = [row["weight"] for row in embedder.describe()]
    assert weights[0] > 2
    assert sorted(weights)[4] == 0.1
    assert TableEmbedder(weighting="equal").fit(rows, y[kind]).describe()[1]["weight"] == 3


def test_a_column_that_helps_beside_another_only_has_a_weight():
    rng = np.random.default_rng(0)
    other, noise = rng.normal(size=(2, 200))
    rows = pd.DataFrame(rng.normal(size=(200, 30))).add_prefix("noise ")
    rows = rows.assign(**{"price": other + 0.8 * noise, "of others": other})
    y = rows["price"] - other > 0
    alone = TableEmbedder().fit(rows[["of others"]], y).describe()[0]["weight"]
    found = {row["column"]: row["weight"] for row in TableEmbedder().fit(rows, y).describe()}
    assert alone == 3  # no column predicts anything
    assert min(found["of others"], found["price"]) > 1
    assert sorted(found.values())[-3] < 1.2
    model = make_pipeline(TableEmbedder(), LogisticRegression())
    assert cross_val_score(model, rows, y).mean() > 0.85


def test_weak_columns_that_are_strong_together_have_equal_weights():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(300, 20)))
    y = rows.sum(axis=1)
    assert {row["weight"] for row in TableEmbedder().fit(rows, y).describe()} == {3.0}
    model = make_pipeline(TableEmbedder(), LogisticRegression())
    assert cross_val_score(model, rows, y > 0).mean() > 0.85


def test_useless_columns_do_not_make_a_model_worse():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({f"x{n}": rng.normal(size=150) for n in range(4)})
    y = rows.sum(axis=1) + rng.normal(size=150) > 0
    noise = pd.DataFrame(rng.normal(size=(150, 30)), columns=[f"noise {n}" for n in range(30)])
    model = make_pipeline(TableEmbedder(), LogisticRegression(max_iter=1_000))
    clean = cross_val_score(model, rows, y).mean()
    assert cross_val_score(model, rows.join(noise), y).mean() > clean - 0.05


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # of scikit-learn
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_the_size_of_a_target_does_not_matter(size):
    rows = pd.DataFrame({"x": range(N), "z": [1, 2] * (N // 2)})
    found = [TableEmbedder().fit(rows, np.arange(N) * s).describe() for s in (0.5, size)]
    weights = [[row["weight"] for row in described] for described in found]
    np.testing.assert_allclose(*weights)


def test_targets_that_predict_nothing_leave_all_weights_equal():
    rows = pd.DataFrame({"x": range(N), "z": range(N)})
    for y in (np.zeros(N), None, ["a"] * N):
        assert {row["weight"] for row in TableEmbedder().fit(rows, y).describe()} == {3.0}


# The rest of scikit-learn and of this package ----------------------------------------------------


def test_a_regression_on_a_table():
    rows = table().drop(columns="photo")
    y = rows["width"] * 2 + rows["sold"]
    model = make_pipeline(TableEmbedder(text=TEXT), Ridge())
    assert model.fit(rows, y).score(rows, y) > 0.8


def test_pickles_and_files_give_the_same_features(image, tmp_path):
    # Networks of one's own are not in files, so the images are left out.
    for rows, embedder in (
        (table(), TableEmbedder(image=image, text=TEXT)),
        (
            table().drop(columns="photo"),
            TableEmbedder(text=TEXT, columns={"width": KBinsDiscretizer(2)}),
        ),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = embedder.fit_transform(rows, target())
        np.testing.assert_array_equal(
            pickle.loads(pickle.dumps(embedder)).transform(rows), expected
        )
    save(embedder, tmp_path / "model.skt")
    loaded = load(tmp_path / "model.skt")
    np.testing.assert_array_equal(loaded.transform(rows), expected)
    assert repr(loaded.describe()) == repr(embedder.describe())


def test_a_default_embedder_with_a_network_by_name_is_saved_and_searched_from_the_cache(
    cache_folder, tmp_path
):
    rows = table()[["title", "width"]]
    model = make_pipeline(TableEmbedder(), LogisticRegression()).fit(rows, target())
    before = cache_info()
    assert before.rows == N
    cross_val_score(model, rows, target(), cv=3)
    assert cache_info().computed == before.computed
    assert cache_info().asked > before.asked
    save(model, tmp_path / "model.skt")
    loaded = load(tmp_path / "model.skt")
    np.testing.assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))


def test_explain_finds_the_columns_that_embedders_in_a_table_read():
    rows = table()[["title", "width"]]
    rows["title"] = np.resize(["a good film", "a bad book"], N)
    rows["title"] += [f" {n}" for n in range(N)]
    rows.loc[4, "title"] = None
    model = make_pipeline(TableEmbedder(), LogisticRegression()).fit(rows, target())
    found = explain(model, rows.iloc[[0, 1, 4]])
    assert found.columns == ["title", "width"]
    assert max(found.parts[0]["title"], key=lambda word: word[3])[2] in ("good", "film")
    assert "title" not in found.parts[2]


def test_it_is_shown_as_html_and_as_text(embedder):
    assert "HashingVectorizer" in embedder._repr_html_()
    assert repr(TableEmbedder()) == "TableEmbedder()"
