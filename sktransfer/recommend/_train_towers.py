"""Training of two towers by a sampled softmax over what comes next in each history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from sktransfer import _runtime
from sktransfer._randomness import Randomness
from sktransfer.exceptions import DivergedError
from sktransfer.recommend._towers import Histories, Weights, means

_DROPOUT, _INPUT_DROPOUT, _CODE_DROPOUT = 0.3, 0.3, 0.2
# Learning rates relative to that of the tower of users.
_ITEM_LR, _CODE_LR = 0.2, 2.0
# Mean square of the values of vectors when the training begins.
_START = 0.33
# Of the towers, and of the codes.
_WEIGHT_DECAY, _CODE_DECAY = 1.0, 0.01
# Share of the steps in which the learning rate rises.
_WARMUP = 0.1


@dataclass(frozen=True)
class Step:
    """The users of an optimizer step.

    Attributes
    ----------
    items : ndarray of int
        Items that are inputs or candidates.
    means : ndarray of shape (users, items)
        Weights of the inputs in the mean of each user.
    candidates : ndarray of int
        Which of the items are candidates.
    rows, columns : ndarray of int
        User and candidate of each target.
    log_q : ndarray of shape (candidates,)
        Logarithm of the probability that an item is a candidate.
    """

    items: np.ndarray
    means: np.ndarray
    candidates: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    log_q: np.ndarray


class Towers(nn.Module):
    """Both towers, and a code per item: what its content does not tell.

    `item_vectors` and `user_vectors` compute the same. Codes are left out at random, so that the
    content alone is of use for new items.
    """

    def __init__(self, features: torch.Tensor, n_factors: int) -> None:
        super().__init__()
        self.codes = nn.Parameter(torch.zeros(len(features), n_factors))
        self.item = _principal_components(features, n_factors)
        self.user = nn.Sequential(
            nn.Linear(n_factors, n_factors),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(n_factors, n_factors),
        )

    def forward(self, step: Step, features: torch.Tensor) -> torch.Tensor:
        """Return the scores of the candidates, of shape (users, candidates)."""
        arrays = (step.items, step.means, step.candidates)
        items, shares, candidates = (torch.from_numpy(a).to(features.device) for a in arrays)
        content = self.item(nn.functional.dropout(features[items], _INPUT_DROPOUT))
        is_kept = torch.rand(len(items), 1, device=content.device) >= _CODE_DROPOUT
        vectors = content + self.codes[items] * is_kept
        liked = shares @ vectors
        return (liked + self.user(liked)) @ vectors[candidates].T


def _principal_components(features: torch.Tensor, n_factors: int) -> nn.Linear:
    """Return a layer that keeps the cosines of rows as far as it can."""
    layer = nn.Linear(features.shape[1], n_factors)
    components = torch.linalg.svd(features, full_matrices=False).Vh[:n_factors]
    energy = (features @ components.T).square().sum(dim=1).mean().clamp(min=1e-12)
    with torch.no_grad():
        layer.bias.zero_()
        layer.weight.zero_()
        layer.weight[: len(components)] = components * (_START * n_factors / energy).sqrt()
    return layer


def train_towers(
    features: np.ndarray,
    histories: Histories,
    params: Any,
    random: np.random.RandomState,
    log: list[dict[str, Any]],
) -> Weights:
    """Return the weights of both towers.

    Parameters
    ----------
    features : ndarray of shape (items, features), float32
        Those of bad items are not finite; such items are liked in no history.
    histories : Histories
        Of all users.
    params : estimator
        Its parameters are read.
    random : RandomState
        All randomness derives from it.
    log : list of dict
        Gets the loss of each epoch.
    """
    is_good = np.isfinite(features).all(axis=1)
    mean = features[is_good].mean(axis=0)
    scale = np.float32(max(features[is_good].std(axis=0).mean(), 1e-12))
    scaled = np.where(is_good[:, None], (features - mean) / scale, 0)
    device = _runtime.resolve_device(params.device)
    randomness = Randomness(random.randint(2**31), device)
    steps = _Steps(histories, len(features), params, random)
    inputs = torch.from_numpy(scaled).to(device)
    with _runtime.gradients(), randomness.own():
        towers = Towers(inputs.cpu(), params.n_factors).to(device)
        _descend(towers, inputs, steps, params, log)
    state = {name: value.cpu().numpy() for name, value in towers.state_dict().items()}
    return {"mean": mean, "scale": scale, **state}


def _descend(
    towers: Towers, inputs: torch.Tensor, steps: _Steps, params: Any, log: list[dict[str, Any]]
) -> None:
    rates = [params.lr, _ITEM_LR * params.lr, _CODE_LR * params.lr]
    parts = [towers.user.parameters(), towers.item.parameters(), [towers.codes]]
    decays = [_WEIGHT_DECAY, _WEIGHT_DECAY, _CODE_DECAY]
    groups: list[dict[str, Any]] = [
        {"params": part, "lr": lr, "weight_decay": decay}
        for part, lr, decay in zip(parts, rates, decays, strict=True)
    ]
    optimizer = torch.optim.AdamW(groups)
    total = max(1, params.max_epochs * len(steps))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rates, total_steps=total + 1, pct_start=_WARMUP
    )
    for epoch in range(1, params.max_epochs + 1):
        losses = []
        for step in steps:
            log_q = torch.from_numpy(step.log_q).to(inputs.device)
            scores = towers(step, inputs) / params.n_factors**0.5 - log_q
            loss = -scores.log_softmax(dim=1)[step.rows, step.columns].mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        log.append({"epoch": epoch, "train_loss": float(np.mean(losses))})
        if not np.isfinite(log[-1]["train_loss"]):
            raise DivergedError(f"The loss is not finite after {epoch} epoch(s): use a smaller lr.")


class _Steps:
    """The steps of an epoch: each history is cut in two, and the later part is predicted."""

    def __init__(
        self, histories: Histories, n_items: int, params: Any, random: np.random.RandomState
    ) -> None:
        self._liked = [pair for pair in histories.liked() if len(pair[0])]
        self._n_items, self._params, self._random = n_items, params, random
        counts = np.bincount(
            np.concatenate([np.empty(0, np.intp), *(items for items, _ in self._liked)]),
            minlength=n_items,
        )
        self._shares = np.minimum(counts / max(1, counts.sum()), 1 - 1e-9)

    def __len__(self) -> int:
        return -(-len(self._liked) // self._params.batch_size)

    def __iter__(self) -> Iterator[Step]:
        order = self._random.permutation(len(self._liked))
        for start in range(0, len(order), self._params.batch_size):
            yield self._step(order[start : start + self._params.batch_size])

    def _step(self, users: np.ndarray) -> Step:
        before, after = [], []
        for user in users:
            items, weights = self._liked[user]
            cut = self._random.randint(len(items))
            before.append((items[:cut], weights[:cut]))
            after.append(items[cut:])
        targets = np.concatenate(after)
        weights = means(before, self._n_items, self._params.half_life)
        items, places = np.unique(np.concatenate([weights.indices, targets]), return_inverse=True)
        candidates, columns = np.unique(places[weights.nnz :], return_inverse=True)
        # The probability that an item is among this number of draws.
        log_q = np.log(-np.expm1(len(targets) * np.log1p(-self._shares[items[candidates]])))
        return Step(
            items,
            weights[:, items].toarray(),
            candidates,
            np.repeat(np.arange(len(users)), [len(items) for items in after]),
            columns,
            log_q.astype(np.float32),
        )
