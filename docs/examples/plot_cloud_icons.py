"""
Images, texts and numbers in one grid search
============================================

A table of 1,486 icons from the diagrams of cloud services: the picture, the name, the provider,
three numbers, and what kind of service it is. How far does each column get, alone and with the
others? And does it hold for a provider whose drawing style was never seen?

Run it twice: the second time, no row goes through a network.
"""

# %%
# The table
# ---------
# The icons come with the package ``diagrams``; a folder tells the provider, a sub-folder the
# kind. Providers call the same thing by several names, which are merged here.

import time

import matplotlib.pyplot as plt
import numpy as np
from _data import cloud_icons, read_small
from _output import OUTPUT
from sklearn.callback import ProgressBar
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sktransfer import EmbeddingMapDisplay, ImageEmbedder, TextEmbedder, cache_info

start = time.perf_counter()

table = cloud_icons()
numbers = ["width", "height", "bytes"]
table[numbers] = table[numbers].astype(np.float32)  # as the features are: twice as fast to fit
kind = table.pop("kind")
print(f"{len(table):,} icons of {table['provider'].nunique()} providers, {kind.nunique()} kinds\n")

# %%
# The search
# ----------
# An embedder is a transformer like any other. The search asks for every icon and every name once
# for each fold and candidate; each goes through a network once for each layer that is tried.

image = ImageEmbedder(normalize=True)
text = TextEmbedder()

everything = ColumnTransformer(
    [
        ("icon", image, "icon"),
        ("name", text, "name"),
        ("provider", OneHotEncoder(handle_unknown="ignore", dtype=np.float32), ["provider"]),
        ("numbers", StandardScaler(), numbers),
    ],
    sparse_threshold=0,
)
search = GridSearchCV(
    Pipeline([("features", everything), ("clf", RidgeClassifier())]),
    {
        "features__icon__layer": ["pooled", "block6"],
        "clf__alpha": [0.3, 1, 3],
    },
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
)
search.set_callbacks(ProgressBar(max_propagation_depth=0))
search.fit(table, kind)
print(f"\nbest of {len(search.cv_results_['params'])} candidates: {search.best_params_}")
print(f"accuracy {search.best_score_:.3f} over 5 folds\n")

# %%
# What each column is worth
# -------------------------
# Once with folds drawn at random, once with folds that keep each provider in one piece.


def from_columns(*transformers):
    """Return the classifier on some columns."""
    return make_pipeline(ColumnTransformer(transformers, sparse_threshold=0), RidgeClassifier())


def small_pixels(column):
    """Return the icons as rows of 32 x 32 colours."""
    return np.stack([pixels[path] for path in column])


pixels = {path: read_small(path) for path in table["icon"]}
tf_idf = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32)
models = {
    "most frequent kind": DummyClassifier(),
    "numbers": make_pipeline(
        ColumnTransformer([("numbers", StandardScaler(), numbers)]),
        LogisticRegression(max_iter=1000),
    ),
    "32 x 32 pixels": make_pipeline(
        ColumnTransformer([("icon", FunctionTransformer(small_pixels), "icon")]),
        RidgeClassifier(alpha=100),
    ),
    "TF-IDF of the name": from_columns(("name", tf_idf, "name")),
    "image": from_columns(("icon", image, "icon")),
    "text": from_columns(("name", text, "name")),
    "image + text": from_columns(("icon", image, "icon"), ("name", text, "name")),
    "everything": make_pipeline(everything, RidgeClassifier()),
}
at_random = StratifiedKFold(5, shuffle=True, random_state=0)
by_provider = StratifiedGroupKFold(5, shuffle=True, random_state=0)
folds = {
    "random folds": list(at_random.split(table, kind)),
    "unseen providers": list(by_provider.split(table, kind, groups=table["provider"])),
}

print(f"{'accuracy (spread over 5 folds)':32}" + "".join(f"{name:>20}" for name in folds))
for name, model in models.items():
    cells = []
    for cv in folds.values():
        scores = cross_val_score(model, table, kind, cv=cv)
        cells.append(f"{scores.mean():.3f} ± {scores.std():.3f}")
    print(f"{name:32}" + "".join(f"{cell:>20}" for cell in cells))

# %%
# Which kinds are mistaken for which
# ----------------------------------

predicted = cross_val_predict(search.best_estimator_, table, kind, cv=folds["random folds"])
figure, axes = plt.subplots(figsize=(9, 8), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    kind,
    predicted,
    normalize="true",
    values_format=".0%",
    cmap="Blues",
    ax=axes,
    xticks_rotation=45,
    text_kw={"fontsize": 8},
    colorbar=False,
)
axes.set_title("Kind of service from icon, name, provider and size (5 folds, rows sum to 100 %)")
figure.savefig(OUTPUT / "confusion.png", dpi=100)

# %%
# A map of the icons
# ------------------
# Icons that look alike and are named alike lie close; the frame's colour is the kind. White
# drawings on nothing are invisible on white paper, for us and for the network: they are the
# empty frames.

drawn = table.sample(600, random_state=0)
both = ColumnTransformer([("icon", image, "icon"), ("name", text, "name")])
places = EmbeddingMapDisplay.from_estimator(both, drawn, kind[drawn.index], cells=drawn["icon"])
places.ax_.set_title(f"{len(places.shown_)} icons by image and name (t-SNE)")
places.figure_.savefig(OUTPUT / "map.png", dpi=100)
# sphinx_gallery_thumbnail_number = 2

# %%
# What it cost
# ------------

rows = cache_info()
print(f"\n{rows.asked:,} rows were asked for, {rows.computed:,} went through a network")
print(f"{time.perf_counter() - start:.0f} seconds; pictures in docs/examples/output/")
