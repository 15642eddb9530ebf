"""Targets may be tensors, also while scikit-learn computes on tensors itself."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from sktransfer import ImageClassifier, ImageRegressor
from tests._tiny import images, tiny_network

COLUMN = images(12)
TARGETS = {
    "classes": (ImageClassifier, torch.tensor([0, 1] * 6)),
    "flags": (ImageClassifier, torch.tensor([True, False] * 6)),
    "labels": (ImageClassifier, torch.eye(3, dtype=torch.int64).repeat(4, 1)),
    "value": (ImageRegressor, torch.linspace(1, 2, 12, requires_grad=True)),
    "short classes": (ImageClassifier, torch.tensor([0, 1] * 6).bfloat16()),
    "short value": (ImageRegressor, torch.linspace(1, 2, 12).bfloat16()),
    "half value": (ImageRegressor, torch.linspace(1, 2, 12).half()),
    "negative view": (ImageRegressor, torch._neg_view(torch.linspace(1, 2, 12))),
    "list": (ImageRegressor, list(torch.linspace(1, 2, 12, requires_grad=True).bfloat16())),
    "values": (ImageRegressor, torch.linspace(1, 2, 24).reshape(12, 2)),
}

# scipy reads the variable when it is imported.
CODE = """
import json, sys
import numpy as np, sklearn, torch
from sktransfer import ImageClassifier, ImageRegressor, TextClassifier, TextRegressor, find_lr
from tests._tiny import images, texts, tiny_network

sklearn.set_config(array_api_dispatch=True)
options = {"max_epochs": 1, "random_state": 0, "cache": False}
classes, values = torch.tensor([0, 1] * 6), torch.linspace(1, 2, 12)
cases = [
    (ImageClassifier(tiny_network(), class_weight="balanced", **options), images(12), classes),
    (ImageRegressor(tiny_network(), **options), images(12), values),
    (TextClassifier(**options), texts(12), classes),
    (TextRegressor(**options), texts(12), values),
]
weights, groups = torch.ones(12), torch.arange(12)
scores = []
for model, X, y in cases:
    model.fit(X, y, sample_weight=weights, X_val=X, y_val=y)
    expected = model.predict(X)
    model.fit(X, y.numpy(), sample_weight=weights.numpy(), X_val=X, y_val=y.numpy())
    np.testing.assert_array_equal(model.predict(X), expected)
    scores.append([float(model.score(X, y)), float(model.score(X, y.numpy()))])
    model.set_params(early_stopping=True, validation_fraction=0.5).fit(X, y, groups=groups)
    model.partial_fit(X, y)
find_lr(cases[0][0], images(12), classes, steps=3)
ImageClassifier(tiny_network(), cache=False).partial_fit(
    images(12), classes, classes=torch.tensor([0, 1, 2])
)
print(json.dumps(scores))
"""


@pytest.mark.parametrize(("kind", "y"), TARGETS.values(), ids=TARGETS)
def test_tensors_give_the_same_model_as_arrays(kind, y):
    options = {"max_epochs": 1, "random_state": 0, "cache": False}
    array = torch.stack(list(y)).detach()
    array = (array.float() if array.dtype == torch.bfloat16 else array).resolve_neg().numpy()
    models = [kind(tiny_network(), **options).fit(COLUMN, t) for t in (y, array)]
    np.testing.assert_array_equal(*(model.predict(COLUMN) for model in models))


REFUSED = {
    "sparse": (torch.ones(12).to_sparse(), "Sparse layout"),
    "without values": (torch.ones(12, device="meta"), "meta tensor"),
    "complex": (torch.ones(12, dtype=torch.complex64), "Complex data not supported"),
}


@pytest.mark.parametrize("kind", [ImageClassifier, ImageRegressor])
@pytest.mark.parametrize(("y", "message"), REFUSED.values(), ids=REFUSED)
def test_tensors_that_numpy_cannot_hold_are_refused(kind, y, message):
    with pytest.raises(ValueError, match=message):
        kind(tiny_network(), cache=False).fit(COLUMN, y)


@pytest.mark.slow
def test_all_fine_tuners_take_tensors_where_scikit_learn_dispatches():
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for of_tensors, of_arrays in json.loads(done.stdout.splitlines()[-1]):
        assert of_tensors == pytest.approx(of_arrays, abs=1e-6)
