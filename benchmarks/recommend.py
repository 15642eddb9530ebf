"""Recall at 10 of what users like next, and of films that nobody has rated, on MovieLens.

``python -m benchmarks.recommend [--seeds 3] [--part test]``

Likes are ratings from 4 on, of films with at least three, by users with at least ten: 47,107 likes
of 622 users and 2,945 films. Next: the last fifth of the likes of each user, by time, out of all
films that the user has not liked before. New: the likes of a fifth of the films, drawn at random
with each seed and left out of the training, out of these films; the popularity of a new film is
that of the 20 films whose title and genres are the most similar.

Hyperparameters were chosen on ``--part validation``, in which both splits are made once more within
the training part. ALS is that of `implicit`, which must be installed: ``pip install implicit``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, csr_matrix
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, normalize

from docs.examples._data import movielens
from sktransfer import ContentRecommender, TextEmbedder

K = 10


@dataclass
class Split:
    """Likes to train on and to find, and the films to choose from.

    Attributes
    ----------
    train, test : DataFrame
        Likes with columns user, item, rating and time.
    films : DataFrame
        All films, by id.
    candidates : ndarray or None
        Ids of films to choose from; None: all that a user has not liked.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    films: pd.DataFrame
    candidates: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.users = np.unique(self.train["user"])
        self.X = self.matrix(self.train)
        wanted = self.test[self.test["user"].isin(self.users)]
        self.wanted = self.matrix(wanted).astype(bool)

    def matrix(self, likes: pd.DataFrame) -> np.ndarray:
        """Return likes as a matrix of users and films."""
        found = np.zeros((len(self.users), len(self.films)), dtype=np.float32)
        rows = np.searchsorted(self.users, likes["user"])
        found[rows, self.films.index.get_indexer(likes["item"])] = 1
        return found

    def recall(self, scores: np.ndarray) -> float:
        """Return the mean recall at 10, as `ContentRecommender.score` counts it."""
        scores = np.where(self.X > 0, -np.inf, scores)
        if self.candidates is not None:
            scores[:, ~self.films.index.isin(self.candidates)] = -np.inf
        top = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        hits = np.take_along_axis(self.wanted, top, axis=1).sum(axis=1)
        counts = self.wanted.sum(axis=1)
        return float((hits / np.clip(counts, 1, K))[counts > 0].mean())


def likes_of_movielens() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return 47,107 likes in the order of users and time, and the 2,945 films."""
    likes, films = movielens()
    likes = likes[likes["rating"] >= 4]
    likes = likes[likes.groupby("item")["user"].transform("size") >= 3]
    likes = likes[likes.groupby("user")["item"].transform("size") >= 10]
    likes = likes.sort_values(["user", "time"], kind="stable")
    return likes, films[films.index.isin(likes["item"])]


def split_by_time(likes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the first four fifths of the likes of each user, and the last fifth."""
    place = likes.groupby("user").cumcount()
    is_train = place < np.ceil(0.8 * likes.groupby("user")["user"].transform("size"))
    return likes[is_train], likes[~is_train]


def draw_new(films: Any, seed: int) -> np.ndarray:
    """Return a fifth of the ids of films."""
    return np.random.default_rng(seed).choice(np.sort(films), len(films) // 5, replace=False)


def split_of(name: str, part: str, seed: int) -> Split:
    """Return the split by time, "next", or that of new films, "new"."""
    likes, films = likes_of_movielens()
    new = draw_new(films.index, seed)
    if name == "next":
        train, test = split_by_time(likes)
        return Split(*(split_by_time(train) if part == "validation" else (train, test)), films)
    if part == "validation":
        likes = likes[~likes["item"].isin(new)]
        new = draw_new(films.index.difference(new), seed)
    is_new = likes["item"].isin(new)
    return Split(likes[~is_new], likes[is_new], films, new)


def film_encoder() -> Any:
    """Return the features of a film: a text of all columns, the title, the genres, the year."""
    text = make_pipeline(FunctionTransformer(described), TextEmbedder(normalize=True))
    return ColumnTransformer(
        [
            ("all", text, ["title", "genres", "year"]),
            ("title", TextEmbedder(normalize=True, missing="empty"), "title"),
            ("genres", CountVectorizer(token_pattern=r"[^, ]+", dtype=np.float32), "genres"),
            ("year", StandardScaler(), ["year"]),
        ],
        transformer_weights={"title": 0.7, "genres": 0.3, "year": 0.5},
        sparse_threshold=0,
    )


def described(films: pd.DataFrame) -> list[str]:
    """Return a text per film, such as "Heat (1995), Action, Crime, Thriller"."""
    rows = zip(films["title"], films["year"], films["genres"], strict=True)
    return [f"{title} ({year:.0f}), {genres}" for title, year, genres in rows]


def popularity(split: Split, vectors: np.ndarray) -> np.ndarray:
    """Score films by their likes; new ones by those of similar films."""
    counts = split.X.sum(axis=0)
    if split.candidates is not None:
        known = counts > 0
        near = np.argsort(-(vectors @ vectors[known].T), axis=1)[:, :20]
        counts = counts[known][near].mean(axis=1)
    return np.tile(counts, (len(split.users), 1))


def mean_of_vectors(split: Split, vectors: np.ndarray) -> np.ndarray:
    """Score films by the cosine with the mean of the vectors of what was liked."""
    return split.X @ vectors @ vectors.T


def item_knn(split: Split, vectors: np.ndarray) -> np.ndarray:
    """Score films by the cosines, as columns of likes, with what was liked."""
    unit = split.X / np.maximum(np.linalg.norm(split.X, axis=0), 1e-9)
    similarity = unit.T @ unit
    np.fill_diagonal(similarity, 0)
    return split.X @ similarity


def ease(split: Split, vectors: np.ndarray, penalty: float = 300) -> np.ndarray:
    """Score films by a linear model of likes by other likes (Steck, 2019)."""
    gram = split.X.T @ split.X
    gram[np.diag_indices_from(gram)] += penalty
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return split.X @ weights


def als(split: Split, vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Score films by the factors of `implicit`."""
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=32, regularization=1.0, alpha=10.0, iterations=20, random_state=seed
    )
    model.fit(csr_matrix(csr_array(split.X)), show_progress=False)
    return model.user_factors @ model.item_factors.T


def ours(split: Split, seed: int) -> float:
    """Fit the recommender, and return its score."""
    model = ContentRecommender(film_encoder(), random_state=seed)
    model.fit(split.train, items=split.films)
    return model.score(split.test, k=K, candidates=split.candidates)


def timed(work: Callable[[], float]) -> tuple[float, float, float]:
    """Return the recall, seconds and seconds of processors."""
    start, cpu = time.perf_counter(), time.process_time()
    score = work()
    return score, time.perf_counter() - start, time.process_time() - cpu


def ways_of(split: Split, seed: int) -> dict[str, Callable[[], float]]:
    """Return a run of each way that can be used."""
    vectors = TextEmbedder().fit_transform(described(split.films))
    vectors = normalize(vectors - vectors.mean(axis=0))
    scorers = [popularity, mean_of_vectors]
    if split.candidates is None:  # these know no film without likes
        scorers += [item_knn, ease, partial(als, seed=seed)]
    names = ["popularity", "mean of vectors", "item kNN", "EASE", "ALS"]
    found: dict[str, Callable[[], float]] = {
        name: lambda way=way: split.recall(way(split, vectors))
        for name, way in zip(names, scorers, strict=False)
    }
    return {**found, "ContentRecommender": lambda: ours(split, seed)}


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", choices=["test", "validation"], default="test")
    options = parser.parse_args()
    for name in ("next", "new"):
        runs: dict[str, list[tuple[float, float, float]]] = {}
        for seed in range(options.seeds):
            for way, run in ways_of(split_of(name, options.part, seed), seed).items():
                runs.setdefault(way, []).append(timed(run))
        title = f"{name} films ({options.part})"
        print(f"\n{title:30}{'recall':>16}{'seconds':>9}{'of cores':>9}")
        for way, found in runs.items():
            scores, spent, cpu = np.array(found).T
            recall = f"{scores.mean():.3f} ± {scores.std():.3f}"
            print(f"{way:30}{recall:>16}{np.median(spent):9.1f}{np.median(cpu):9.1f}", flush=True)


if __name__ == "__main__":
    main()
