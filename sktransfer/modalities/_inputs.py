"""Network inputs: one tensor, or named tensors; each with one entry per row.

Inputs of variable length are named tensors padded on the right, with an ``"attention_mask"``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch

Inputs: TypeAlias = "torch.Tensor | Mapping[str, torch.Tensor]"

MASK = "attention_mask"

# Of sounds: samples (n, length), padded with zeros, and how many a network is to read of each.
WAVEFORM, SAMPLES = "waveform", "samples"


def map_inputs(function: Callable[[torch.Tensor], torch.Tensor], inputs: Any) -> Any:
    """Apply a function to each tensor of the inputs; None stays None."""
    if isinstance(inputs, Mapping):
        return {name: function(tensor) for name, tensor in inputs.items()}
    return None if inputs is None else function(inputs)


def tensors_of(inputs: Any) -> tuple[torch.Tensor, ...]:
    """Return the tensors of the inputs in a fixed order."""
    return tuple(inputs.values()) if isinstance(inputs, Mapping) else (inputs,)


def n_rows(inputs: Any) -> int:
    """Return the number of rows of the inputs."""
    return len(tensors_of(inputs)[0])


def mask_of(inputs: Any) -> torch.Tensor | None:
    """Return the mask (n, length) of inputs of variable length, 1 inside a row; else None."""
    return inputs[MASK] if isinstance(inputs, Mapping) and MASK in inputs else None


def part_of(inputs: Mapping[str, torch.Tensor], rows: Any, length: int) -> Any:
    """Return some rows of inputs of variable length, cut to a length; waveforms to the longest."""
    part = {name: tensor[rows] for name, tensor in inputs.items()}
    lengths = dict.fromkeys(part, length)
    if SAMPLES in part:
        lengths[WAVEFORM] = int(part[SAMPLES].max())
    return {n: t[:, : lengths[n]] if t.ndim > 1 else t for n, t in part.items()}


def repeat_rows(inputs: Any, least: int) -> Any:
    """Repeat rows until there are at least `least`."""
    import torch

    rows = n_rows(inputs)
    if rows >= least:
        return inputs
    chosen = torch.arange(least) % rows
    return map_inputs(lambda tensor: tensor[chosen.to(tensor.device)], inputs)
