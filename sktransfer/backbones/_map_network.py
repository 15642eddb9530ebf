"""A network of images that gives the maps of several of its stages, packed into one row."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from math import prod
from typing import Any, NamedTuple

import torch

from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import (
    POOLED,
    CachedActivation,
    Layout,
    StagedNetwork,
    at_level,
)
from sktransfer.exceptions import BackboneError
from sktransfer.modalities import Recipe

# Of each backbone, the ones that give maps and were made of it.
_MADE: weakref.WeakKeyDictionary[Backbone, dict[Recipe, Backbone]] = weakref.WeakKeyDictionary()

# Places are at least this many pixels apart: finer maps take most of the memory and time.
_FINEST = 4
# Stages used of a network whose maps are all of one size.
_OF_ONE_SIZE = 4


class Maps(NamedTuple):
    """The maps in a packed row.

    Attributes
    ----------
    names : tuple of str
        Stages that they are of, from below.
    shapes : tuple of tuple of int
        Height, width and channels of each.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, int, int], ...]


class MapNetwork(StagedNetwork):
    """The stages of a network, each giving its output together with maps of the stages before.

    A stage's output (n, d) holds, one after another and flat, the map of every used stage up to
    it, and at last the stage's output itself; from that the network can go on.

    Parameters
    ----------
    network : StagedNetwork
        Its stages give maps, or tokens that form one.
    maps : Maps
        Which maps are used; the last is that of the last stage.
    shapes : dict of str to tuple of int
        The stages up to that one, and the shape of each one's output for one row.
    """

    layout: Layout = "packed"

    def __init__(
        self, network: StagedNetwork, maps: Maps, shapes: dict[str, tuple[int, ...]]
    ) -> None:
        super().__init__()
        self.network = network
        self.maps = maps
        self.resumes = network.resumes
        # Plain containers, so that no parameter is registered under two names.
        self.stages = {name: network.stages[name] for name in shapes}
        above = [stage for name, stage in network.stages.items() if name not in shapes]
        self.unused = [*above, *network.unused]
        self._shapes = shapes

    def forward(
        self, inputs: Any, until: str = POOLED, cached: CachedActivation | None = None
    ) -> torch.Tensor:
        """Return the packed output of a stage; "pooled" is that of the last."""
        names = list(self.stages)
        end = names.index(names[-1] if until == POOLED else until)
        parts, below = self._resumed(cached)
        start = 0 if below is None else names.index(below.stage) + 1
        wanted = [n for n in names[start : end + 1] if n in self.maps.names or n == names[end]]
        for name, output in self.network.outputs(inputs, wanted, below):
            if name in self.maps.names:
                parts.append(at_level(output, "place", self.network).flatten(1))
        if names[end] != names[-1]:  # of the last stage nothing but its map is needed
            parts.append(output.flatten(1))
        return torch.cat(parts, 1)

    def _resumed(
        self, cached: CachedActivation | None
    ) -> tuple[list[torch.Tensor], CachedActivation | None]:
        """Return the maps in a packed output, and the stage's output at its end."""
        if cached is None:
            return [], None
        names = list(self.stages)
        at = names.index(cached.stage)
        used = sum(name in names[: at + 1] for name in self.maps.names)
        sizes = [prod(shape) for shape in self.maps.shapes[:used]]
        *maps, last = cached.activation.split([*sizes, prod(self._shapes[cached.stage])], 1)
        output = last.unflatten(1, self._shapes[cached.stage])
        if output.ndim == 4 and self.network.layout == "NCHW":
            output = output.contiguous(memory_format=torch.channels_last)
        return maps, CachedActivation(cached.stage, output)

    @property
    def inner(self) -> StagedNetwork:
        """The network of whole rows."""
        return self.network

    def extra_repr(self) -> str:
        """Show the stages whose maps are used."""
        return f"maps={list(self.maps.names)}"


def unpacked(packed: torch.Tensor, shapes: Iterable[Sequence[int]]) -> list[torch.Tensor]:
    """Return the maps (n, height, width, channels) in packed rows (n, d)."""
    shapes = list(shapes)
    ends = list(accumulate(prod(shape) for shape in shapes))
    parts = zip([0, *ends], ends, shapes, strict=False)
    return [packed[:, start:end].unflatten(1, tuple(shape)) for start, end, shape in parts]


def map_backbone(backbone: Backbone, recipe: Recipe) -> Backbone:
    """Return the backbone that gives packed maps instead of rows; one is made per recipe.

    Parameters
    ----------
    backbone : Backbone
        Of images.
    recipe : Recipe
        By which images are prepared, with an attribute `size`.
    """
    if isinstance(backbone.network, MapNetwork):
        return backbone
    made = _MADE.setdefault(backbone, {})
    if recipe not in made:
        shapes = {name: backbone.shape(name, recipe) for name in backbone.stages}
        size: tuple[int, int] = recipe.size  # type: ignore[attr-defined]
        maps = _chosen(_map_shapes(backbone, shapes, size), size)
        used = backbone.stages[: backbone.stages.index(maps.names[-1]) + 1]
        network = MapNetwork(backbone.network, maps, {name: shapes[name] for name in used})
        # Without a blueprint: its source builds the network of rows.
        made[recipe] = replace(backbone, network=network, recipe=recipe, blueprint=None)
    return made[recipe]


def _map_shapes(
    backbone: Backbone, shapes: dict[str, tuple[int, ...]], size: tuple[int, int]
) -> dict[str, tuple[int, int, int]]:
    """Return height, width and channels of each stage that has a map."""
    found: dict[str, tuple[int, int, int]] = {}
    for name, shape in shapes.items():
        if len(shape) == 2 and size[0] != size[1]:  # tokens of which the rows are unknown
            continue
        output = torch.empty(1, *shape, device="meta")
        try:
            height, width, channels = at_level(output, "place", backbone.network).shape[1:]
        except BackboneError:
            continue
        if (height, width) != (1, 1):
            found[name] = height, width, channels
    if not found:
        raise BackboneError(
            f"No stage of {backbone.name!r} gives a map of an image; their outputs for one image "
            f"have the shapes {sorted(set(shapes.values()))}. Choose a convolutional network or a "
            "vision transformer, the latter with a square image_size."
        )
    return found


def _chosen(shapes: dict[str, tuple[int, int, int]], size: tuple[int, int]) -> Maps:
    """Return the last map of each size that is coarse enough."""
    coarse = {n: s for n, s in shapes.items() if s[0] * _FINEST <= size[0]} or shapes
    by_size = {shape[:2]: name for name, shape in coarse.items()}
    names = list(by_size.values())
    if len(names) == 1:
        step = max(1, len(coarse) // _OF_ONE_SIZE)
        names = list(coarse)[::-step][:_OF_ONE_SIZE][::-1]
    return Maps(tuple(names), tuple(shapes[name] for name in names))
