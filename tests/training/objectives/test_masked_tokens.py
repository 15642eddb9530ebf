"""Masked language modelling: the loss is transformers' own on the same mask."""

import pytest
import torch
import transformers

from sktransfer import TextPretrainer
from sktransfer._randomness import seeded
from sktransfer.backbones import get_backbone
from sktransfer.exceptions import BackboneError, ColumnError
from sktransfer.training import FineTuned
from sktransfer.training._sources import TrainingBatch
from sktransfer.training.objectives import MaskedTokens
from sktransfer.training.strategies import strategy_of
from tests._tiny import texts
from tests.backbones._huggingface_folders import save as save_model
from tests.backbones._huggingface_folders import tokenizer


def maskable(kind, folder):
    """Return the backbone of a tiny model whose tokenizer has a mask token."""
    save_model(kind, folder)
    tokenizer(mask_token="<mask>").save_pretrained(folder)
    return get_backbone(str(folder), modality="text")


def masked_batch(backbone, column):
    """Return a batch of masked texts; `column` holds short and long ones."""
    from sktransfer.modalities.text import TextModality

    modality = TextModality()
    items = backbone.processor.encode(column, 64)
    with seeded(0):
        masked, targets = MaskedTokens().augmentation(modality, backbone, None)(items, None)
    inputs = modality.bind(backbone).collate(masked, torch.device("cpu"))
    return TrainingBatch(list(range(len(column))), inputs, targets=targets)


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert", "distilbert"])
def test_the_loss_equals_that_of_transformers(kind, tmp_path):
    backbone = maskable(kind, folder := tmp_path / kind)
    objective = MaskedTokens()
    with seeded(1):
        head = objective.head(backbone, backbone.recipe)
    module = FineTuned(backbone.network, head, backbone.stages, strategy_of("all")).eval()
    batch = masked_batch(backbone, ["alpha beta gamma", "delta " * 40, "eta theta iota kappa mu"])
    loss, scores = objective.loss(module, batch, None, None)

    whole = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    theirs = {
        name: tensor
        for name, tensor in whole.named_parameters()
        if not name.startswith(whole.base_model_prefix)
    }
    own = dict(head.named_parameters())
    order = ["transform.0.weight", "transform.0.bias", "transform.2.weight", "transform.2.bias"]
    matrix = [t for t in theirs.values() if t.ndim == 2 and t.shape == own[order[0]].shape]
    with torch.no_grad():
        for name, tensor in theirs.items():
            kind_of = name.rsplit(".", 1)[1]
            if tensor.shape == own["bias"].shape:
                tensor.copy_(own["bias"])
            elif tensor.ndim == 2 and any(tensor is m for m in matrix):
                tensor.copy_(own[order[0]])
            elif "norm" in name.lower():
                tensor.copy_(own[order[2 if kind_of == "weight" else 3]])
            elif tensor.ndim == 1:
                tensor.copy_(own[order[1]])
    expected = whole(**batch.inputs, labels=batch.targets).loss
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)
    assert len(scores) == (batch.targets >= 0).sum()


def test_a_batch_without_masked_tokens_has_no_loss(tmp_path):
    backbone = maskable("bert", tmp_path / "bert")
    module = FineTuned(
        backbone.network,
        MaskedTokens().head(backbone, backbone.recipe),
        backbone.stages,
        strategy_of("all"),
    )
    batch = masked_batch(backbone, ["alpha"])
    batch.targets.fill_(-100)
    loss, _ = MaskedTokens().loss(module, batch, None, None)
    assert loss.item() == 0
    loss.backward()


def test_networks_that_were_not_made_for_masked_tokens_are_refused(tmp_path):
    save_model("gpt2", folder := tmp_path / "gpt2")
    pretrainer = TextPretrainer(str(folder), cache=False)
    with pytest.raises(BackboneError, match=r"no mask token.*objective='simcse'"):
        pretrainer.fit(texts(8))


def test_texts_without_a_token_to_mask_are_refused():
    pretrainer = TextPretrainer(trainable=1, max_epochs=1, missing="empty", cache=False)
    with pytest.raises(ColumnError, match="There is no token to mask"):
        pretrainer.fit(["", None, ""])
