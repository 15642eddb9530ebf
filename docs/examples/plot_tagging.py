"""
Names inside of texts
=====================

Addresses as lists of words, and which part of the address each word is: number, street, place,
state. A tagger learns these from 50, 200 and 800 labelled addresses, from the tokens of a
pretrained network and from the spelling of words. Logistic regression on hand-made features, one
word after the other, is the baseline.
"""

# %%
# The baseline
# ------------
# Each word by itself: its letters, its digits and its neighbours.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _data import addresses
from _output import OUTPUT
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import TextTagger
from sktransfer.training.targets import counts_of, entities_of, f1_of

SIZES = (50, 200, 800)
columns = addresses()
order = np.random.default_rng(0).permutation(len(columns[0]))  # the file has them by source
words, tags = ([column[row] for row in order] for column in columns)
X_test, y_test = words[1_000:], tags[1_000:]


def features(row):
    """Return hand-made features of each word of a row."""
    padded = ["", *row, ""]
    return [
        {"last": place == len(row) - 1, "first": place == 0}
        | {
            f"{name} {shift}": value
            for shift, word in zip((-1, 0, 1), padded[place : place + 3], strict=True)
            for name, value in (
                ("word", word.lower().strip(".,")),
                ("end", word[-2:].lower()),
                ("digits", sum(map(str.isdigit, word))),
                ("comma", word.endswith(",")),
            )
        }
        for place in range(len(row))
    ]


def baseline(X, y):
    """Return the entity F1 of logistic regression."""
    model = make_pipeline(DictVectorizer(), LogisticRegression(C=10, max_iter=1_000))
    model.fit([word for row in X for word in features(row)], [tag for row in y for tag in row])
    predicted = [model.predict(features(row)).tolist() for row in X_test]
    pairs = zip(y_test, predicted, strict=True)
    rows = [(entities_of(true, 0), entities_of(found, 0)) for true, found in pairs]
    return f1_of(counts_of(rows, [1.0] * len(rows)))


# %%
# The tagger
# ----------
# What is learned of spelling and what of the network's tokens, and both together. A frozen network
# computes each address once.

taggers = {
    "network alone": TextTagger(spelling=False, random_state=0),
    "network and spelling": TextTagger(random_state=0),
}
print(f"{'entity F1 on 513 addresses':32}" + "".join(f"{size:8,}" for size in SIZES))
found = {"logistic regression": [baseline(words[:size], tags[:size]) for size in SIZES]}
for name, tagger in taggers.items():
    found[name] = [tagger.fit(words[:size], tags[:size]).score(X_test, y_test) for size in SIZES]
for name, scores in found.items():
    print(f"{name:32}" + "".join(f"{score:8.3f}" for score in scores), flush=True)

# %%
# What it says
# ------------
# Tags of words, each with its probability.

address = "The Old Bakery, 12 North Main Street, Suite 4, Springfield IL 62704"
row = address.split(" ")
print()
for word, (tag, share) in zip(row, tagger.predict([row], return_scores=True)[0], strict=True):
    print(f"{word:16}{tag:28}{share:.2f}")

# %%
# The picture
# -----------
# What more labels bring, and which parts are found.

report = pd.DataFrame(tagger.classification_report(X_test, y_test)).T
parts = report.drop("micro avg").query("support >= 10").sort_values("f1-score")
figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
for name, scores in found.items():
    axes[0].plot(SIZES, scores, "o-", label=name)
axes[0].set(xscale="log", xlabel="labelled addresses", ylabel="entity F1")
axes[0].set_xticks(SIZES, [f"{size:,}" for size in SIZES])
axes[0].minorticks_off()
axes[0].legend()
axes[0].grid(alpha=0.4)
axes[1].barh(parts.index, parts["f1-score"])
axes[1].set(xlabel=f"F1 per part, {SIZES[-1]} addresses", xlim=(0, 1))
figure.savefig(OUTPUT / "tagging.png", dpi=100)
