"""A transformers model as a chain of stages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
import xxhash
from torch import nn

from sktransfer._warnings import warnings_ignored
from sktransfer.backbones._network import POOLED, CachedActivation, Layout, StagedNetwork, pool
from sktransfer.backbones.huggingface._families import Family
from sktransfer.exceptions import BackboneError
from sktransfer.modalities import SAMPLES, mask_of


@dataclass(frozen=True)
class _Pass:
    """Settings of the running forward pass.

    Attributes
    ----------
    wanted : str
        Stage at which it ends.
    skipped : int
        Number of layers that are skipped, because the output of the last of them is known.
    cached : Tensor or None
        That output.
    samples : Tensor of shape (n,) or None
        Of sounds: number of samples of each row.
    reached : list of Tensor
        The output of the stage `wanted`, once it is known.
    """

    wanted: str = POOLED
    skipped: int = 0
    cached: torch.Tensor | None = None
    samples: torch.Tensor | None = None
    reached: list[torch.Tensor] = field(default_factory=list)


# Each thread and each task has a value of its own, so that they can share one network.
_PASS: ContextVar[_Pass] = ContextVar("sktransfer_pass", default=_Pass())  # noqa: B039 - frozen
running_pass = _PASS.get

# Fields of a config that do not change features.
_NAMES = {
    "_name_or_path",
    "architectures",
    "dtype",
    "id2label",
    "label2id",
    "transformers_version",
    "use_cache",
}


class _Reached(Exception):  # noqa: N818 - not an error: ends a forward pass early
    pass


class _Layer(nn.Module):
    """A layer at which a forward pass can end, or which it can skip.

    Parameters
    ----------
    layer : nn.Module
        The layer itself.
    number : int
        Number of layers before it.
    before : str
        The stage whose output is its input.
    tuples : bool
        Whether the layer returns a tuple.
    """

    def __init__(self, layer: nn.Module, number: int, before: str, tuples: bool) -> None:
        super().__init__()
        self.layer = layer
        self.number = number
        self.before = before
        self.tuples = tuples

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the layer, on the cached activation if there is one."""
        now = _PASS.get()
        hidden = args[0] if args else kwargs.pop("hidden_states")
        if self.number < now.skipped:
            return (hidden, None) if self.tuples else hidden
        if self.number == now.skipped and now.cached is not None:
            hidden = now.cached
        if now.wanted == self.before:
            now.reached.append(hidden)
            if not torch.compiler.is_exporting():  # which does not follow exceptions
                raise _Reached
        return self.layer(hidden, *args[1:], **kwargs)

    def __getattr__(self, name: str) -> Any:
        # Models read attributes of their layers.
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)


class SentenceNetwork(StagedNetwork):
    """Base class of networks whose token vectors become one vector per text.

    Parameters
    ----------
    pooling : str
        Pooling of the tokens, as for `pool`.
    normalize : bool
        Whether that vector is scaled to unit length.
    steps : nn.Sequential, optional
        Layers between pooling and scaling.
    truncate : int, optional
        Number of leading features that are kept of the result.
    """

    layout: Layout = "NLC"

    def __init__(
        self,
        *,
        pooling: str = "mean",
        normalize: bool = False,
        steps: nn.Sequential | None = None,
        truncate: int | None = None,
    ) -> None:
        super().__init__()
        self.steps: nn.Sequential | None = steps
        self.pooling = pooling
        self.normalize = normalize
        self.truncate = truncate

    def pooled(self, tokens: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return the features (n, d) of token vectors (n, tokens, d), or of pooled ones (n, d)."""
        features = pool(tokens, self.pooling, self, mask)
        if self.steps is not None:
            features = self.steps(features)
        features = nn.functional.normalize(features, dim=1) if self.normalize else features
        return features[:, : self.truncate]


class HuggingFaceNetwork(SentenceNetwork):
    """A transformers model: "embeddings", then one stage a layer.

    The output of a stage is the input of the next; that of the last is the model's
    ``last_hidden_state``, behind its final normalisation where it has one. A forward pass ends at
    the stage `until`.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The model without a head. Its layers are wrapped.
    family : Family
        Structure of the model.
    reader : nn.Module, optional
        Turns network inputs into the arguments of the model.
    **how
        As for `SentenceNetwork`.
    """

    def __init__(
        self, model: Any, family: Family, *, reader: nn.Module | None = None, **how: Any
    ) -> None:
        super().__init__(**how)
        self.model = model
        self.reader = reader
        # The keys and values of earlier tokens are for generating texts.
        model.config.use_cache = False
        self.kind = family.pooled
        self.layout = family.layout
        registers = getattr(model.config, "num_register_tokens", 0) or 0
        self.prefix_tokens = family.prefix_tokens + registers if family.prefix_tokens else 0
        self.resumes = family.resumes
        layers, beside = _parts(model, family.layers)
        # A plain dict, so that no parameter is registered under two names.
        self.stages = _stages(layers, beside, family)
        for number, (stage, layer) in enumerate(zip(self.stages, list(layers), strict=False)):
            layers[number] = _Layer(layer, number, stage, family.tuples)

    @property
    def pools(self) -> bool:
        """Whether "pooled" can be computed from the cached output of the last stage."""
        return self.kind != "pooler"

    @property
    def token_embeddings(self) -> nn.Embedding | None:
        """The word embeddings; None of a model for images."""
        found = self.model.get_input_embeddings()
        return found if isinstance(found, nn.Embedding) else None

    def forward(
        self, inputs: Any, until: str = POOLED, cached: CachedActivation | None = None
    ) -> torch.Tensor:
        """Run the model as far as stage `until`; "pooled" gives (n, d)."""
        if cached and cached.stage == list(self.stages)[-1] and self.pools:
            return self._features(cached.activation, inputs)
        skipped = list(self.stages).index(cached.stage) if cached else 0
        samples = inputs.get(SAMPLES) if isinstance(inputs, Mapping) else None
        now = _Pass(until, skipped, cached.activation if cached else None, samples)
        token = _PASS.set(now)
        try:
            with suppress(_Reached):
                output = self._run(inputs)
        finally:
            _PASS.reset(token)
        if now.reached:
            mask = mask_of(inputs)
            # Some models pad their texts.
            return now.reached[0] if mask is None else now.reached[0][:, : mask.shape[1]]
        if until != POOLED:
            return output.last_hidden_state
        if self.kind == "pooler":
            # A SigLIP without its head does not pool.
            own = output.pooler_output
            return self.pooled(output.last_hidden_state.mean(1) if own is None else own.flatten(1))
        return self._features(output.last_hidden_state, inputs)

    def _run(self, inputs: Any) -> Any:
        if self.reader is not None:
            given = self.reader(inputs)
        else:
            given = {"pixel_values": inputs} if isinstance(inputs, torch.Tensor) else inputs
        # WavLM's own choice of types, of which each layer would warn.
        with warnings_ignored(UserWarning, message="Support for mismatched key_padding_mask"):
            return self.model(**given, return_dict=True)

    def _features(self, tokens: torch.Tensor, inputs: Any) -> torch.Tensor:
        return tokens[:, 0] if self.kind == "cls" else self.pooled(tokens, mask_of(inputs))

    def extra_repr(self) -> str:
        """Show settings that are not in the modules, such as the number of attention heads."""
        config = self.model.config.to_diff_dict()
        kept = {name: value for name, value in config.items() if name not in _NAMES}
        content = json.dumps(kept, sort_keys=True, default=str)
        digest = xxhash.xxh3_64_hexdigest(content.encode())
        return f"kind={self.kind}, prefix_tokens={self.prefix_tokens}, config={digest}"


def unwrapped(model: Any) -> Any:
    """Return a model whose layers `HuggingFaceNetwork` has wrapped as it was before."""
    for name, module in list(model.named_modules()):
        if isinstance(module, _Layer):
            model.set_submodule(name, module.layer)
    return model


def number_of_layers(config: Any) -> int:
    """Return the number of layers that a config asks for, in all of its stages."""
    return sum(config.depths) if hasattr(config, "depths") else config.num_hidden_layers


def _parts(model: Any, place: str = "") -> tuple[nn.ModuleList, dict[str, nn.Module]]:
    """Return the list of layers, which may be known to be at a place, and what is beside it."""
    if place:
        return model.get_submodule(place), _beside(model, place.split("."))
    config = model.config
    # An ALBERT runs each of few layers several times.
    counts = (len(getattr(config, "depths", ())), getattr(config, "num_hidden_groups", 0))
    count = max(counts) or config.num_hidden_layers
    for path, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count > 0:
            return module, _beside(model, path.split("."))
    raise BackboneError(f"The layers of {type(model).__name__} were not found.")


def _beside(model: nn.Module, path: list[str]) -> dict[str, nn.Module]:
    found: dict[str, nn.Module] = {}
    for step in path:
        found |= {name: child for name, child in model.named_children() if name != step}
        model = model.get_submodule(step)
    return found


def _stages(
    layers: nn.ModuleList, beside: dict[str, nn.Module], family: Family
) -> dict[str, nn.Module]:
    def of(names: tuple[str, ...]) -> list[nn.Module]:
        return [beside[name] for name in names if name in beside]

    bodies = [[layer] for layer in layers]
    bodies[0] += of(family.first)
    bodies[-1] += of(family.last)
    elsewhere = {*family.first, *family.last, *family.top}
    stages = {"embeddings": [m for name, m in beside.items() if name not in elsewhere]}
    stages |= {f"{family.word}{number}": body for number, body in enumerate(bodies, start=1)}
    return {name: m[0] if len(m) == 1 else nn.ModuleList(m) for name, m in stages.items()}
