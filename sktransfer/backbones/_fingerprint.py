"""Fingerprints of networks: equal only where features are equal.

A fingerprint is a digest of the recipe, the ``state_dict`` and, for each submodule, of

- weights and buffers: name, dtype, shape and bytes;
- the qualified name of its class, its ``extra_repr`` and its attributes;
- its hooks, and methods that were replaced on the instance;
- classes and functions of the user's own (of no installed library): their compiled code, defaults,
  closures and attributes, and those globals of the user's that the code names. This reads code
  objects, not ``inspect.getsource``, which reads the file as it is now and not as it was imported,
  returns the same line for two lambdas on it, and skips decorators.

Values are described by content, never by address, so that processes and machines agree. Versions
of torch, torchvision, timm and transformers are part of the key of the cache; of another library
the version is part of the fingerprint.

Not seen: methods that were replaced on a class of a library; global hooks; names that code looks up
in other ways than as a global (``getattr``, imports inside of functions); what compiled code of the
user's does; files, environment variables and other state that a forward pass reads.
"""

from __future__ import annotations

import copyreg
import functools
import pickle
import sys
import sysconfig
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
import xxhash
from torch import nn

from sktransfer.modalities import Recipe

# Their versions are part of the cache's key, or belong to the engine.
_KNOWN_LIBRARIES = frozenset({"sktransfer", "timm", "torch", "torchvision", "transformers"})

# Attributes of library modules that do not change features, and those that all modules have.
_STATES = frozenset({"training", "name_or_path", "grad_checkpointing", "gradient_checkpointing"})
_COMMON = frozenset(vars(nn.Module()))

_SCALARS = frozenset(map(type, (None, True, 0, 0.0, 0j, "", b"", ..., NotImplemented)))
_SCALARS |= {torch.dtype, torch.device, torch.layout, torch.memory_format}
_SETTINGS = (*_SCALARS, FunctionType, BuiltinFunctionType, MethodType, functools.partial)
_SETTINGS += (torch.Tensor, np.ndarray, np.generic)
_CODE = (
    *("code", "consts", "names", "varnames", "freevars", "cellvars", "exceptiontable", "flags"),
    *("argcount", "posonlyargcount", "kwonlyargcount"),
)
_WRAPPERS = (MethodType, classmethod, staticmethod, property, type(functools.lru_cache(len)))
_WRAPPED = ("__func__", "__self__", "fget", "__wrapped__")

_nonces: dict[int, tuple[Any, str]] = {}


def fingerprint(network: nn.Module, recipe: Recipe | None) -> str:
    """Return a digest of architecture, weights and recipe: 32 hexadecimal digits.

    What cannot be described makes the fingerprint unique to the object: computing a row twice
    costs time, a row of another network would be wrong.
    """
    try:
        # The state is more than the modules' tensors where these are quantized, for one.
        return _Describer()([network, network.state_dict(keep_vars=True), repr(recipe)])
    except Exception:  # nested too deep, or a state_dict of the user's that fails
        return _nonce(network)


class _Describer:
    """Digests of values; each object is visited once."""

    def __init__(self) -> None:
        # Keeps the values, since an address identifies an object only while it lives.
        self._done: dict[int, tuple[Any, str]] = {}
        self._open: list[int] = []

    def __call__(self, value: Any) -> str:
        kind = type(value)
        if kind in (bytes, memoryview):
            return _digest(value)
        if kind in _SCALARS:
            return f"{kind.__name__} {value}"
        if id(value) in self._open:
            return f"cycle {len(self._open) - self._open.index(id(value))}"
        if id(value) not in self._done:
            self._open.append(id(value))
            try:
                digests = [self(part) for part in _parts(value)]
                # Sets have no order, and their iteration differs by process.
                digests = sorted(digests) if isinstance(value, set | frozenset) else digests
                self._done[id(value)] = value, _digest(kind.__name__, *digests)
            except RecursionError:
                raise
            except Exception:  # whatever the object's own code raises
                self._done[id(value)] = value, _nonce(value)
            finally:
                self._open.pop()
        return self._done[id(value)][1]


def _parts(value: Any) -> Iterable[Any]:
    """Return the values that a value consists of.

    Raises
    ------
    Exception
        If it cannot be described.
    """
    kind = type(value)
    if kind in (tuple, list, set, frozenset):
        return value
    if kind in (dict, OrderedDict):
        return [part for pair in value.items() for part in pair]
    if kind in _WRAPPERS:
        return [getattr(value, name, None) for name in _WRAPPED]
    if isinstance(value, nn.Module):
        return _parts_of_module(value)
    if isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_quantized:
        return _parts_of_tensor(value)
    if isinstance(value, ModuleType) and _is_library(value.__name__):
        return _name(value.__name__)
    if isinstance(value, type | FunctionType):
        # A function's module is not its __module__, which decorators copy.
        scope = getattr(value, "__globals__", {"__name__": value.__module__})
        home = scope.get("__name__") or ""
        if _has(home, value):
            return _name(home, value.__qualname__)
        is_class = isinstance(value, type)
        return _parts_of_class(value) if is_class else _parts_of_function(value, home)
    if isinstance(value, CodeType):
        return [getattr(value, f"co_{name}") for name in _CODE]
    return _parts_of_object(value)


def _parts_of_tensor(tensor: torch.Tensor) -> Iterable[Any]:
    # NumPy has no bfloat16, hence the view as bytes.
    flat = tensor.detach().cpu().contiguous().flatten()
    content = flat.view(torch.uint8).numpy().data if flat.numel() else b""
    return [tensor.dtype, tuple(tensor.shape), content]


def _parts_of_module(module: nn.Module) -> Iterable[Any]:
    if isinstance(module, torch.jit.ScriptModule):
        return [module.save_to_buffer()]
    kind = type(module)
    known = _package(kind.__module__) in _KNOWN_LIBRARIES
    settings = {
        name: value
        for name, value in sorted(vars(module).items())
        if name not in _COMMON and (not known or _matters(kind, name, value))
    }
    shown = module.extra_repr() if known else ""
    hooks = [list(module._forward_pre_hooks.values()), list(module._forward_hooks.values())]
    return [kind, shown, settings, hooks, module._parameters, module._buffers, module._modules]


def _matters(kind: type, name: str, value: Any) -> bool:
    """Return whether an attribute of a library's module is a setting, or replaces a method."""
    if callable(getattr(kind, name, None)):
        return True
    return name not in _STATES and not name.startswith("_") and _is_setting(value)


def _is_setting(value: Any) -> bool:
    return (
        all(map(_is_setting, value))
        if isinstance(value, tuple | list)
        else isinstance(value, _SETTINGS)
    )


def _parts_of_function(function: Any, home: str) -> Iterable[Any]:
    scope = function.__globals__
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    defaults = (function.__defaults__, function.__kwdefaults__)
    names = set() if _is_library(home) else set(_names_in(function.__code__))
    used = dict(_named_values(scope, names))
    return [function.__code__, defaults, cells, vars(function), used]


def _parts_of_class(kind: Any) -> Iterable[Any]:
    # Special names that are no methods differ by version of Python, and `_abc_impl` by process.
    members = {
        name: member
        for name, member in sorted(vars(kind).items())
        if isinstance(member, FunctionType) or not name.startswith(("__", "_abc_impl"))
    }
    return [f"{kind.__module__}.{kind.__qualname__}", type(kind), kind.__bases__, members]


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _named_values(scope: Mapping[str, Any], names: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield the values of these names; of a module of the user's, those that it has in turn."""
    for name in sorted(names & scope.keys()):
        value = scope[name]
        if isinstance(value, ModuleType) and not _is_library(value.__name__):
            value = dict(_named_values(vars(value), names - {name}))
        yield name, value


def _parts_of_object(value: Any) -> Iterable[Any]:
    """Describe an object by what a pickle of it holds, and one of the user's by all its state."""
    kind = type(value)
    if kind is object:
        raise TypeError("It has no content, only an identity.")
    reduce = copyreg.dispatch_table.get(kind)
    reduced = reduce(value) if reduce else value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return _name(pickle.whichmodule(value, reduced), reduced)  # type: ignore[attr-defined]
    make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    own = None if _is_library(kind.__module__) else object.__getstate__(value)
    return [kind, make, arguments, state, tuple(items or ()), tuple(pairs or ()), own]


def _name(module: str, qualname: str = "") -> list[str]:
    package = _package(module)
    if package == "sktransfer":  # whose classes may move from file to file
        return [package, qualname]
    version = getattr(sys.modules.get(package), "__version__", "")
    return [module, qualname, "" if package in _KNOWN_LIBRARIES else str(version)]


def _has(module: str, value: Any) -> bool:
    """Return whether a module of a library has a class or function under its own name."""
    found: Any = sys.modules.get(module) if _is_library(module) else None
    for step in value.__qualname__.split("."):
        found = getattr(found, step, None)
    return found is value


def _package(module: str) -> str:
    return module.partition(".")[0]


@functools.cache
def _is_library(module: str) -> bool:
    package = _package(module)
    file = getattr(sys.modules.get(package), "__file__", None)
    if package in _KNOWN_LIBRARIES or file is None:
        return package in _KNOWN_LIBRARIES | sys.stdlib_module_names
    if package == "__main__":  # in a notebook, its file is that of the program that runs it
        return False
    standard = Path(file).is_relative_to(sysconfig.get_path("stdlib"))
    return standard or not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


def _nonce(value: Any) -> str:
    """Return what no other object has, and the same each time for this one."""
    address = id(value)
    if address not in _nonces:
        kept = value
        # An address identifies an object only while it lives.
        with suppress(TypeError):  # an object without weak references is kept alive
            kept = weakref.ref(value, lambda _: _nonces.pop(address, None))
        _nonces[address] = kept, uuid.uuid4().hex
    return _nonces[address][1]


def _digest(*parts: Any) -> str:
    """Digest strings and buffers, each with its length, so that no two sequences run together."""
    hasher = xxhash.xxh3_128()
    for part in parts:
        content = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        hasher.update(memoryview(content).nbytes.to_bytes(8, "little"))
        hasher.update(content)
    return hasher.hexdigest()


def digest_of_files(folder: Path, endings: Collection[str]) -> str:
    """Return a digest of the names and the content of the files in a folder.

    Parameters
    ----------
    folder : Path
        Its subfolders are left out.
    endings : collection of str
        Endings of the names of files that count.
    """
    hasher = xxhash.xxh3_128()
    for file in sorted(folder.iterdir()):
        if file.suffix in endings and file.is_file():
            hasher.update(file.name.encode())
            hasher.update(file.stat().st_size.to_bytes(8, "little"))
            with file.open("rb") as content:
                while block := content.read(1 << 22):
                    hasher.update(block)
    return hasher.hexdigest()
