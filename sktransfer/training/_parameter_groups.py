"""Groups of parameters with their own learning rates."""

from __future__ import annotations

from typing import Any

from torch import nn

from sktransfer.training._fine_tuned import FineTuned


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
    stages = [(name, module.network.stages[name]) for name in reversed(module.opened)]
    parts: list[tuple[str, list[nn.Parameter]]] = [("head", list(module.head.parameters()))]
    if stages:
        parts.append(("pooling", _between(module)))
    parts += [(name, list(stage.parameters())) for name, stage in stages]
    may_learn = {id(tensor) for tensor in module.trained().values()}
    groups: list[dict[str, Any]] = []
    depth = 0
    for name, parameters in parts:
        rate = lr * layer_decay**depth
        depth += bool(parameters)
        learning = [p for p in parameters if id(p) in may_learn]
        may_learn -= {id(p) for p in learning}  # stages may share a weight
        kinds = (
            (name, [p for p in learning if p.ndim > 1], weight_decay),
            (f"{name}, norms and biases", [p for p in learning if p.ndim <= 1], 0.0),
        )
        groups += [
            {"name": title, "params": params, "lr": rate, "weight_decay": decay}
            for title, params, decay in kinds
            if params
        ]
    return groups


def _between(module: FineTuned) -> list[nn.Parameter]:
    """Return the parameters that lie between the last stage and the head."""
    in_stages = {id(p) for stage in module.network.stages.values() for p in stage.parameters()}
    return [p for p in module.network.parameters() if id(p) not in in_stages]
