"""Fitted models to explain."""

from functools import cache

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sktransfer import ImageEmbedder, TextEmbedder
from tests._tiny import images, tiny_network

GOOD = ["a good film", "such good books", "good food here", "the weather is good", "Good night !"]
BAD = [text.replace("good", "bad").replace("Good", "Bad") for text in GOOD]
LABELS = ["+"] * len(GOOD) + ["-"] * len(BAD)


@cache
def text_model():
    model = make_pipeline(TextEmbedder(cache=False), LogisticRegression(C=10))
    return model.fit([*GOOD, *BAD], LABELS)


def image_embedder(**options):
    return ImageEmbedder(tiny_network(), image_size=16, cache=False, **options)


@cache
def image_model():
    model = make_pipeline(image_embedder(), StandardScaler(), LogisticRegression())
    return model.fit(images(8), [0, 1] * 4)


def table(n=8):
    pictures = np.empty(n, dtype=object)
    pictures[:] = list(images(n))
    return pd.DataFrame(
        {
            "photo": pictures,
            "title": [*GOOD[: n // 2], *BAD[: n - n // 2]],
            "price": np.arange(n, dtype=float),
            "shop": pd.Categorical(list("aabbcca" * 2)[:n]),
        },
        index=np.arange(n) * 10 + 3,
    )


def columns(*, image=None):
    return ColumnTransformer(
        [
            ("photo", image or image_embedder(), "photo"),
            ("title", TextEmbedder(cache=False), "title"),
            ("price", StandardScaler(), ["price"]),
            ("shop", OneHotEncoder(handle_unknown="ignore"), ["shop"]),
        ]
    )


@cache
def table_model():
    return make_pipeline(columns(), LogisticRegression()).fit(table(), [1, 1, 1, 1, 0, 0, 0, 0])
