"""20 steps of each objective equal a plain PyTorch loop over the same batches."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from sktransfer import ImagePretrainer, TextPretrainer
from sktransfer.training.objectives import (
    MaskedPatches,
    MaskedTokens,
    SimCLR,
    SimCSE,
    VICReg,
    info_nce,
    nt_xent,
    vicreg_loss,
)
from tests._tiny import images, texts
from tests.backbones._huggingface_folders import save, tokenizer
from tests.training.test_equivalence import small_network

PLAIN = {
    "batch_size": 8,
    "max_epochs": 4,
    "lr": 0.01,
    "optimizer": "sgd",  # with Adam, the noise of gradients that should be zero would count
    "lr_schedule": "constant",
    "warmup": 0.0,
    "cache": False,
    "random_state": 0,
}


def recorded(objective):
    """Return the objective as one that keeps the module before the first step, and all batches."""

    class Recorder(type(objective)):
        def training_loss(self, module, batch, targets, weights):
            if not STEPS:
                STEPS.append(copy.deepcopy(module))
            STEPS.append(batch)
            return super().training_loss(module, batch, targets, weights)

    return Recorder()


STEPS: list = []


def plain_loop(pretrainer, loss_of):
    """Train the recorded module with plain PyTorch, and return its weights by name."""
    module, *batches = STEPS
    assert len(batches) == 20
    learning = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": 0.01},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = pretrainer.lr * pretrainer.objective_.lr_scale
    optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.9)
    losses = []
    module.train()
    for batch in batches:
        optimizer.zero_grad()
        loss = loss_of(module, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(
        np.mean(losses[-5:]), pretrainer.history_[-1]["train_loss"], rtol=1e-4
    )
    return dict(module.named_parameters())


def assert_equal_weights(pretrainer, expected):
    for name, weight in pretrainer.module_.named_parameters():
        torch.testing.assert_close(weight, expected[name], rtol=1e-4, atol=2e-6, msg=name)


@pytest.mark.parametrize("objective", [SimCLR(), VICReg()], ids=["simclr", "vicreg"])
def test_two_views_of_images(objective):
    STEPS.clear()
    pretrainer = ImagePretrainer(small_network(), objective=recorded(objective), **PLAIN)
    pretrainer.fit(images(40))

    def loss_of(module, batch):
        one, other = (module.head(module.network(view)) for view in batch.views)
        return nt_xent(one, other, 0.1) if objective.name == "simclr" else vicreg_loss(one, other)

    assert_equal_weights(pretrainer, plain_loop(pretrainer, loss_of))


def test_masked_patches(tmp_path):
    STEPS.clear()
    save("vit", tmp_path)
    column = images(40, size=32)
    objective = recorded(MaskedPatches())
    pretrainer = ImagePretrainer(str(tmp_path), objective=objective, augment=None, **PLAIN)
    pretrainer.fit(column)

    def loss_of(module, batch):
        # 4 x 4 patches of 8 pixels; the class token is the first.
        hidden = module.network.model(batch.inputs).last_hidden_state[:, 1:]
        predicted = module.head(hidden)
        masked = (batch.inputs.abs().amax(1) < 1e-6).float()
        where = functional.avg_pool2d(masked[:, None], 8).flatten(1) == 1
        whole = torch.from_numpy(column[batch.rows] / 255).float()
        patches = whole.unfold(1, 8, 8).unfold(2, 8, 8).permute(0, 1, 2, 4, 5, 3)
        patches = patches.reshape(len(whole), 16, 192)
        deviation, mean = torch.std_mean(patches, dim=-1, keepdim=True)
        target = (patches - mean) / (deviation**2 + 1e-6).sqrt()
        return functional.mse_loss(predicted[where], target[where])

    assert_equal_weights(pretrainer, plain_loop(pretrainer, loss_of))


def text_folder(folder):
    """Write a tiny BERT without dropout, whose tokenizer has a mask token."""
    model = save("bert", folder)
    model.config.update({"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    model.save_pretrained(folder)
    tokenizer(mask_token="<mask>").save_pretrained(folder)
    return str(folder)


def test_two_views_of_texts(tmp_path):
    STEPS.clear()
    folder = text_folder(tmp_path)
    pretrainer = TextPretrainer(folder, objective=recorded(SimCSE()), **PLAIN).fit(texts(40))

    def features(module, view):
        hidden = module.network.model(**view).last_hidden_state
        mask = view["attention_mask"][..., None]
        return (hidden * mask).sum(1) / mask.sum(1)

    def loss_of(module, batch):
        return info_nce(*(features(module, view) for view in batch.views), 0.05)

    assert_equal_weights(pretrainer, plain_loop(pretrainer, loss_of))


def test_masked_tokens(tmp_path):
    STEPS.clear()
    folder = text_folder(tmp_path)
    column = ["alpha beta gamma delta", "epsilon zeta eta theta iota kappa lambda mu"] * 20
    pretrainer = TextPretrainer(folder, objective=recorded(MaskedTokens()), **PLAIN).fit(column)

    def loss_of(module, batch):
        hidden = module.network.model(**batch.inputs).last_hidden_state
        embeddings = module.network.model.embeddings.word_embeddings.weight
        scores = module.head.transform(hidden) @ embeddings.T + module.head.bias
        return functional.cross_entropy(scores.flatten(0, 1), batch.targets.flatten())

    shares = STEPS[0].head.bias.detach().exp()
    assert shares.sum().item() == pytest.approx(1)
    np.testing.assert_allclose(shares[4:16], shares[4].item(), rtol=1e-5)  # all are as frequent
    assert shares[0] < 0.01 * shares[4]  # special
    assert_equal_weights(pretrainer, plain_loop(pretrainer, loss_of))
