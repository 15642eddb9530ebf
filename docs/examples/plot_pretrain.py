"""
The whole life of a model: from texts without labels to predictions
===================================================================

3,500 questions, of which few have a label that says what kind of answer each asks for. A network
learns first from all of them without labels, then from few with labels; its features serve another
model; one model is chosen on rows for validation, tested once, and applied.
"""

# %%
# The data
# --------
# 2,500 questions of the TREC set are the pool, of which we know some labels; 500 are for
# validation and 1,000 for testing.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _data import trec_questions
from _output import OUTPUT
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktransfer import (
    PretrainingDisplay,
    TextClassifier,
    TextEmbedder,
    TextPretrainer,
    compare_pretrained,
    load,
    save,
)

questions, kinds = trec_questions()
pool, X, pool_kinds, y = train_test_split(
    questions, kinds, train_size=2500, stratify=kinds, random_state=0
)
X_valid, X_test, y_valid, y_test = train_test_split(
    X, y, train_size=500, test_size=1000, stratify=y, random_state=0
)

# %%
# 1. Learn without labels
# -----------------------
# Words are hidden and predicted. The labels for validation train nothing: they show, after each
# epoch, how well the ten nearest questions predict a kind.

pretrained = TextPretrainer(objective="mlm", random_state=0)
pretrained.fit(pool, X_val=X_valid, y_val=y_valid)
shown = ["train_loss", "valid_loss", "effective_rank", "knn_score", "seconds"]
print("before:", {name: round(score, 3) for name, score in pretrained.initial_scores_.items()})
print(pd.DataFrame(pretrained.history_).set_index("epoch")[shown].round(3).to_string(), "\n")

# %%
# 2. Did it help?
# ---------------
# Logistic regression on the features before and after, with few labels of the validation rows. Half
# of these are for testing, in five draws; what counts is a gain beyond its spread.

table = compare_pretrained(
    TextEmbedder(), pretrained, X_valid, y_valid, labels_per_class=[4, 16, "all"]
)
print(table, "\n")

# %%
# 3. Fine-tune on few labels, and use features in any model
# ---------------------------------------------------------
# Each model learns from the same labels of the pool. The pre-trained network is the backbone of an
# embedder as it is of a fine-tuner.

few = {"trainable": 4, "contrastive_epochs": 6, "batch_size": 16, "random_state": 0}


def logistic(features):
    """Return features and what learns from them."""
    return make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=1000))


models = {
    "TF-IDF + logistic regression": make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10)
    ),
    "features": logistic(TextEmbedder()),
    "features, pre-trained": logistic(TextEmbedder(pretrained)),
    "fine-tuned": TextClassifier(**few),
    "fine-tuned, pre-trained": TextClassifier(pretrained, **few),
}


def labelled(count, seed):
    """Return the positions in the pool of `count` rows of each kind."""
    random = np.random.RandomState(seed)
    of_kind = [np.flatnonzero(pool_kinds == kind) for kind in np.unique(pool_kinds)]
    return np.concatenate([random.permutation(rows)[:count] for rows in of_kind])


counts, draws = (8, 32), 2
scores = {name: np.zeros((len(counts), draws)) for name in models}
print(f"{'accuracy on rows for validation':32}" + "".join(f"{c:>5} per class" for c in counts))
for name, model in models.items():
    for place, count in enumerate(counts):
        for draw in range(draws):
            rows = labelled(count, draw)
            model.fit(pool[rows], pool_kinds[rows])
            scores[name][place, draw] = model.score(X_valid, y_valid)
    print(f"{name:32}" + "".join(f"{s.mean():9.3f} ± {s.std():.3f}" for s in scores[name]))

# %%
# 4. Choose on the rows for validation, test once, apply
# ------------------------------------------------------

best = max(scores, key=lambda name: scores[name][-1].mean())
model = models[best].fit(pool[labelled(32, 0)], pool_kinds[labelled(32, 0)])
print(f"\nchosen with 32 labels per class: {best}; tested: {model.score(X_test, y_test):.3f}")

save(model, OUTPUT / "questions.skt")
served = load(OUTPUT / "questions.skt")
for question in ("Who painted the ceiling ?", "How many legs has a spider ?"):
    print(f"{question:32}{served.predict([question])[0]}")

# %%
# The pictures
# ------------

figure, axes = plt.subplots(2, 2, figsize=(11, 7), layout="constrained")
axes = axes.ravel()
PretrainingDisplay.from_estimator(pretrained, ax=axes[:3])
for name, found in scores.items():
    axes[3].errorbar(counts, found.mean(1), yerr=found.std(1), marker="o", capsize=3, label=name)
axes[3].set(xlabel="labels per class", ylabel="accuracy", xscale="log", xticks=counts)
axes[3].set_xticklabels(counts)
axes[3].minorticks_off()
axes[3].legend(
    fontsize="small", frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2
)
figure.savefig(OUTPUT / "pretrain.png", dpi=100)
