"""
A whole table at once
=====================

A table of 1,486 icons of cloud services has a picture, a name, a provider and three numbers. One
transformer takes it as it is: it recognizes what each column holds, turns it into features, and
weighs the columns by what they say of the label. Is that as good as choosing everything by hand?
And what do useless columns cost?
"""

# %%
# The table
# ---------

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _data import cloud_icons
from _output import OUTPUT
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sktransfer import ImageEmbedder, TableEmbedder, TextEmbedder, explain

table = cloud_icons()
kind = table.pop("kind")
print(table.drop(columns="icon").head(3).to_string())

# %%
# The model
# ---------
# `describe` says what each column was recognized as and why. The last column is its weight: how
# well it predicts the kind by itself.

model = make_pipeline(TableEmbedder(), LogisticRegression(max_iter=1000))
model.fit(table, kind)
print(model[0].describe())

# %%
# By hand, and one column at a time
# ---------------------------------
# The same folds for all. The icons and names go through their networks once; every other time
# their features are read from the cache.

by_hand = make_pipeline(
    ColumnTransformer(
        [
            ("icon", ImageEmbedder(normalize=True), "icon"),
            ("name", TextEmbedder(), "name"),
            ("provider", OneHotEncoder(handle_unknown="ignore"), ["provider"]),
            ("numbers", StandardScaler(), ["width", "height", "bytes"]),
        ],
        sparse_threshold=0,
    ),
    RidgeClassifier(),
)
cv = StratifiedKFold(5, shuffle=True, random_state=0)
scores = {
    "only " + ", ".join(columns): cross_val_score(model, table[columns], kind, cv=cv)
    for columns in (["width", "height", "bytes"], ["provider"], ["icon"], ["name"])
}
scores["chosen by hand"] = cross_val_score(by_hand, table, kind, cv=cv)
scores["TableEmbedder()"] = cross_val_score(model, table, kind, cv=cv)

# %%
# With columns that say nothing
# -----------------------------
# Thirty columns of random numbers, and five of random letters. With equal weights they hide the
# rest from a linear model.

rng = np.random.default_rng(0)
noise = pd.DataFrame(rng.normal(size=(len(table), 30))).add_prefix("number ")
letters = pd.DataFrame(rng.choice([*"abcdefghij"], (len(table), 5))).add_prefix("letter ")
noisy = pd.concat([table, noise, letters], axis=1)
equal = make_pipeline(TableEmbedder(weighting="equal"), LogisticRegression(max_iter=1000))
scores["... and 35 useless columns"] = cross_val_score(model, noisy, kind, cv=cv)
scores["... and equal weights"] = cross_val_score(equal, noisy, kind, cv=cv)

for name, found in scores.items():
    print(f"{name:30}{found.mean():.3f} ± {found.std():.3f}")

figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
means, spreads = zip(*((found.mean(), found.std()) for found in scores.values()), strict=True)
colors = ["tab:blue" if name == "TableEmbedder()" else "lightsteelblue" for name in scores]
axes.barh([*scores], means, xerr=spreads, color=colors)
axes.invert_yaxis()
axes.set(xlabel="accuracy (5 folds)", title="The kind of 1,486 icons from their columns")
axes.spines[["top", "right"]].set_visible(False)
figure.savefig(OUTPUT / "table.png", dpi=100)

# %%
# Why a row is what it is
# -----------------------
# Explanations look through the table: shares of columns, words of the name, parts of the icon.

print(explain(model, table.iloc[[1000]], background=table.iloc[::50]))

# %%
# Another way with one column
# ---------------------------
# Each kind of column, and each column, can have a transformer of one's own. Parameters of the
# default transformers can be searched over as well, such as ``tableembedder__image__layer``.

custom = make_pipeline(
    TableEmbedder(image=ImageEmbedder(layer="block6"), columns={"bytes": "drop"}),
    LogisticRegression(max_iter=1000),
)
print(custom.fit(table, kind)[0].describe())
