"""One pretrained network with everything that is needed to use it rightly."""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import torch

from sktransfer._forks import in_a_forked_child
from sktransfer._runtime import undisturbed
from sktransfer.backbones._fingerprint import fingerprint
from sktransfer.backbones._fusion import fused
from sktransfer.backbones._network import POOLED, StagedNetwork, pool
from sktransfer.backbones._recipe import ImageRecipe, TextRecipe
from sktransfer.exceptions import BackboneError

POOLINGS = ("default", "mean", "max", "cls", "flatten")

_alive: weakref.WeakSet[Backbone] = weakref.WeakSet()


class Backbone:
    """A pretrained network as an ordered chain of named stages, and how to feed it.

    It is shared by all estimators of a process and therefore never changed: the network
    is in eval mode and wants no gradients.

    Parameters
    ----------
    name : str
        As users write it.
    source : str
        Where it comes from: "bundled", "torchvision", "timm", "huggingface" or "module".
    of_user : bool
        Whether a module of the user's is in it: it may have hooks, or keep something between its
        calls. So it is run as it is, and by one thread at a time.
    network : StagedNetwork
        The stages and their pooling to features.
    recipe : ImageRecipe or TextRecipe
        What a cell must become first.
    licence : str
        Of the weights, as its source states it.
    library : str
        Name and version of the library whose code runs the network.
    tokenizer : object, optional
        Texts only: see `TextTokenizer`.
    feature_size : int, optional
        Length of the pooled features, where the source knows it; otherwise it is tried out.
    blueprint : mapping, optional
        What its source's `rebuild` needs to build the network again, weights left out: plain
        JSON. Without one, it cannot be packed into a file.

    Attributes
    ----------
    fingerprint : str
        Digest of architecture, weights and recipe, 32 hexadecimal digits.
    """

    def __init__(
        self,
        name: str,
        *,
        source: str,
        of_user: bool = False,
        network: StagedNetwork,
        recipe: ImageRecipe | TextRecipe,
        licence: str = "unknown",
        library: str = "",
        tokenizer: Any = None,
        feature_size: int | None = None,
        blueprint: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.of_user = of_user or source == "module"
        self.recipe = recipe
        self.licence = licence
        self.library = library
        self.tokenizer = tokenizer
        self.blueprint = blueprint
        # float32 whatever torch's default was when the network was built.
        self.network = network.to(torch.float32).eval().requires_grad_(False)
        if self.modality == "image":
            self.network.to(memory_format=torch.channels_last)
        self.fingerprint = fingerprint(self.network, recipe)
        self._copies: dict[torch.device, StagedNetwork] = {torch.device("cpu"): self.network}
        self._fast: dict[torch.device, StagedNetwork] = {}
        self._widths: dict[Any, int] = {}
        self._shapes: dict[Any, tuple[int, ...]] = {}
        if feature_size is not None:
            self._widths[POOLED, "default", None] = feature_size
        self._lock = threading.RLock()
        _alive.add(self)

    @property
    def modality(self) -> str:
        """Either "image" or "text"."""
        return "image" if isinstance(self.recipe, ImageRecipe) else "text"

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(self.network.stages)

    @property
    def n_parameters(self) -> int:
        """Number of weights, those of the classifier left out."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def feature_size(self) -> int:
        """Length of the pooled feature vector."""
        return self.width()

    def extract(
        self,
        inputs: Any,
        *,
        layer: str | int = POOLED,
        pooling: str = "default",
    ) -> torch.Tensor:
        """Return one feature vector a row.

        Parameters
        ----------
        inputs : Tensor or mapping of str to Tensor
            Scaled images (n, 3, H, W), or ``input_ids`` and ``attention_mask`` (n, tokens).
            They say on which device the work is done.
        layer : str or int
            "pooled", the name of a stage, or its index.
        pooling : {"default", "mean", "max", "cls", "flatten"}
            How a stage's output becomes one vector; "default" is the backbone's own way.

        Returns
        -------
        Tensor of shape (n, d), float32
        """
        device = (inputs if self.modality == "image" else inputs["attention_mask"]).device
        return self._through(self.fast(device), inputs, layer, pooling)

    def _through(
        self, network: StagedNetwork, inputs: Any, layer: str | int, pooling: str
    ) -> torch.Tensor:
        mask = None if self.modality == "image" else inputs["attention_mask"]
        layer = self.resolve(layer)
        pooling = self._pooling(layer, pooling)
        if layer == POOLED and pooling == "own":
            return network(inputs).float()
        until = self.stages[-1] if layer == POOLED else layer
        activation = network(inputs, until=until).float()
        return pool(
            activation,
            pooling,
            layout=network.layout,
            prefix_tokens=network.prefix_tokens,
            mask=mask,
        )

    def width(
        self,
        layer: str | int = POOLED,
        pooling: str = "default",
        image_size: int | tuple[int, int] | None = None,
    ) -> int:
        """Return the length of the vectors that `extract` gives, found by trying it once."""
        if isinstance(self.recipe, ImageRecipe) and self.recipe.at(image_size) == self.recipe:
            image_size = None
        key = (self.resolve(layer), pooling, image_size)
        if key not in self._widths:
            self._widths[key] = self._try_width(*key)
        return self._widths[key]

    def shape(
        self, layer: str | int, image_size: int | tuple[int, int] | None = None
    ) -> tuple[int, ...]:
        """Return the shape of what a layer gives for one row, before any pooling.

        For a stage of a text the first number is that of its tokens, here 2.
        """
        layer = self.resolve(layer)
        if layer == POOLED:
            return (self.width(image_size=image_size),)
        key = (layer, image_size)
        if key not in self._shapes:
            with torch.inference_mode(), undisturbed():
                blank = self._blank(1, image_size)
                self._shapes[key] = tuple(self.network(blank, until=layer).shape[1:])
        return self._shapes[key]

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
        """Return the network on a device; a copy is made once a device and kept."""
        if device.type == "meta":
            return self.network
        with self._lock:
            if device not in self._copies:
                # Made in inference mode, its weights could never take part in a gradient.
                with torch.inference_mode(False):
                    self._copies[device] = copy.deepcopy(self.network).to(device)
            return self._copies[device]

    def fast(self, device: torch.device) -> StagedNetwork:
        """Return a network that gives the same with fewer steps, for inference only.

        Its features differ from those of the plain network by rounding: of the order of 1e-6
        of the largest. A module of the user's stays as it is, for it may have hooks.
        """
        if self.modality != "image" or self.of_user or device.type == "meta":
            return self.on(device)
        with self._lock:
            if device not in self._fast:
                self._fast[device] = self._made_fast(device)
            return self._fast[device]

    def _made_fast(self, device: torch.device) -> StagedNetwork:
        # Made in inference mode, weights could never take part in a gradient.
        with torch.inference_mode(False), torch.no_grad(), undisturbed():
            random = torch.Generator().manual_seed(0)
            network = fused(self.network, self._blank(1, None).normal_(generator=random))
            if network is self.network:
                return self.on(device)
            network.to(memory_format=torch.channels_last)
            return network if device.type == "cpu" else copy.deepcopy(network).to(device)

    def _pooling(self, layer: str, pooling: str) -> str:
        if pooling not in POOLINGS:
            raise BackboneError(f"pooling={pooling!r} is none of {', '.join(POOLINGS)}.")
        if pooling != "default":
            return pooling
        if layer == POOLED:
            return "own"
        if isinstance(self.recipe, TextRecipe):
            return self.recipe.pooling
        has_class_token = self.network.layout == "NLC" and self.network.prefix_tokens > 0
        return "cls" if has_class_token else "mean"

    def _try_width(self, layer: str, pooling: str, image_size: Any) -> int:
        # No row is enough to see a width, and costs nothing; but some networks reshape in a
        # way that does not take an empty batch.
        for rows in (0, 1):
            try:
                with torch.inference_mode(), undisturbed():
                    blank = self._blank(rows, image_size)
                    return self._through(self.network, blank, layer, pooling).shape[1]
            except BackboneError:
                raise
            except Exception as error:  # whatever a network throws
                reason = error
        raise BackboneError(
            f"{self.name!r} gives no features at layer={layer!r}, image_size={image_size!r}: "
            f"{reason}. The size may be too small for it."
        ) from reason

    def _blank(self, rows: int, image_size: int | tuple[int, int] | None) -> Any:
        if isinstance(self.recipe, ImageRecipe):
            return torch.zeros(rows, 3, *self.recipe.at(image_size).size, dtype=torch.float32)
        tokens = torch.zeros(rows, 2, dtype=torch.int64)
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}

    def __repr__(self) -> str:
        """Show name, source and size."""
        return f"Backbone({self.name!r}, source={self.source!r}, stages={len(self.stages)})"


@in_a_forked_child
def _start_anew() -> None:
    for backbone in _alive:
        backbone._lock = threading.RLock()
