"""Optimizers and schedules by their names in the estimators' parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import lr_scheduler

SCHEDULES = ("cosine", "onecycle", "constant")
OPTIMIZERS = ("adamw", "adam", "sgd")


def make_optimizer(
    groups: list[dict[str, Any]], name: str, *, momentum: float
) -> torch.optim.Optimizer:
    """Return the optimizer over groups of parameters that have their own rates.

    Parameters
    ----------
    groups : list of dict
        From `parameter_groups`.
    name : {"adamw", "adam", "sgd"}
        "adamw" decays weights apart from the gradient, the others by it.
    momentum : float
        For "sgd" only.

    Notes
    -----
    A step is computed in one pass over the parameters, which for networks with many of them is
    several times faster than torch's default, and equal to it but for rounding.
    """
    # Parameters of other types than real numbers, which have no such step, do not learn.
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=momentum, fused=True)
    kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    return kind(groups, fused=True)


def make_schedule(
    optimizer: torch.optim.Optimizer, name: str, *, warmup: float, steps: int
) -> lr_scheduler.LRScheduler:
    """Return a schedule that is to be stepped after every batch.

    Parameters
    ----------
    optimizer : Optimizer
        Its rates are the highest that the schedule reaches.
    name : {"cosine", "onecycle", "constant"}
        After the warm-up: down to zero along a cosine; the same behind a cosine up, with
        momentum going the other way; or unchanged.
    warmup : float
        Share of the steps in which rates rise.
    steps : int
        Of the whole training.
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
