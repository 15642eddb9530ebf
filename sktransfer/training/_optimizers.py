"""Optimizers by name, groups of parameters with their own rates, and learning rate schedules."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._fused_towers import FusedTowers


def make_optimizer(
    groups: list[dict[str, Any]], name: str, *, momentum: float
) -> torch.optim.Optimizer:
    """Return an optimizer over parameter groups.

    Parameters
    ----------
    groups : list of dict
        From `parameter_groups`.
    name : {"adamw", "adam", "sgd"}
        "adamw" decays weights apart from the gradient, the others through it.
    momentum : float
        Of "sgd".

    Notes
    -----
    Steps are fused, which is several times faster than torch's default for networks of many
    parameters, and equal to it up to rounding.
    """
    # Only real numbers have fused steps; parameters of other types are never trained.
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=momentum, fused=True)
    kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    return kind(groups, fused=True)


def make_schedule(
    optimizer: torch.optim.Optimizer, name: str, *, warmup: float, steps: int
) -> lr_scheduler.LRScheduler:
    """Return a schedule that is stepped after every batch.

    Parameters
    ----------
    optimizer : Optimizer
        Its learning rates are the highest of the schedule.
    name : {"cosine", "onecycle", "constant"}
        After the warm-up: a cosine down to zero; the same after a cosine up, with opposite
        momentum; or constant.
    warmup : float
        Share of the steps in which learning rates rise.
    steps : int
        Number of steps of the phase.
    """
    rising = min(round(warmup * steps), steps - 1)
    if name == "onecycle":
        rates = [group["lr"] for group in optimizer.param_groups]
        share = max(rising, 1) / steps
        return lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps + 1, pct_start=share)
    parts: list[lr_scheduler.LRScheduler] = []
    if rising:
        first = 1 / (rising + 1)
        parts.append(lr_scheduler.LinearLR(optimizer, first, total_iters=rising))
    if name == "cosine":
        parts.append(lr_scheduler.CosineAnnealingLR(optimizer, steps - rising))
    else:
        parts.append(lr_scheduler.ConstantLR(optimizer, 1.0, total_iters=0))
    if len(parts) == 1:
        return parts[0]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[rising])


def groups_of(
    module: FineTuned | FusedTowers,
    *,
    lr: float,
    scale: float,
    layer_decay: float,
    weight_decay: float,
) -> list[dict[str, Any]]:
    """Return the parameter groups of a network, or of towers, whose rates are their own.

    Parameters
    ----------
    module : FineTuned or FusedTowers
        See `parameter_groups`.
    lr, layer_decay, weight_decay : float
        Of a network, or of the head on towers.
    scale : float
        Factor on all learning rates.
    """
    if isinstance(module, FineTuned):
        return parameter_groups(
            module, lr=lr * scale, layer_decay=layer_decay, weight_decay=weight_decay
        )
    head = list(module.head.parameters())
    groups = _by_kind("head", head, lr * scale, weight_decay)
    for name, tower in module.towers.items():
        if isinstance(tower, FineTuned):
            its = module.settings[name]
            own = parameter_groups(
                tower,
                lr=its.lr * its.layer_decay * scale,  # of the last stage, below the head
                layer_decay=its.layer_decay,
                weight_decay=its.weight_decay,
            )
            groups += [{**group, "name": f"{name}/{group['name']}"} for group in own]
    return groups


def parameter_groups(
    module: FineTuned, *, lr: float, layer_decay: float = 1.0, weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """Return parameter groups for a torch optimizer: the head first, the lowest opened stage last.

    Parameters
    ----------
    module : FineTuned
        All its opened stages are in the groups, also those not trained yet.
    lr : float
        Learning rate of the head.
    layer_decay : float
        Factor on the learning rate from each part to the one below it.
    weight_decay : float
        Of matrices and filters. Norms and biases have none: pulling them to zero does not
        simplify the function.

    Returns
    -------
    list of dict
        With the keys params, lr, weight_decay and name.
    """
    stages = module.network.stages
    parts: list[tuple[str, list[nn.Parameter]]] = [
        ("head", list(module.head.parameters())),
        ("pooling", _between(module)),
        *((name, list(stages[name].parameters())) for name in reversed(module.opened)),
    ]
    may_learn = {id(tensor) for tensor in module.trained().values()}
    groups: list[dict[str, Any]] = []
    depth = 0
    for name, parameters in parts:
        rate = lr * layer_decay**depth
        depth += bool(parameters)
        learning = [p for p in parameters if id(p) in may_learn]
        may_learn -= {id(p) for p in learning}  # stages may share a weight
        groups += _by_kind(name, learning, rate, weight_decay)
    return groups


def _by_kind(
    name: str, parameters: list[nn.Parameter], rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Return the group of matrices and filters, and that of norms and biases."""
    kinds = (
        (name, [p for p in parameters if p.ndim > 1], weight_decay),
        (f"{name}, norms and biases", [p for p in parameters if p.ndim <= 1], 0.0),
    )
    return [
        {"name": title, "params": params, "lr": rate, "weight_decay": decay}
        for title, params, decay in kinds
        if params
    ]


def _between(module: FineTuned) -> list[nn.Parameter]:
    """Return the parameters that lie between the last stage and the head."""
    in_stages = {id(p) for stage in module.network.stages.values() for p in stage.parameters()}
    return [p for p in module.network.parameters() if id(p) not in in_stages]
