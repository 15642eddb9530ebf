"""A network, its layer and pooling as one function of plain tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from sktransfer.engines._request import Request


def whole(request: Request) -> Callable[..., torch.Tensor]:
    """Return a function from what `plain` gives to features (n, d), with torch in between."""
    # It is made when it is first asked for, and a trace must not follow how.
    request.backbone.fast(torch.device("cpu"))

    def compute(cells: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        inputs: Any = {"input_ids": cells, "attention_mask": mask}
        if mask is None:
            inputs = cells.permute(0, 3, 1, 2)
        return request.backbone.extract(inputs, layer=request.layer, pooling=request.pooling)

    return compute


def plain(inputs: Any) -> tuple[torch.Tensor, ...]:
    """Return the inputs of a network as tensors that lie in memory row by row.

    Images come with their channels last, which is how they lie there already.
    """
    if isinstance(inputs, Mapping):
        return inputs["input_ids"], inputs["attention_mask"]
    return (inputs.permute(0, 2, 3, 1).contiguous(),)
