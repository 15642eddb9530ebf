"""
How much of an image network should learn?
==========================================

1,486 icons of cloud services and 13 kinds of service. A ladder from pixels over frozen features to
a network that learns as a whole, in one cross-validation: what does each rung cost, and what does
it bring?
"""

# %%
# The data
# --------
# The icons come with the package ``diagrams``. They are drawings, far from the photographs that
# the network was trained on, so there is something to learn.

import numpy as np
from _data import cloud_icons, read_small
from _ladder import climb, picture
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import ImageClassifier, ImageEmbedder

table = cloud_icons()
icons, kinds = table["icon"].to_numpy(), table["kind"].to_numpy()
print(f"{len(icons):,} icons of {len(np.unique(kinds))} kinds\n")


def small_pixels(paths):
    """Return icons as rows of 32 x 32 colours on white."""
    return np.stack([read_small(path) for path in paths])


# %%
# The ladder
# ----------
# All rungs but the first start from the same EfficientNet-Lite0, at half its image size, a quarter
# of the work, and in bfloat16 where the processor has it. What learns is one parameter; what does
# not is computed once for all rungs and folds.

small = {"image_size": 112, "precision": "auto"}
tuned = {**small, "max_epochs": 5, "random_state": 0}
ladder = {
    "pixels + ridge": make_pipeline(FunctionTransformer(small_pixels), RidgeClassifier(100)),
    "frozen + logistic regression": make_pipeline(
        ImageEmbedder(**small), LogisticRegression(max_iter=1000, C=0.1)
    ),
    "head": ImageClassifier(**tuned),
    "head and last 2 stages": ImageClassifier(trainable=2, **tuned),
    "low-rank adapters": ImageClassifier(trainable="lora", lr=3e-3, **tuned),
    "all": ImageClassifier(trainable="all", layer_decay=0.8, **tuned),
}
folds = StratifiedKFold(3, shuffle=True, random_state=0)
rungs = climb(ladder, icons, kinds, folds)

# %%
# How it learned
# --------------
# A fifth of the icons is held out, to see from where on the network learns by heart.

learner = ImageClassifier(trainable=2, early_stopping=True, validation_fraction=0.2, **tuned)
learner.fit(icons, kinds)
picture(rungs, learner, "finetune.png")
