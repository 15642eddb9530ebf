"""Optimizers and learning rate schedules by name."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import lr_scheduler


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
