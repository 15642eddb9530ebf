"""Recommendations follow likes and content, whatever the containers and ids are."""

import copy
import datetime
import pickle
import uuid
from collections import namedtuple
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import estimator_checks

from sktransfer import ContentRecommender, TextEmbedder, load, save
from sktransfer.exceptions import (
    BadCellError,
    ColumnError,
    DivergedError,
    LeftOutWarning,
    TargetError,
)
from tests.backbones import _huggingface_folders as folders

SMALL = {"n_factors": 8, "max_epochs": 8, "batch_size": 8, "lr": 0.01}


def small(encoder=None, **changed):
    return ContentRecommender(encoder, **{**SMALL, "random_state": 0, "device": "cpu", **changed})


def two_tastes(n_users=30, n_items=12, seed=0):
    """Return the features of items of two kinds, and users who like one kind."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n_items) % 2
    features = np.eye(2)[kind] + 0.1 * rng.normal(size=(n_items, 2))
    of_kind = [np.flatnonzero(kind == taste) for taste in (0, 1)]
    liked = [(u, int(i)) for u in range(n_users) for i in rng.permutation(of_kind[u % 2])[:3]]
    table = pd.DataFrame(liked, columns=["user", "item"])
    table["rating"] = 5.0
    table["time"] = np.arange(len(table))
    return table, features


LIKES, FEATURES = two_tastes()


@pytest.fixture(scope="module")
def model():
    return small(max_epochs=30).fit(LIKES, items=FEATURES)


def test_users_get_items_of_the_kind_that_they_like(model):
    items, scores = model.recommend(range(30), k=3, return_scores=True)
    assert items.shape == scores.shape == (30, 3)
    assert (items % 2 == np.arange(30)[:, None] % 2).mean() > 0.95
    assert (np.diff(scores, axis=1) <= 0).all()


def test_what_was_seen_is_not_recommended_unless_asked_for(model):
    seen = LIKES.groupby("user")["item"].agg(set)
    new, known = (model.recommend([0, 1], k=3, exclude_seen=e).tolist() for e in (True, False))
    assert not any(set(row) & seen[u] for u, row in enumerate(new))
    assert any(set(row) & seen[u] for u, row in enumerate(known))


def test_a_user_gets_the_same_alone_and_as_a_list_of_likes(model):
    together = model.recommend(list(range(30)), k=3)
    alone = [model.recommend([user], k=3)[0] for user in range(30)]
    lists = [LIKES["item"][LIKES["user"] == user].tolist() for user in range(30)]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, model.recommend_for(lists, k=3))


def test_an_empty_list_gives_the_items_that_are_liked_most():
    likes = [(user, item) for user in range(20) for item in (0, 1)] + [(0, 2), (1, 3)]
    model = small(max_epochs=60).fit(likes, items=np.eye(4))
    assert sorted(model.recommend_for([[]], k=2)[0]) == [0, 1]


def test_new_items_are_recommended_without_a_refit(model):
    model = pickle.loads(pickle.dumps(model))
    before, vectors = model.recommend(range(30), k=2), model.item_vectors_.copy()
    added = model.add_items(np.array([[1.0, 0], [0, 1.0]]), item_ids=["even", "odd"])
    assert added is model
    assert model.item_ids_[-2:].tolist() == ["even", "odd"]
    np.testing.assert_array_equal(model.item_vectors_[:-2], vectors)
    new = model.recommend(range(30), k=1, candidates=["even", "odd"])[:, 0]
    assert (new == np.where(np.arange(30) % 2, "odd", "even")).mean() > 0.9
    np.testing.assert_array_equal(model.recommend(range(30), k=2, candidates=range(12)), before)


def test_items_that_nobody_likes_have_the_vector_of_their_content():
    features = np.concatenate([FEATURES, FEATURES[:3] + 0.01])
    model = small().fit(LIKES, items=features)
    vectors = model.transform(features)
    np.testing.assert_allclose(vectors[12:], model.item_vectors_[12:], rtol=1e-5, atol=1e-6)
    assert (vectors[:12] != model.item_vectors_[:12]).any(axis=1).all()
    np.testing.assert_allclose(model.transform(features[:1]), vectors[:1], rtol=1e-5, atol=1e-6)


def test_the_score_is_the_recall_of_later_likes(model):
    top = model.recommend([0], k=3)[0].tolist()
    far = next(i for i in model.recommend([0], k=9)[0] if i not in top)
    assert model.score([(0, top[0]), (0, far)], k=3) == 0.5
    assert model.score([(0, top[0]), (0, far)], k=1) == 1  # at most k can be found
    assert model.score([(0, far), (1, far)], k=3, candidates=[far]) == 1
    seen = LIKES["item"][LIKES["user"] == 0].iloc[0]
    assert model.score([(0, top[0]), (0, seen)], k=3) == 1  # the second is not counted
    assert model.score([(0, far)], k=100) == 1


def test_users_of_later_likes_who_are_new_are_left_out_with_a_warning(model):
    top = model.recommend([0], k=1)[0, 0]
    with pytest.warns(LeftOutWarning, match="1 user"):
        assert model.score([(0, top), ("new", top), ("new", 1)]) == 1
    with pytest.warns(LeftOutWarning), pytest.raises(TargetError, match="no row is a like"):
        model.score([("new", top)])


def test_fits_are_reproducible(model):
    again = small(max_epochs=30).fit(LIKES, items=FEATURES)
    np.testing.assert_array_equal(again.item_vectors_, model.item_vectors_)
    other = small(max_epochs=30, random_state=1).fit(LIKES, items=FEATURES)
    assert (other.item_vectors_ != model.item_vectors_).any()


@pytest.mark.parametrize(
    "convert",
    [
        lambda t: t.sample(frac=1, random_state=0),
        lambda t: t.set_index(np.arange(len(t)) + 7),
        lambda t: t.assign(time=pd.to_datetime(t["time"], unit="D")),
        lambda t: t.assign(time=pd.to_datetime(t["time"], unit="D", utc=True)),
        lambda t: t.assign(time=pd.to_datetime(t["time"], unit="D").astype(str)),
        lambda t: t.assign(
            time=[datetime.date(2024, 1, 1) + datetime.timedelta(d) for d in t["time"]]
        ),
        lambda t: t[["user", "item"]],
        lambda t: t.assign(more="x")[["more", "item", "time", "user"]],
        lambda t: list(t.itertuples(index=False, name=None)),
        lambda t: t.to_numpy(),
        lambda t: t[["user", "item"]].to_numpy(),
        lambda t: list(t[["time", "item", "user"]].itertuples(index=False)),
        lambda t: [
            namedtuple("Like", "item user")(*pair) for pair in t[["item", "user"]].to_numpy()
        ],
        lambda t: t.rename(columns={"user": "who", "item": "what"}),
        pl.from_pandas,
        pa.Table.from_pandas,
    ],
    ids=[
        *("shuffled", "index", "datetimes", "zones", "strings", "dates", "pairs", "names"),
        *(
            "tuples",
            "array",
            "array of pairs",
            "records",
            "named pairs",
            "positions",
            "polars",
            "arrow",
        ),
    ],
)
def test_all_containers_and_times_give_the_same(convert, model):
    found = small(max_epochs=30).fit(convert(LIKES), items=FEATURES)
    assert sorted(found.user_ids_.tolist()) == list(range(30))
    np.testing.assert_array_equal(found.recommend(range(30), k=3), model.recommend(range(30), k=3))


@pytest.mark.parametrize(
    "ids",
    [
        [f"film {n}" for n in range(12)],
        list(range(100, 112)),
        np.arange(12, dtype=np.int8),
        ["a", 1, 2.5, *map(str, range(9))],
        [(n, "x") for n in range(12)],
        [(n, n + 1) for n in range(12)],
        [(n,) for n in range(12)],
        pd.date_range("2024", periods=12),
        pd.date_range("2024", periods=12, tz="Europe/Berlin"),
        [datetime.date(2024, 1, 1 + n) for n in range(12)],
        [uuid.UUID(int=n) for n in range(12)],
    ],
    ids=[
        *("strings", "numbers", "small numbers", "mixed", "tuples", "pairs", "tuples of one"),
        *("datetimes", "zones", "dates", "uuids"),
    ],
)
def test_ids_of_any_type_come_back(ids, model):
    ids = list(ids)
    likes = [(f"user {u}", ids[i]) for u, i in zip(LIKES["user"], LIKES["item"], strict=True)]
    found = small(max_epochs=30).fit(likes, items=FEATURES, item_ids=ids)
    expected = model.recommend(range(30), k=3)
    names = [f"user {u}" for u in range(30)]
    assert found.recommend(names, k=3).tolist() == [[ids[i] for i in row] for row in expected]


@pytest.mark.parametrize("unit", ["D", "s", "us", "ns"])
def test_dates_of_numpy_are_equal_to_those_of_python(unit):
    ids = (np.datetime64("2024-01-01") + np.arange(12)).astype(f"datetime64[{unit}]")
    likes = [(u, ids[i]) for u, i in zip(LIKES["user"], LIKES["item"], strict=True)]
    found = small().fit(likes, items=FEATURES, item_ids=ids)
    best = found.recommend([0], k=1)[0, 0]
    assert best in ids
    day = best.item() if unit == "D" else datetime.datetime.fromisoformat(str(best))
    np.testing.assert_array_equal(found.recommend([0], k=1, candidates=[day]), [[best]])


def test_dates_more_precise_than_those_of_python_are_kept():
    ids = np.datetime64("2024-01-01", "ns") + np.arange(3)
    found = small().fit([(0, ids[1])], items=FEATURES[:3], item_ids=ids)
    assert found.item_ids_.tolist()[1:] == list(ids[1:])


@pytest.mark.parametrize(
    "make", [pd.DataFrame, lambda X, index: pd.DataFrame(X, index=index)[[0, 1]]]
)
def test_ids_are_the_index_of_a_pandas_object(make, model):
    index = [f"film {n}" for n in range(12)]
    likes = LIKES.assign(item=[index[i] for i in LIKES["item"]])
    found = small(max_epochs=30).fit(likes, items=make(FEATURES, index=index))
    assert found.item_ids_.tolist() == index
    assert found.recommend([3], k=1)[0, 0] == index[model.recommend([3], k=1)[0, 0]]


def test_only_the_order_of_times_counts(model):
    late = small(max_epochs=30).fit(LIKES.assign(time=LIKES["time"] ** 2), items=FEATURES)
    np.testing.assert_array_equal(late.item_vectors_, model.item_vectors_)


@pytest.mark.parametrize("unit", [str, datetime.date.fromisoformat])
def test_times_of_centuries_to_come_are_in_order(unit, model):
    times = [unit(f"{2240 + year}-01-01") for year in range(len(LIKES))]
    found = small(max_epochs=30).fit(LIKES.assign(time=times)[::-1], items=FEATURES)
    np.testing.assert_array_equal(found.item_vectors_, model.item_vectors_)


def test_datetimes_without_a_zone_are_of_utc(model):
    times = pd.date_range("2024-01-01", periods=len(LIKES), freq="h", tz="Asia/Tokyo")
    mixed = [t if n % 2 else t.tz_convert(None) for n, t in enumerate(times)]
    found = small(max_epochs=30).fit(LIKES.assign(time=mixed)[::-1], items=FEATURES)
    np.testing.assert_array_equal(found.item_vectors_, model.item_vectors_)


@pytest.mark.parametrize("ids", [[1, 2**62 + 1, 2**64 - 1], ["a", "a\0", "b"]])
def test_ids_that_numpy_would_round_or_cut_come_back(ids):
    likes = [(ids[0], ids[1]), (ids[1], ids[0])]
    found = small().fit(likes, items=FEATURES[:3], item_ids=ids)
    assert found.recommend(ids[:1], k=2, candidates=[ids[0], ids[2]]).max() == ids[2]
    assert found.user_ids_.tolist() == ids[:2]


def test_features_in_another_order_are_refused(model):
    named = pd.DataFrame(FEATURES, columns=["a", "b"])
    found = small(max_epochs=30).fit(LIKES, items=named)
    for items in (FEATURES, pd.DataFrame(FEATURES), pl.DataFrame(named)):
        np.testing.assert_array_equal(found.transform(items), model.transform(FEATURES))
    with pytest.raises(ColumnError, match="features 'b', 'a', and those of fit had 'a', 'b'"):
        found.add_items(named[["b", "a"]][:1].set_axis(["new"]))
    assert len(found.item_ids_) == len(FEATURES)


def test_the_last_rating_of_an_item_counts():
    likes = pd.concat([LIKES, LIKES.iloc[[0]].assign(rating=1, time=-1)])
    plain, twice = (small(min_rating=4).fit(t, items=FEATURES) for t in (LIKES, likes))
    np.testing.assert_array_equal(plain.item_vectors_, twice.item_vectors_)


def test_a_rating_below_the_minimum_is_seen_and_not_liked():
    likes = pd.concat([LIKES, pd.DataFrame({"user": [0], "item": [5], "rating": 2, "time": 0})])
    plain, more = (small(min_rating=4).fit(t, items=FEATURES) for t in (LIKES, likes))
    np.testing.assert_array_equal(plain.item_vectors_, more.item_vectors_)
    assert 5 in plain.recommend([0], k=9)
    assert 5 not in more.recommend([0], k=8)


def test_a_user_without_likes_gets_what_a_new_one_gets():
    likes = pd.concat([LIKES, pd.DataFrame({"user": ["sad"], "item": [5], "rating": 2, "time": 0})])
    model = small(min_rating=4).fit(likes, items=FEATURES)
    expected = model.recommend_for([[]], k=12)[0]
    assert model.recommend(["sad"], k=11)[0].tolist() == [i for i in expected if i != 5]


def test_later_likes_weigh_more_with_a_half_life(model):
    model = pickle.loads(pickle.dumps(model)).set_params(half_life=0.2)
    even_last, odd_last = model.recommend_for([[1, 3, 0], [0, 2, 1]], k=4)
    assert (even_last % 2 == 0).sum() > (odd_last % 2 == 0).sum()


@pytest.mark.parametrize(("n_users", "n_items"), [(1, 5), (5, 1), (1, 1)])
def test_one_user_and_one_item(n_users, n_items):
    likes = [(user, item) for user in range(n_users) for item in range(min(n_items, 2))]
    model = small().fit(likes, items=np.arange(n_items)[:, None] + 1.0)
    assert np.isfinite(model.item_vectors_).all()
    found = model.recommend([0], k=1, exclude_seen=n_items > 2)
    assert found.shape == (1, 1)


def test_encoders_of_tables_columns_and_matrices_are_fitted_as_clones():
    words = ["even", "odd"] * 6
    table = pd.DataFrame(FEATURES, columns=["a", "b"]).assign(word=words)
    encoders = {
        "table": (
            ColumnTransformer([("n", StandardScaler(), ["a"]), ("w", CountVectorizer(), "word")]),
            table,
        ),
        "column": (CountVectorizer(), words),
        "matrix": (make_pipeline(MinMaxScaler()), FEATURES),
        "frame": (StandardScaler().set_output(transform="pandas"), table[["a", "b"]]),
    }
    for name, (encoder, items) in encoders.items():
        model = small(encoder, max_epochs=30).fit(LIKES, items=items)
        kinds = model.recommend(range(30), k=2) % 2
        assert (kinds == np.arange(30)[:, None] % 2).mean() > 0.9, name
        assert not hasattr(encoder, "n_features_in_")
        assert model.item_encoder_ is not encoder


def test_an_embedder_sees_each_item_once(tmp_path, cache_folder):
    folders.save("bert", tmp_path / "bert")
    texts = [f"an {'odd' if n % 2 else 'even'} film, {n}" for n in range(12)]
    model = small(TextEmbedder(str(tmp_path / "bert"))).fit(LIKES, items=texts)
    assert model.transform(texts).shape == (12, 8)
    path = tmp_path / "model.skt"
    save(model, path)
    np.testing.assert_array_equal(load(path).recommend([0], k=3), model.recommend([0], k=3))


def test_parameters_of_the_encoder_are_nested_and_clones_are_unfitted(model):
    nested = small(make_pipeline(MinMaxScaler()))
    assert nested.get_params()["item_encoder__minmaxscaler__clip"] is False
    nested.set_params(item_encoder__minmaxscaler__clip=True)
    assert clone(nested).item_encoder[0].clip is True
    with pytest.raises(NotFittedError):
        clone(model).recommend([0])


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.recommend([0]),
        lambda m: m.recommend_for([[0]]),
        lambda m: m.transform(FEATURES),
        lambda m: m.add_items(FEATURES),
        lambda m: m.score(LIKES),
    ],
    ids=["recommend", "recommend_for", "transform", "add_items", "score"],
)
def test_methods_need_a_fit(call):
    with pytest.raises(NotFittedError):
        call(small())


@pytest.mark.parametrize(
    "ids",
    [
        range(12),
        [f"f{n}" for n in range(12)],
        ["x", *range(11)],
        pd.date_range("2024", periods=12),
        [datetime.date(2024, 1, 1 + n) for n in range(12)],
        [uuid.UUID(int=4), Decimal("1.5"), datetime.date(2024, 1, 1), *range(9)],
    ],
    ids=["numbers", "strings", "mixed", "datetimes", "dates", "more types"],
)
def test_pickles_and_files_give_the_same(ids, tmp_path):
    ids = list(ids)
    likes = LIKES.assign(item=[ids[i] for i in LIKES["item"]])
    model = small(MinMaxScaler(), min_rating=4, half_life=5).fit(
        likes, items=FEATURES, item_ids=ids
    )
    save(model, tmp_path / "model.skt")
    expected = model.recommend(range(30), k=3, return_scores=True)
    for again in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.skt")):
        for one, other in zip(
            again.recommend(range(30), k=3, return_scores=True), expected, strict=True
        ):
            np.testing.assert_array_equal(one, other)
        assert again.add_items(FEATURES[:1], item_ids=["new"]).item_ids_.tolist()[-1] == "new"


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
    ],
    ids=lambda check: check.__name__,
)
def test_the_checks_of_scikit_learn_that_need_no_fit(check):
    # The others call `fit(X, y)` with a matrix, which is no table of interactions.
    check("ContentRecommender", ContentRecommender())


def test_a_grid_search_over_a_split_by_time():
    first = np.flatnonzero(LIKES.groupby("user").cumcount() < 2)
    last = np.flatnonzero(LIKES.groupby("user").cumcount() >= 2)
    search = GridSearchCV(small(), {"half_life": [None, 2]}, cv=[(first, last)])
    search.fit(LIKES, items=FEATURES)
    assert 0 <= search.best_score_ <= 1
    assert len(search.cv_results_["params"]) == 2


def test_items_that_cross_validation_cuts_are_an_error_with_a_remedy():
    likes = [(user, item) for item in range(11, -1, -1) for user in [item % 3]]
    cv = [(np.arange(8), np.arange(8, 12))]
    with pytest.raises(BadCellError, match=r"item 11 is not known.* append a copy of the last"):
        GridSearchCV(small(), {}, cv=cv, error_score="raise").fit(likes, items=FEATURES)
    GridSearchCV(small(), {}, cv=cv, error_score="raise").fit([*likes, likes[-1]], items=FEATURES)


def test_a_copy_of_the_last_interaction_changes_nothing():
    plain, more = (
        small().fit(rows, items=FEATURES) for rows in (LIKES, pd.concat([LIKES, LIKES[-1:]]))
    )
    np.testing.assert_array_equal(plain.item_vectors_, more.item_vectors_)


def test_items_without_features_are_never_recommended():
    features = FEATURES.copy()
    features[[3, 4], 0] = np.nan, np.inf
    with pytest.warns(LeftOutWarning, match=r"2 item\(s\) have no finite features.*row\(s\) 3, 4"):
        model = small().fit(LIKES, items=features)
    assert not np.isin(model.recommend(range(30), k=5), [3, 4]).any()
    assert np.isnan(model.item_vectors_[[3, 4]]).all()
    assert np.isnan(model.transform(features)[3]).all()
    assert model.recommend_for([[3]], k=2).tolist() == model.recommend_for([[]], k=2).tolist()
    with pytest.warns(LeftOutWarning, match=r"1 item"):
        model.add_items([[np.nan, 0]], item_ids=["bad"])
    assert np.isfinite(model.recommend(range(30), k=5, return_scores=True)[1]).all()


def changed(column, row, value):
    table = LIKES.astype({column: object})
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("likes", "options", "error", "message"),
    [
        (changed("user", 2, None), {}, BadCellError, "row 2: the user is None"),
        (changed("user", 2, np.nan), {}, BadCellError, "row 2: the user is nan"),
        (changed("user", 2, " "), {}, BadCellError, "row 2: the user is ' '"),
        (changed("item", 2, [1]), {}, BadCellError, r"row 2: the item is \[1\]"),
        (
            changed("item", 2, 99),
            {},
            BadCellError,
            "row 2: the item 99 is not known; ids of items are 0, 1, 2",
        ),
        (changed("item", 2, "1"), {}, BadCellError, "row 2: the item '1' is not known"),
        (changed("rating", 2, -1), {}, BadCellError, "row 2: the rating -1 is not a number from 0"),
        (changed("rating", 2, np.nan), {}, BadCellError, "row 2: the rating nan"),
        (changed("rating", 2, np.inf), {}, BadCellError, "row 2: the rating inf"),
        (changed("rating", 2, "5"), {}, BadCellError, "row 2: the rating '5'"),
        (changed("rating", 2, None), {}, BadCellError, "row 2: the rating None"),
        (changed("rating", 2, b"5"), {}, BadCellError, "row 2: the rating <1 bytes>"),
        (LIKES.astype({"item": bool}), {}, BadCellError, "row 0: the item is (True|False)"),
        (LIKES.to_dict("list"), {}, ColumnError, r"a dict; pass pandas.DataFrame\(X\)"),
        (changed("time", 2, None), {}, BadCellError, "row 2: the time None is not a number"),
        (
            changed("time", 2, "2024-01-01"),
            {},
            BadCellError,
            "row 2: the time '2024-01-01' is not a number",
        ),
        (LIKES.assign(time="soon"), {}, BadCellError, "row 0: the time 'soon' is not a datetime"),
        (LIKES.assign(time=pd.NaT), {}, BadCellError, "row 0: the time NaT"),
        (
            changed("item", 2, 99).set_index(LIKES["time"] + 7),
            {},
            BadCellError,
            r"row 2 \(index 9\)",
        ),
        (LIKES[["user"]], {}, ColumnError, r"1 column\(s\) \('user'\); name those to use"),
        (LIKES.assign(a=1, b=2).rename(columns={"user": "u"}), {}, ColumnError, r"6 column\(s\)"),
        (
            LIKES[["user", "item", "time"]].rename(columns={"user": "customer"}),
            {},
            ColumnError,
            r"3 column\(s\) \('customer', 'item', 'time'\)",
        ),
        (LIKES[["item", "user"]].rename(columns=str.title), {}, ColumnError, "'Item', 'User'"),
        ([(0, 1), (0, 1, 2)], {}, ColumnError, "row 1 of the interactions has another length"),
        ([], {}, ColumnError, "no rows"),
        (LIKES[:0], {}, ColumnError, "no rows"),
        (LIKES, {"min_rating": 6}, TargetError, "no interaction is a like.*min_rating=6"),
        (LIKES.assign(rating=0), {}, TargetError, "no interaction is a like"),
        (LIKES, {"half_life": 0}, ValueError, "half_life"),
        (LIKES, {"item_encoder": "text"}, ValueError, "item_encoder"),
    ],
)
def test_an_error_names_the_row_of_the_interactions(likes, options, error, message):
    model = small().set_params(**options)
    with pytest.raises(error, match=message):
        model.fit(likes, items=FEATURES)
    assert not hasattr(model, "item_ids_")


@pytest.mark.parametrize(
    ("items", "ids", "error", "message"),
    [
        (
            FEATURES,
            [0, 1, 2, 1, *range(4, 12)],
            BadCellError,
            "items in rows 1 and 3 have the same id 1",
        ),
        (FEATURES, [0, 1, None, *range(3, 12)], BadCellError, "row 2: item_ids is None"),
        (FEATURES, range(11), ColumnError, "12 items and 11 item_ids"),
        (pd.DataFrame(FEATURES, index=[0, 0, *range(2, 12)]), None, BadCellError, "rows 0 and 1"),
        (["a"] * 12, None, ColumnError, "without an item_encoder must be a matrix of numbers"),
        (FEATURES[:, 0], None, ColumnError, "Expected 2D"),
    ],
    ids=["twice", "missing", "fewer", "index", "texts", "one axis"],
)
def test_an_error_names_the_row_of_the_items(items, ids, error, message):
    with pytest.raises(error, match=message):
        small().fit(LIKES, items=items, item_ids=ids)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda m: m.recommend([0, 99]),
            BadCellError,
            "row 1: the user 99 is not known; .*recommend_for",
        ),
        (lambda m: m.recommend(0), ColumnError, "0 is not a column"),
        (lambda m: m.recommend(LIKES), ColumnError, "users must be one column.* not 4"),
        (
            lambda m: m.recommend([0], k=1, candidates=np.ones((3, 2), int)),
            ColumnError,
            "candidates must be one column of ids, and not 2",
        ),
        (lambda m: m.recommend([0], k=0), ValueError, "k=0"),
        (lambda m: m.recommend([0], k=2.5), ValueError, "k=2.5"),
        (
            lambda m: m.recommend([7, 8], k=10),
            ValueError,
            "k=10 is too large: 7 has 9 unseen items",
        ),
        (lambda m: m.recommend([0], k=13), ValueError, "k=13 is too large: there are 12 items"),
        (lambda m: m.recommend([0], candidates=[1, 99]), BadCellError, "row 1: the candidate 99"),
        (lambda m: m.recommend([0], candidates=np.arange(12) > 5), BadCellError, "is False"),
        (lambda m: m.recommend_for([{1: 5.0}]), ColumnError, "row 0 of liked is {1: 5.0}, not a"),
        (lambda m: m.recommend_for(["a"]), ColumnError, "row 0 of liked is 'a', not a list"),
        (lambda m: m.recommend_for([1, 2]), ColumnError, "row 0 of liked is 1, not a list"),
        (
            lambda m: m.recommend_for([[1], [1, 99]]),
            BadCellError,
            r"row 1 of liked.*99 is not known",
        ),
        (lambda m: m.add_items(FEATURES), BadCellError, "row 0: the item 0 is known already"),
        (
            lambda m: m.add_items(FEATURES[:1, :1], item_ids=["x"]),
            ColumnError,
            "1 features.* had 2",
        ),
        (lambda m: m.score([(0, 99)]), BadCellError, "row 0: the item 99"),
        (lambda m: m.score(LIKES, k=0), ValueError, "k=0"),
        (
            lambda m: copy.copy(m).set_params(half_life=-1).recommend([0]),
            ValueError,
            "'half_life' parameter of ContentRecommender must be",
        ),
    ],
)
def test_an_error_names_what_is_wrong_in_a_call(call, error, message, model):
    with pytest.raises(error, match=message):
        call(model)


@pytest.mark.parametrize(
    ("likes", "options", "error"),
    [(LIKES, {"lr": 1e30}, DivergedError), (LIKES.assign(rating=0), {}, TargetError)],
    ids=["diverged", "no likes"],
)
def test_a_fit_that_fails_leaves_an_earlier_one_as_it_is(likes, options, error, model):
    found = copy.copy(model)
    with pytest.raises(error):
        found.set_params(**options).fit(likes, items=FEATURES * 3 + 1)
    np.testing.assert_array_equal(found.transform(FEATURES), model.transform(FEATURES))
    np.testing.assert_array_equal(found.recommend([0], k=3), model.recommend([0], k=3))


def test_a_frozen_encoder_is_not_fitted_again(model, tmp_path):
    scaler = MinMaxScaler().fit(FEATURES * 100)
    for encoder in (FrozenEstimator(scaler), make_pipeline(FrozenEstimator(scaler))):
        found = small(encoder, max_epochs=30).fit(LIKES, items=FEATURES)
        np.testing.assert_array_equal(
            found.item_encoder_.transform(FEATURES), scaler.transform(FEATURES)
        )
        np.testing.assert_allclose(found.item_vectors_, model.item_vectors_, atol=0.3)
        save(found, tmp_path / "model.skt")
        again = load(tmp_path / "model.skt")
        np.testing.assert_array_equal(again.transform(FEATURES), found.transform(FEATURES))


@pytest.mark.parametrize("factor", [5e-324, 1e-30, 1e10, 1e307])
def test_the_scale_of_ratings_does_not_matter(factor, model):
    other = small(max_epochs=30).fit(LIKES.assign(rating=factor), items=FEATURES)
    np.testing.assert_array_equal(other.item_vectors_, model.item_vectors_)
    np.testing.assert_array_equal(other.recommend([0], k=3), model.recommend([0], k=3))


@pytest.mark.parametrize(("factor", "shift"), [(1, 1e6), (1e-200, 0), (1e39, 0), (1e200, 0)])
def test_features_of_double_precision_keep_it(factor, shift, model):
    items = FEATURES * factor + shift
    other = small(max_epochs=30).fit(LIKES, items=items)
    np.testing.assert_allclose(other.item_vectors_, model.item_vectors_, atol=1e-3)
    np.testing.assert_allclose(other.transform(items), model.transform(FEATURES), atol=1e-3)


@pytest.mark.parametrize("factor", [1e-30, 1e-10, 1e10, 1e35])
def test_the_scale_of_features_does_not_matter(factor, model):
    items = (FEATURES * np.float32(factor)).astype(np.float32)
    other = small(max_epochs=30).fit(LIKES, items=items)
    np.testing.assert_allclose(other.item_vectors_, model.item_vectors_, atol=1e-3)
    np.testing.assert_allclose(other.transform(items), model.transform(FEATURES), atol=1e-3)


def test_equal_features_give_equal_vectors_to_new_items():
    found = small().fit(LIKES, items=np.full_like(FEATURES, 0.1)).transform(np.full((2, 2), 0.1))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[0], found[1])
