"""Outputs of frozen stages, computed once per distinct cell."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sktransfer import ImageClassifier, TextClassifier
from sktransfer.exceptions import BadCellError, BadCellWarning
from sktransfer.modalities.image._image_modality import ImagePreparer
from sktransfer.modalities.text._text_modality import TextPreparer
from tests._tiny import images, texts

CASES = {
    "image": (
        ImageClassifier("resnet18", weights=None, image_size=64),
        images(20),
        ImagePreparer,
        "layer3",
        (1, 6, 32),
    ),
    "text": (TextClassifier(), texts(20), TextPreparer, "layer4", (1, 100, 16_384)),
}


@pytest.mark.parametrize("modality", CASES)
def test_a_row_is_bit_identical_in_batches_of_any_size(modality, monkeypatch):
    estimator, column, preparer, cut, budgets = CASES[modality]
    estimator = clone(estimator).set_params(cache=False)
    data = estimator._column_data(estimator._modality().column(column), estimator._get_backbone())
    activations = data.activations(cut)
    expected = activations.compute(range(20))
    for budget in budgets:
        monkeypatch.setattr(preparer, "budget", lambda self, on_cpu, budget=budget: budget)
        for rows in ([3], [17, 3], list(range(11)), list(range(20))):
            found = activations.compute(rows)
            assert len(found) == len(rows)
            for digest, output in found.items():
                assert torch.equal(output, expected[digest])


@pytest.mark.parametrize("trainable", ["head", 1])
def test_cells_of_variable_length_may_fail_when_they_are_prepared(trainable, monkeypatch):
    prepare = TextPreparer.prepare

    def fail(self, cell, digest):
        if cell == "broken":
            raise BadCellError("it cannot be cut into tokens")
        return prepare(self, cell, digest)

    monkeypatch.setattr(TextPreparer, "prepare", fail)
    column = [*texts(4), "broken"]
    classifier = TextClassifier(trainable=trainable, max_epochs=1, cache=False, on_error="nan")
    with pytest.warns(BadCellWarning):
        classifier.fit(column, [0, 1, 0, 1, 0])
    with pytest.warns(BadCellWarning):
        proba = classifier.predict_proba(column)
    assert np.isnan(proba).any(axis=1).tolist() == [False] * 4 + [True]
