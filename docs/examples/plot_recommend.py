"""
Films that nobody has rated
===========================

100,004 ratings of films by 671 people, with the title, the genres and the year of each film. What
will these people like next? And who will like a film that has just come out, which nobody has
rated? `ContentRecommender` learns from both, the likes and the text; baselines see one of them.
"""

# %%
# Likes
# -----
# A like is a rating from 4 on. Films with fewer than three likes and people with fewer than ten
# are left out.

import itertools
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _data import movielens
from _output import OUTPUT
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, normalize

from sktransfer import ContentRecommender, TextEmbedder

start = time.perf_counter()

ratings, films = movielens()
likes = ratings[ratings["rating"] >= 4]
likes = likes[likes.groupby("item")["user"].transform("size") >= 3]
likes = likes[likes.groupby("user")["item"].transform("size") >= 10]
likes = likes.sort_values(["user", "time"], kind="stable")
films = films[films.index.isin(likes["item"])]
print(f"{len(likes):,} likes of {likes['user'].nunique()} people and {len(films):,} films")

# %%
# What a film is
# --------------
# A text of all that is known, the title alone, which finds the other parts of a series, the genres
# and the year. Weights of the blocks and all other settings were chosen on a part of the training
# data: ``python -m benchmarks.recommend --part validation``.


def described(table):
    """Return a text per film, such as "Heat (1995), Action, Crime, Thriller"."""
    rows = zip(table["title"], table["year"], table["genres"], strict=True)
    return [f"{title} ({year:.0f}), {genres}" for title, year, genres in rows]


text = make_pipeline(FunctionTransformer(described), TextEmbedder(normalize=True))
encoder = ColumnTransformer(
    [
        ("all", text, ["title", "genres", "year"]),
        ("title", TextEmbedder(normalize=True, missing="empty"), "title"),
        ("genres", CountVectorizer(token_pattern=r"[^, ]+", dtype=np.float32), "genres"),
        ("year", StandardScaler(), ["year"]),
    ],
    transformer_weights={"title": 0.7, "genres": 0.3, "year": 0.5},
    sparse_threshold=0,
)

# %%
# What is liked next
# ------------------
# The last fifth of the likes of each person is to be found: recall of ten recommended films, the
# mean over people. EASE is a linear model of likes by other likes, which is hard to beat on small
# data.

place = likes.groupby("user").cumcount()
is_train = place < np.ceil(0.8 * likes.groupby("user")["user"].transform("size"))
train, later = likes[is_train], likes[~is_train]
model = ContentRecommender(encoder, random_state=0).fit(train, items=films)

users = np.unique(likes["user"])


def matrix(table):
    """Return likes as a matrix of people and films."""
    found = np.zeros((len(users), len(films)), dtype=np.float32)
    found[np.searchsorted(users, table["user"]), films.index.get_indexer(table["item"])] = 1
    return found


def recall(scores, X, test, candidates=slice(None)):
    """Return the mean recall at 10, as `ContentRecommender.score` counts it."""
    hidden = np.full(scores.shape, -np.inf)
    hidden[:, candidates] = scores[:, candidates]
    hidden[X > 0] = -np.inf
    wanted = matrix(test) > 0
    top = np.argsort(-hidden, axis=1, kind="stable")[:, :10]
    hits, counts = np.take_along_axis(wanted, top, 1).sum(1), wanted.sum(1)
    return (hits / np.clip(counts, 1, 10))[counts > 0].mean()


def ease(X, penalty=300):
    """Return scores of EASE (Steck, 2019)."""
    gram = X.T @ X
    gram[np.diag_indices_from(gram)] += penalty
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return X @ weights


X = matrix(train)
vectors = TextEmbedder().fit_transform(described(films))
vectors = normalize(vectors - vectors.mean(axis=0))
scores = {
    "popularity": np.tile(X.sum(axis=0), (len(X), 1)),
    "mean of text vectors": X @ vectors @ vectors.T,
    "EASE": ease(X),
}
table = {"what is liked next": {name: recall(s, X, later) for name, s in scores.items()}}
table["what is liked next"]["ContentRecommender"] = model.score(later)

# %%
# Films that nobody has rated
# ---------------------------
# A fifth of the films is left out of the training with all their likes, and then recommended by
# content alone. A new film's popularity is that of the 20 most similar ones. How far each way gets
# depends on which films are drawn, so this is the mean over three draws.

draws = []
for seed in range(3):
    rng = np.random.default_rng(seed)
    new = rng.choice(np.sort(films.index), len(films) // 5, replace=False)
    is_new = films.index.isin(new)
    known, unseen = likes[~likes["item"].isin(new)], likes[likes["item"].isin(new)]
    fresh = ContentRecommender(encoder, random_state=seed).fit(known, items=films[~is_new])
    fresh.add_items(films[is_new])
    X = matrix(known)
    near = np.argsort(-(vectors @ vectors[~is_new].T), axis=1)[:, :20]
    popular = X.sum(axis=0)[~is_new][near].mean(axis=1)
    draws.append(
        {
            "popularity": recall(np.tile(popular, (len(X), 1)), X, unseen, is_new),
            "mean of text vectors": recall(X @ vectors @ vectors.T, X, unseen, is_new),
            "ContentRecommender": fresh.score(unseen, candidates=new),
        }
    )
table["new films"] = pd.DataFrame(draws).mean()
print(pd.DataFrame(table).round(3).reindex(table["what is liked next"]).to_string(na_rep="-"))

# %%
# Where content helps
# -------------------
# Later likes that are found, by how many likes the film had before. EASE finds more of the films
# that everybody knows; content finds more of those with 5 to 14 likes.

counts = matrix(train).sum(axis=0)
edges = [0, 5, 15, 40, np.inf]
names = ["up to 4", "5 to 14", "15 to 39", "40 or more"]
shares = {}
ours = np.zeros((len(users), len(films)), dtype=bool)
for row, items in enumerate(model.recommend(users, k=100)):
    ours[row, films.index.get_indexer(items)] = True
hidden = np.where(matrix(train) > 0, -np.inf, scores["EASE"])
linear = np.zeros_like(ours)
np.put_along_axis(linear, np.argsort(-hidden, axis=1)[:, :100], True, axis=1)
wanted = matrix(later) > 0
for name, found in {"EASE": linear, "ContentRecommender": ours}.items():
    bands = [(low <= counts) & (counts < high) for low, high in itertools.pairwise(edges)]
    shares[name] = [(found & wanted)[:, band].sum() / wanted[:, band].sum() for band in bands]
axes = pd.DataFrame(shares, index=names).plot.bar(rot=0, figsize=(7, 4))
axes.set(
    xlabel="likes of the film in the training part",
    ylabel="share of later likes among 100 films",
    title="What is found, by how well the film is known",
)
axes.figure.savefig(OUTPUT / "recommend.png", dpi=100, bbox_inches="tight")
plt.show()

# %%
# For somebody new
# ----------------
# A list of liked films is enough. Vectors of films are features, too: the nearest ones to a film.

liked = ["Toy Story", "Finding Nemo"]
ids = [films.index[films["title"] == title][0] for title in liked]
print(f"\nfor those who like {' and '.join(liked)}:")
print(films.loc[model.recommend_for([ids], k=5)[0]].to_string(index=False))

# %%
# What it cost
# ------------

print(f"\n{time.perf_counter() - start:.0f} seconds; pictures in docs/examples/output/")
