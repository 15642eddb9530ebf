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

_DROPOUT, _INPUT_DROPOUT = 0.3, 0.0
_WEIGHT_DECAY = 0.01
# Share of the steps in which the learning rate rises.
_WARMUP = 0.1


@dataclass(frozen=True)
class Step:
    """The users of an optimizer step.

    Attributes
    ----------
    items : ndarray of int
        Items that are inputs, and then items that are candidates.
    means : ndarray of shape (users, inputs)
        Weights of the inputs in the mean of each user.
    rows, columns : ndarray of int
        User and candidate of each target.
    log_q : ndarray of shape (candidates,)
        Logarithm of the probability that an item is a candidate.
    """

    items: np.ndarray
    means: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    log_q: np.ndarray


class Towers(nn.Module):
    """Both towers; see `item_vectors` and `user_vectors`, which compute the same."""

    def __init__(self, n_features: int, width: int, n_factors: int) -> None:
        super().__init__()
        self.item = _tower(n_features, width, n_factors)
        self.user = _tower(n_factors, width, n_factors)

    def forward(self, features: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
        """Return the scores of the candidates, which are behind the inputs."""
        vectors = self.item(nn.functional.dropout(features, _INPUT_DROPOUT, self.training))
        liked = means @ vectors[: means.shape[1]]
        return (liked + self.user(liked)) @ vectors[means.shape[1] :].T


def _tower(n_in: int, width: int, n_out: int) -> nn.Sequential:
    layers = (nn.Linear(n_in, width), nn.ReLU(), nn.Dropout(_DROPOUT), nn.Linear(width, n_out))
    return nn.Sequential(*layers)


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
        Rows of bad items are zero, and in no history.
    histories : Histories
        Of all users.
    params : estimator
        Its parameters are read.
    random : RandomState
        All randomness derives from it.
    log : list of dict
        Gets the loss of each epoch.
    """
    mean, scale = features.mean(axis=0), max(float(features.std(axis=0).mean()), 1e-12)
    device = _runtime.resolve_device(params.device)
    randomness = Randomness(random.randint(2**31), device)
    steps = _Steps(histories, len(features), params, random)
    inputs = torch.from_numpy((features - mean) / np.float32(scale))
    with _runtime.gradients(), randomness.own():
        towers = Towers(features.shape[1], params.n_hidden, params.n_factors).to(device)
        _descend(towers, inputs, steps, params, log)
    state = {name: value.cpu().numpy() for name, value in towers.state_dict().items()}
    return {"mean": mean, "scale": np.float32(scale), **state}


def _descend(
    towers: Towers, inputs: torch.Tensor, steps: _Steps, params: Any, log: list[dict[str, Any]]
) -> None:
    device = next(towers.parameters()).device
    optimizer = torch.optim.AdamW(towers.parameters(), params.lr, weight_decay=_WEIGHT_DECAY)
    total = max(1, params.max_epochs * len(steps))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, params.lr, total_steps=total + 1, pct_start=_WARMUP
    )
    for epoch in range(1, params.max_epochs + 1):
        losses = []
        for step in steps:
            features = inputs[torch.from_numpy(step.items)].to(device)
            scores = towers(features, torch.from_numpy(step.means).to(device))
            scores = scores / params.n_factors**0.5 - torch.from_numpy(step.log_q).to(device)
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
        inputs = np.unique(weights.indices)
        candidates, columns = np.unique(targets, return_inverse=True)
        # The probability that an item is among this number of draws.
        log_q = np.log(-np.expm1(len(targets) * np.log1p(-self._shares[candidates])))
        return Step(
            np.concatenate([inputs, candidates]),
            weights[:, inputs].toarray(),
            np.repeat(np.arange(len(users)), [len(items) for items in after]),
            columns,
            log_q.astype(np.float32),
        )
