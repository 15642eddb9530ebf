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
# Share of the histories that are cut at random, and not at a time.
_SHUFFLED = 0.6
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

    `user_vectors` computes the same. Codes of candidates are left out at random, so that the
    content says as much as it can.
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
        codes = self.codes[items]
        liked = shares @ (content + codes)
        is_kept = torch.rand(len(candidates), 1, device=content.device) >= _CODE_DROPOUT
        vectors = content[candidates] + codes[candidates] * is_kept
        return (liked + self.user(liked)) @ vectors.T


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
) -> tuple[np.ndarray, Weights]:
    """Return the vectors of the items, and the weights of the tower of users.

    Parameters
    ----------
    features : ndarray of shape (items, features), float32
        Scaled. Those of bad items are not finite; such items are liked in no history.
    histories : Histories
        Of all users.
    params : estimator
        Its parameters are read.
    random : RandomState
        All randomness derives from it.
    log : list of dict
        Gets the loss of each epoch.
    """
    device = _runtime.resolve_device(params.device)
    randomness = Randomness(random.randint(2**31), device)
    steps = _Steps(histories, len(features), params, random)
    is_good = np.isfinite(features).all(axis=1, keepdims=True)
    inputs = torch.from_numpy(np.where(is_good, features, np.float32(0))).to(device)
    with _runtime.gradients(), randomness.own():
        towers = Towers(inputs.cpu(), params.n_factors).to(device)
        _descend(towers, inputs, steps, params, log)
    state = {name: value.detach().cpu() for name, value in towers.named_parameters()}
    content = nn.functional.linear(inputs.cpu(), state["item.weight"], state["item.bias"])
    users = {name: value.numpy() for name, value in state.items() if name.startswith("user.")}
    return (content + state["codes"]).numpy(), users


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
    optimizer = torch.optim.AdamW(groups, fused=True)
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
            first, later = self._cut(len(items))
            before.append((items[first], weights[first]))
            after.append(items[later])
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

    def _cut(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which of the n likes of a user are inputs, and which are targets.

        Cut at a time, they tell what a user likes next; cut at random, with at least half of them
        as inputs, what a user likes at all, which is what matters for new items.
        """
        order, least = np.arange(n), 0
        if self._random.random_sample() < _SHUFFLED:
            order, least = self._random.permutation(n), n // 2
        cut = self._random.randint(least, n)
        return np.sort(order[:cut]), order[cut:]
