"""Networks as ordered chains of named stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from sktransfer.exceptions import BackboneError

#: How the activations between stages are laid out: (n, channels, height, width),
#: (n, height, width, channels), (n, tokens, channels), or several maps in a row (n, d).
Layout = Literal["NCHW", "NHWC", "NLC", "packed"]

#: In order, by name.
Stages = dict[str, nn.Module]

POOLED = "pooled"

#: What features belong to: a row, each token of it, or each place of its map.
Level = Literal["row", "token", "place"]


class CachedActivation(NamedTuple):
    """Output of a stage for some rows, from an earlier pass."""

    stage: str
    activation: torch.Tensor


class StagedNetwork(nn.Module):
    """Base class of networks that can return the output of each of their stages.

    Attributes
    ----------
    stages : mapping of str to nn.Module
        In the order of the forward pass, under the names that users write in `layer`. Freezing
        and layer-wise learning rates act on the parameters of stages.
    layout : {"NCHW", "NHWC", "NLC", "packed"}
        Layout of the stages' outputs.
    prefix_tokens : int
        For "NLC": number of tokens before those of the image (class token, registers). The
        first of them is the class token.
    resumes : bool
        Whether a forward pass can start from the cached output of a stage before the last.
    unused : sequence of nn.Module
        Parts behind the last stage that no output depends on.
    """

    stages: Mapping[str, nn.Module] | nn.ModuleDict
    layout: Layout = "NCHW"
    prefix_tokens: int = 0
    resumes: bool = True
    unused: Sequence[nn.Module] = ()

    @property
    def inner(self) -> StagedNetwork:
        """The network as its source has built it, where this one gives parts of its outputs."""
        return self

    @property
    def pools(self) -> bool:
        """Whether "pooled" can be computed from the cached output of the last stage."""
        return False

    @property
    def token_embeddings(self) -> nn.Embedding | None:
        """The word embeddings of a transformer that reads tokens; None for other networks."""
        return None

    def forward(
        self, inputs: Any, until: str = POOLED, cached: CachedActivation | None = None
    ) -> torch.Tensor:
        """Return the output of the stage `until`; that of "pooled" is (n, d).

        With `cached`, only the stages after it are run; `inputs` must be those of the same rows.
        """
        raise NotImplementedError

    def outputs(
        self, inputs: Any, names: Iterable[str], cached: CachedActivation | None = None
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield several outputs, each computed from the one before where the network can do so.

        An output may be changed in place once the next one is asked for.

        Parameters
        ----------
        inputs, cached
            As for `forward`.
        names : iterable of str
            Different stages, in order, and at last "pooled".
        """
        last = list(self.stages)[-1]
        for name in names:
            output = self(inputs, until=name, cached=cached)
            if self.pools if name == last else self.resumes:
                cached = CachedActivation(name, output)
            yield name, output


class Chain(StagedNetwork):
    """Stages in sequence, then a pooling to (n, d).

    Parameters
    ----------
    stages : mapping of str to nn.Module
        In order; the input of each is the output of the one before.
    pooled : nn.Module
        From the last stage's output to the features (n, d).
    layout, prefix_tokens
        See `StagedNetwork`.
    """

    pools = True

    def __init__(
        self,
        stages: Mapping[str, nn.Module],
        pooled: nn.Module,
        *,
        layout: Layout = "NCHW",
        prefix_tokens: int = 0,
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(stages)
        self.pooled = pooled
        self.layout = layout
        self.prefix_tokens = prefix_tokens

    def forward(
        self, inputs: Any, until: str = POOLED, cached: CachedActivation | None = None
    ) -> torch.Tensor:
        """Run the stages up to and including `until`."""
        activation = inputs if cached is None else cached.activation
        start = 0 if cached is None else list(self.stages).index(cached.stage) + 1
        for name, stage in list(self.stages.items())[start:]:
            activation = stage(activation)
            if name == until:
                return activation
        return self.pooled(activation)


class Apply(nn.Module):
    """A function with no weights as a stage, or as a link between two."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Any) -> torch.Tensor:
        """Apply the function."""
        return self.function(inputs)


def numbered(prefix: str, modules: Iterable[nn.Module], start: int = 1) -> Stages:
    """Name modules by a prefix and their number."""
    return {f"{prefix}{number}": module for number, module in enumerate(modules, start)}


def cut(
    layers: Iterable[nn.Module], starts: Callable[[nn.Module, nn.Module], bool]
) -> list[nn.Sequential]:
    """Cut a sequence of layers before each for which `starts(previous, layer)` holds."""
    parts: list[list[nn.Module]] = []
    for layer in layers:
        if not parts or starts(parts[-1][-1], layer):
            parts.append([])
        parts[-1].append(layer)
    return [nn.Sequential(*part) for part in parts]


def pool(
    activation: torch.Tensor, pooling: str, network: Any, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Pool a stage's output to one vector per row.

    Parameters
    ----------
    activation : Tensor
        A map, a sequence of tokens, or vectors (n, d), which stay as they are.
    pooling : str
        "flatten", "cls" for the first token, "mean" or "max" over places or over the tokens that
        belong to the row, "std" for their standard deviation; of texts also "lasttoken",
        "weightedmean" (by position) and "mean_sqrt_len_tokens". Names joined by "+" give their
        vectors one after another.
    network : StagedNetwork
        Its attributes `layout` and `prefix_tokens` say what the activation consists of.
    mask : Tensor of shape (n, tokens), optional
        1 where a token belongs to the text, 0 where it pads.

    Returns
    -------
    Tensor of shape (n, d)
    """
    if activation.ndim == 2:
        return activation
    if "+" in pooling:
        parts = [pool(activation, name, network, mask) for name in pooling.split("+")]
        return torch.cat(parts, 1)
    if pooling == "flatten":
        if mask is not None:
            raise BackboneError(
                "pooling='flatten' does not fit texts: their number of tokens differs from "
                "row to row. Use 'mean', 'max' or 'cls'."
            )
        return activation.flatten(1)
    if pooling == "cls":
        if activation.ndim != 3 or (mask is None and network.prefix_tokens == 0):
            raise BackboneError(
                "pooling='cls' needs a class token, and this backbone has none. "
                "Use 'mean', 'max' or 'flatten'."
            )
        return activation[:, 0]
    places = _places(activation, network)
    if mask is None and pooling == "std":
        return places.std(1, correction=0)
    if mask is None:
        return places.mean(1) if pooling == "mean" else places.amax(1)
    return _pool_tokens(places, pooling, mask)


def _pool_tokens(tokens: torch.Tensor, pooling: str, mask: torch.Tensor) -> torch.Tensor:
    """Pool the tokens (n, tokens, d) that belong to each text; padding is on the right."""
    tokens = tokens[:, : mask.shape[1]]
    inside = mask.unsqueeze(-1).to(tokens.dtype)
    if pooling == "std":
        total = inside.sum(1)
        mean = (tokens * inside).sum(1) / total
        return (((tokens - mean[:, None]).square() * inside).sum(1) / total).sqrt()
    if pooling == "max":
        return tokens.masked_fill(inside == 0, -torch.inf).amax(1)
    position = mask.long().cumsum(1).unsqueeze(-1)
    if pooling == "lasttoken":
        inside = inside * (position == position[:, -1:])
    elif pooling == "weightedmean":
        inside = inside.float() * position
    total = inside.sum(1)
    return (tokens * inside).sum(1) / (total.sqrt() if "sqrt" in pooling else total)


def at_level(activation: torch.Tensor, level: Level, network: Any) -> torch.Tensor:
    """Return a stage's output as tokens (n, tokens, d) or as a map (n, height, width, d).

    Parameters
    ----------
    activation : Tensor
        A map, or a sequence of tokens; tokens become a map only if their number is a square.
    level : {"token", "place"}
        Which of the two.
    network : StagedNetwork
        As for `pool`.

    Raises
    ------
    BackboneError
        If the stage has no tokens or places, or its tokens form no square map.
    """
    if network.layout == "packed":
        return activation
    if activation.ndim == 2:
        raise BackboneError(
            f"The last stage of this backbone gives one vector per row, not one per {level}."
        )
    places = _places(activation, network)
    if level == "token":
        return places
    if activation.ndim == 4:
        return activation.permute(0, 2, 3, 1) if network.layout == "NCHW" else activation
    side = round(places.shape[1] ** 0.5)
    if side * side != places.shape[1]:
        raise BackboneError(f"{places.shape[1]} tokens do not form a square map.")
    return places.unflatten(1, (side, side))


def _places(activation: torch.Tensor, network: Any) -> torch.Tensor:
    """Return the activation as (n, places, channels)."""
    # A network may turn maps into tokens on its way; `layout` says what it ends with.
    if activation.ndim == 3:
        return activation[:, network.prefix_tokens :]
    if network.layout == "NHWC":
        return activation.flatten(1, 2)
    return activation.flatten(2).transpose(1, 2)
