"""One pretrained network with everything needed to use it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any

import torch

from sktransfer._forks import released_at_fork
from sktransfer._runtime import undisturbed
from sktransfer.backbones._fingerprint import fingerprint
from sktransfer.backbones._fusion import fused
from sktransfer.backbones._network import POOLED, Level, StagedNetwork, at_level, pool
from sktransfer.backbones._weights import described
from sktransfer.exceptions import BackboneError
from sktransfer.modalities import Recipe, mask_of, tensors_of

POOLINGS = ("default", "mean", "max", "mean+std", "cls", "flatten")

# For the copies of all backbones.
_lock = released_at_fork(threading.RLock())


@dataclass(eq=False, repr=False)
class Backbone:
    """A pretrained network as an ordered chain of named stages, with its recipe.

    It is shared by all estimators of a process and therefore never changed: the network is in
    eval mode and requires no gradients.

    Parameters
    ----------
    name : str
        Name by which users request it.
    source : str
        Where it comes from: "bundled", "torchvision", "timm", "huggingface" or "module".
    network : StagedNetwork
        The stages and their pooling to features.
    recipe : Recipe
        How cells are prepared.
    of_user : bool
        Whether it contains a module of the user's, which may have hooks or keep state between
        calls. It is then run as it is, by one thread at a time.
    licence : str
        Of the weights, as its source states it.
    library : str
        Name and version of the library whose code runs the network.
    processor : object, optional
        What the modality needs besides the recipe, such as a tokenizer.
    blueprint : mapping, optional
        What its source's `original` needs to build the network again, without weights, as plain
        JSON. Without one, the backbone cannot be packed into a file.

    Attributes
    ----------
    fingerprint : str
        Digest of architecture, weights and recipe, 32 hexadecimal digits.
    """

    name: str
    _: KW_ONLY
    source: str
    network: StagedNetwork
    recipe: Recipe
    of_user: bool = False
    licence: str = "unknown"
    library: str = ""
    processor: Any = None
    blueprint: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        self.of_user = self.of_user or self.source == "module"
        # float32, whatever torch's default was when the network was built.
        self.network.to(torch.float32).eval().requires_grad_(False)
        if self.recipe.channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.fingerprint = fingerprint(self.network, self.recipe)
        self._fused: StagedNetwork | None = None
        self._copies: dict[tuple[StagedNetwork, torch.device], StagedNetwork] = {}
        self._shapes: dict[Any, tuple[int, ...]] = {}

    @property
    def modality(self) -> str:
        """Name of the modality of its cells."""
        return self.recipe.modality

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(self.network.stages)

    @property
    def n_parameters(self) -> int:
        """Number of weights, without those of a classifier."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def feature_size(self) -> int:
        """Length of the pooled feature vector."""
        return self.width()

    def extract(
        self, inputs: Any, *, layer: str | int = POOLED, pooling: str = "default"
    ) -> torch.Tensor:
        """Return one feature vector per row.

        Parameters
        ----------
        inputs : Tensor or mapping of str to Tensor
            Network inputs, such as scaled images (n, 3, H, W), or ``input_ids`` and
            ``attention_mask`` (n, tokens). The network runs on their device.
        layer : str or int
            "pooled", the name of a stage, or its index.
        pooling : {"default", "mean", "max", "cls", "flatten"}
            How a stage's output becomes one vector; "default" is the backbone's own.

        Returns
        -------
        Tensor of shape (n, d), float32
        """
        network = self.fast(tensors_of(inputs)[0].device)
        return self._through(network, inputs, self.resolve(layer), pooling)

    def extract_layers(
        self, inputs: Any, layers: Iterable[str | int], *, pooling: str = "default"
    ) -> Iterator[torch.Tensor]:
        """Yield what `extract` gives for several layers, from one pass if the network resumes.

        Parameters
        ----------
        inputs, pooling
            As for `extract`.
        layers : iterable of str or int
            From below, and at last "pooled".

        Yields
        ------
        Tensor of shape (n, d), float32
            To be used before the next one: it may share memory with the network's activation.
        """
        network = self.fast(tensors_of(inputs)[0].device)
        ends = [self._end(self.resolve(layer), pooling) for layer in layers]
        for end, output in network.outputs(inputs, dict.fromkeys(ends)):
            features = self._pooled(output.float(), end, pooling, inputs)
            yield from [features] * ends.count(end)

    def _through(
        self, network: StagedNetwork, inputs: Any, layer: str, pooling: str | None
    ) -> torch.Tensor:
        end = self._end(layer, pooling)
        return self._pooled(network(inputs, until=end).float(), end, pooling, inputs)

    def _end(self, layer: str, pooling: str | None) -> str:
        """Return the output of the network that a layer's features are computed from."""
        if pooling not in (*POOLINGS, None):
            raise BackboneError(f"pooling={pooling!r} is none of {', '.join(POOLINGS)}.")
        is_own = layer != POOLED or pooling in ("default", None)
        return layer if is_own else self.stages[-1]

    def _pooled(
        self, output: torch.Tensor, end: str, pooling: str | None, inputs: Any
    ) -> torch.Tensor:
        if pooling is None or end == POOLED:
            return output
        network = self.network
        if pooling == "default":
            has_class_token = network.layout == "NLC" and network.prefix_tokens > 0
            pooling = self.recipe.pooling or ("cls" if has_class_token else "mean")
        return pool(output, pooling, network, mask_of(inputs))

    def width(
        self, layer: str | int = POOLED, pooling: str = "default", recipe: Recipe | None = None
    ) -> int:
        """Return the length of the vectors that `extract` gives, found by trying it once.

        Parameters
        ----------
        layer, pooling
            As for `extract`.
        recipe : Recipe, optional
            By which cells are prepared; the backbone's own by default.
        """
        return self._tried(layer, pooling, recipe)[0]

    def feature_width(self, level: Level, recipe: Recipe | None = None) -> int:
        """Return the length of the features of a row, a token or a place."""
        if level == "row":
            return self.width(recipe=recipe)
        last = torch.empty(0, *self.shape(self.stages[-1], recipe))
        return at_level(last, level, self.network).shape[-1]

    def shape(self, layer: str | int, recipe: Recipe | None = None) -> tuple[int, ...]:
        """Return the shape of a layer's output for one blank row, before any pooling.

        Where rows have variable length, the first number is the length of a blank one.
        """
        return self._tried(layer, None, recipe)

    def resolve(self, layer: str | int) -> str:
        """Return the name that `layer` means: "pooled" or one of `stages`."""
        if isinstance(layer, str) and layer in (POOLED, *self.stages):
            return layer
        is_index = isinstance(layer, Integral) and not isinstance(layer, bool)
        if is_index and -len(self.stages) <= int(layer) < len(self.stages):
            return self.stages[int(layer)]
        raise BackboneError(
            f"{self.name} has no layer {layer!r}. It has 'pooled' and, in this order: "
            f"{', '.join(self.stages)} (or their indices 0 to {len(self.stages) - 1})."
        )

    def on(self, device: torch.device) -> StagedNetwork:
        """Return the network on a device; one copy per device is made and kept."""
        return self._copy(self.network, device)

    def fast(self, device: torch.device) -> StagedNetwork:
        """Return an equivalent network of fewer operations, for inference only.

        Its features differ from the plain network's by rounding, about 1e-6 of the largest. A
        module of the user's stays as it is, because it may have hooks.
        """
        if self.of_user or device.type == "meta":
            return self.on(device)
        if self._fused is None:
            with _lock, torch.inference_mode(False), torch.no_grad(), undisturbed():
                self._fused = self._fused or fused(self.network, self.recipe)
        return self._copy(self._fused, device)

    def _copy(self, network: StagedNetwork, device: torch.device) -> StagedNetwork:
        if device.type in ("cpu", "meta"):
            return network
        # Weights made in inference mode could never take part in a gradient.
        with _lock, torch.inference_mode(False):
            if (network, device) not in self._copies:
                self._copies[network, device] = copy.deepcopy(network).to(device)
            return self._copies[network, device]

    def _tried(
        self, layer: str | int, pooling: str | None, recipe: Recipe | None
    ) -> tuple[int, ...]:
        """Return the shape per row of the output for blank inputs, computed once."""
        layer, recipe = self.resolve(layer), recipe or self.recipe
        key = (recipe, layer, pooling)
        # An empty batch costs nothing, but some networks cannot reshape one.
        for rows in (0, 1):
            try:
                if key not in self._shapes:
                    with torch.inference_mode(), undisturbed():
                        output = self._through(self.network, recipe.blank(rows), layer, pooling)
                    self._shapes[key] = tuple(output.shape[1:])
                return self._shapes[key]
            except BackboneError:
                raise
            except Exception as error:  # whatever a network raises
                reason = error
        raise BackboneError(
            f"{self.name!r} gives no features at layer={layer!r}, {recipe.describe()}: "
            f"{described(reason)}. The size may be one that it does not take."
        ) from reason

    def __repr__(self) -> str:
        """Return name, source and number of stages."""
        return f"Backbone({self.name!r}, source={self.source!r}, stages={len(self.stages)})"
