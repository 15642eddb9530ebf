"""Network inputs: one tensor, or named tensors; each with one entry per row.

Inputs of variable length are named tensors padded on the right, with an ``"attention_mask"``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sktransfer.exceptions import BackboneError

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


def lengths_of(inputs: Mapping[str, torch.Tensor]) -> list[int]:
    """Return how long each row of inputs of variable length is for a network."""
    # The silence behind a recording may be read as well, so its mask does not tell.
    return (inputs[SAMPLES] if SAMPLES in inputs else inputs[MASK].sum(1)).tolist()


def part_of(inputs: Mapping[str, torch.Tensor], rows: Any) -> Any:
    """Return some rows of inputs of variable length, cut to the longest of them."""
    part = {name: tensor[rows] for name, tensor in inputs.items()}
    lengths = dict.fromkeys(part, int(part[MASK].sum(1).max()))
    if SAMPLES in part:
        lengths[WAVEFORM] = int(part[SAMPLES].max())
    return {n: t[:, : lengths[n]] if t.ndim > 1 else t for n, t in part.items()}


def joined(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Return the outputs of the parts of a batch, one after another."""
    shapes = {output.shape[1:] for output in outputs}
    if len(shapes) > 1:
        raise BackboneError(
            f"The network gives features of the shapes {', '.join(map(str, shapes))} for rows of "
            "different lengths, expected one vector per row, always of the same length."
        )
    return np.concatenate(outputs)


def repeat_rows(inputs: Any, least: int) -> Any:
    """Repeat rows until there are at least `least`."""
    import torch

    rows = n_rows(inputs)
    if rows >= least:
        return inputs
    chosen = torch.arange(least) % rows
    return map_inputs(lambda tensor: tensor[chosen.to(tensor.device)], inputs)
