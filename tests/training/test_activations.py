"""Outputs of frozen stages, computed once per distinct cell."""

import pytest
import torch
from sklearn.base import clone

from sktransfer import ImageClassifier, TextClassifier
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
