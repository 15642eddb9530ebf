"""Digests of Python objects by what they do: values by content, code with all it refers to."""

from __future__ import annotations

import dis
import pickle
import sys
import sysconfig
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from copyreg import dispatch_table
from functools import cache, cached_property, lru_cache, partial
from importlib import metadata
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
)
from typing import Any

import numpy as np
import torch
import xxhash
from torch import nn

# Their code is told by name and version; a module of the user's is told by its code.
_KNOWN_LIBRARIES = frozenset({"sktransfer", "timm", "torch", "torchvision", "transformers"})

# Attributes of their modules that change no feature, and those that all modules have.
_STATES = frozenset({"training", "name_or_path", "grad_checkpointing", "gradient_checkpointing"})
_COMMON = frozenset(vars(nn.Module()))

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
_SCALARS = frozenset({*_PLAIN, torch.dtype, torch.device, torch.layout, torch.memory_format})
_SEQUENCES = frozenset({tuple, list, torch.Size})
_MAPPINGS = frozenset({dict, OrderedDict, MappingProxyType})
_WRAPPERS: dict[type, tuple[str, ...]] = {
    MethodType: ("__func__", "__self__"),
    cached_property: ("func", "attrname"),
    classmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    staticmethod: ("__func__",),
    type(lru_cache(len)): ("__wrapped__",),
}
# What a class has beside its code and data; how it looks may differ by process.
_OF_CLASSES = frozenset(
    f"__{name}__"
    for name in (
        *("dict", "weakref", "doc", "module", "annotations", "annotate", "annotate_func"),
        *("annotations_cache", "firstlineno", "static_attributes", "abstractmethods"),
        *("dataclass_fields", "dataclass_params", "parameters", "orig_bases"),
        "slotnames",  # written by the first copy of an instance
    )
) | {"_abc_impl"}
_HEAP_TYPE = 1 << 9  # CPython's flag of a class that was made while the program ran

_nonces: dict[int, tuple[Any, str]] = {}


class Describer:
    """Digests of values by their content, of code with all that it refers to."""

    def __init__(self) -> None:
        # With the values, because only while they live are their addresses theirs.
        self._done: dict[int, tuple[Any, str]] = {}
        self._open: list[int] = []

    def __call__(self, value: Any) -> str:
        if type(value) in _SCALARS:
            return digest(type(value).__name__, repr(value))
        if id(value) in self._open:
            return digest("cycle", str(len(self._open) - self._open.index(id(value))))
        if id(value) not in self._done:
            self._open.append(id(value))
            try:
                self._done[id(value)] = value, self._describe(value)
            finally:
                self._open.pop()
        return self._done[id(value)][1]

    def _describe(self, value: Any) -> str:
        kind = type(value)
        if kind in _SEQUENCES:
            return self._all(kind.__name__, value)
        if kind in _MAPPINGS:
            return self._pairs(kind.__name__, value.items())
        if kind in (set, frozenset):
            return digest(kind.__name__, *sorted(map(self, value)))
        if kind in _WRAPPERS:
            return self._all(kind.__name__, [getattr(value, part) for part in _WRAPPERS[kind]])
        if kind is CellType:
            return self._all("cell", [value.cell_contents] if value != CellType() else [])
        if isinstance(value, weakref.ref):
            return self._all("weakref", [value()])
        if isinstance(value, nn.Module):
            return self._module(value)
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if kind is np.ndarray or isinstance(value, np.generic):
            return self._array(np.asarray(value), kind.__name__)
        if isinstance(value, type | FunctionType | ModuleType):
            return self._code_of(value)
        return self._code(value) if kind is CodeType else self._object(value)

    def _all(self, kind: str, values: Iterable[Any]) -> str:
        return digest(kind, *map(self, values))

    def _pairs(self, kind: str, pairs: Iterable[tuple[Any, Any]]) -> str:
        return digest(kind, *(self(part) for pair in pairs for part in pair))

    def _tensor(self, tensor: torch.Tensor) -> str:
        try:
            # NumPy has no bfloat16, hence the detour over bytes.
            flat = tensor.detach().cpu().contiguous().flatten()
            content = flat.view(torch.uint8).numpy() if flat.numel() else b""
        except Exception:  # sparse, quantized, without data, ...
            return self._object(tensor)
        return digest("tensor", str(tensor.dtype), str(tuple(tensor.shape)), content)

    def _array(self, array: np.ndarray, kind: str) -> str:
        content = self(array.tolist()) if array.dtype.hasobject else array.tobytes()
        return digest(kind, repr(array.dtype), str(array.shape), content)

    def _module(self, module: nn.Module) -> str:
        kind = type(module)
        if isinstance(module, torch.jit.ScriptModule):
            return digest("script", module.save_to_buffer())
        known = _package(kind.__module__) in _KNOWN_LIBRARIES
        state = {n: v for n, v in vars(module).items() if n not in _COMMON}
        if known:
            state = {n: v for n, v in state.items() if _matters(kind, n, v)}
        hooks = [
            (hook, key in vars(module)[f"{when}_with_kwargs"])
            for when in ("_forward_pre_hooks", "_forward_hooks")
            for key, hook in [(None, when), *vars(module)[when].items()]
        ]
        parts = [module._parameters, module._buffers, module._modules, hooks]
        if _saves_more(kind):
            parts.append(dict(module.state_dict(keep_vars=True)))
        shown = module.extra_repr() if known else ""
        settings = self._pairs("settings", sorted(state.items(), key=lambda item: item[0]))
        return digest("module", self(kind), shown, settings, self._all("parts", parts))

    def _code_of(self, value: Any) -> str:
        if isinstance(value, ModuleType):
            name = value.__name__
            return _named(name, "") if _is_library(name) else nonce(value)
        is_class = isinstance(value, type)
        name = value.__module__ or ""
        static = is_class and not value.__flags__ & _HEAP_TYPE
        if static or (_is_library(name) and _resolves(value, name, value.__qualname__)):
            patched = self._patches(value) if is_class and issubclass(value, nn.Module) else []
            return digest(_named(name, value.__qualname__), *patched)
        return self._class(value) if is_class else self._function(value)

    def _patches(self, kind: type) -> list[str]:
        """Describe methods that somebody else has put into a class of a library's."""
        members = [(n, m) for n, m in vars(kind).items() if isinstance(m, FunctionType)]
        theirs = [(n, m) for n, m in members if not _is_library(_home(m))]
        bases = [base for base in kind.__bases__ if issubclass(base, nn.Module)]
        return [self._pairs("patches", sorted(theirs)), *map(self, bases)]

    def _class(self, kind: type) -> str:
        members = sorted((n, m) for n, m in vars(kind).items() if n not in _OF_CLASSES)
        name = f"{kind.__module__}.{kind.__qualname__}"
        bases = self._all("bases", (type(kind), *kind.__bases__))
        return digest("class", name, bases, self._pairs("members", members))

    def _function(self, function: FunctionType) -> str:
        code = function.__code__
        parts = [code, function.__defaults__, function.__kwdefaults__, function.__closure__]
        own = self._all("function", [*parts, vars(function)])
        # What a library's code refers to is the library's own.
        found = [] if _is_library(_home(function)) else self._globals(code, function.__globals__)
        return digest(own, *found)

    def _code(self, code: CodeType) -> str:
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        return self._all(
            "code", (code.co_code, code.co_exceptiontable, code.co_consts, names, counts)
        )

    def _globals(self, code: CodeType, scope: Mapping[str, Any]) -> Iterator[str]:
        names = frozenset(code.co_names)
        for name, value in _references(code, scope):
            yield self(name)
            yield self._global(value, names)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from self._globals(constant, scope)

    def _global(self, value: Any, names: frozenset[str]) -> str:
        """Describe what a name means to code; of a user's module what the code may take of it."""
        home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
        if not isinstance(value, ModuleType) or _is_library(home):
            return digest(self(value), _edition(_package(home)) if isinstance(home, str) else "")
        used = sorted(names & vars(value).keys())
        return digest(home, *used, *(self._global(vars(value)[n], names - {n}) for n in used))

    def _object(self, value: Any) -> str:
        """Describe an object as a copy of it would be made, and one of the user's by its state."""
        kind = type(value)
        if kind is object:  # a mark, which is told by its identity
            return nonce(value)
        try:
            reduce = dispatch_table.get(kind)
            reduced = reduce(value) if reduce else value.__reduce_ex__(4)
            if isinstance(reduced, str):
                home = pickle.whichmodule(value, reduced)  # type: ignore[attr-defined]
                named = _resolves(value, home, reduced)
                return _named(home, reduced) if named else nonce(value)
            make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
            parts = [make, arguments, state, list(items or ()), list(pairs or ())]
        except Exception:  # whatever the object's code throws
            return nonce(value)
        if not _is_library(kind.__module__):
            parts.append(object.__getstate__(value))
        return self._all("object", [kind, *parts])


def _references(code: CodeType, scope: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for step in dis.get_instructions(code):
        name = step.argval
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
            if name in scope:
                yield name, scope[name]
        elif step.opname == "IMPORT_NAME":
            near = f"{scope.get('__package__')}.{name}".rstrip(".")
            yield name, sys.modules.get(name) or sys.modules.get(near)


def _matters(kind: type, name: str, value: Any) -> bool:
    """Tell whether an attribute of a library's module is a setting, or replaces a method."""
    if callable(getattr(kind, name, None)):
        return True
    return name not in _STATES and not name.startswith("_") and _is_setting(value)


def _is_setting(value: Any) -> bool:
    if type(value) in _SEQUENCES:
        return all(map(_is_setting, value))
    kinds = (FunctionType, BuiltinFunctionType, MethodType, partial, torch.Tensor, np.ndarray)
    return type(value) in _SCALARS or isinstance(value, (*kinds, np.generic))


def _saves_more(kind: type[nn.Module]) -> bool:
    save, extra = nn.Module._save_to_state_dict, nn.Module.get_extra_state
    return kind._save_to_state_dict is not save or kind.get_extra_state is not extra


def _resolves(value: Any, module: str, qualname: str) -> bool:
    found: Any = sys.modules.get(module)
    for step in qualname.split("."):
        found = getattr(found, step, None)
    return found is value


def _home(function: FunctionType) -> str:
    # Not its __module__, which a decorator copies from what it wraps.
    return function.__globals__.get("__name__") or ""


def _package(module: str) -> str:
    return module.partition(".")[0]


def _is_library(module: str) -> bool:
    package = _package(module)
    return package in _KNOWN_LIBRARIES or _is_standard(package) or bool(_edition(package))


@cache
def _is_standard(package: str) -> bool:
    file = getattr(sys.modules.get(package), "__file__", None)
    inside = file is None or Path(file).is_relative_to(sysconfig.get_path("stdlib"))
    return package in sys.stdlib_module_names and inside


@cache
def _edition(package: str) -> str:
    """Return version and content of an installed package; empty for what is being worked on."""
    file = getattr(sys.modules.get(package), "__file__", None)
    if file is None or package in ("sktransfer", "torch") or _is_standard(package):
        return ""
    for name in metadata.packages_distributions().get(package, ()):
        found = metadata.distribution(name)
        record = found.read_text("RECORD") or ""
        if record and Path(file).is_relative_to(str(found.locate_file(""))):
            code = [line for line in record.splitlines() if ".py," in line or ".so," in line]
            return f"{name} {found.version} {digest(*code)}"
    return ""


def _named(module: str, qualname: str) -> str:
    package = _package(module)
    edition = "" if package in _KNOWN_LIBRARIES else _edition(package)
    return digest("name", module, qualname, edition)


def nonce(value: Any) -> str:
    """Return what no other object has, the same each time for this one."""
    address = id(value)
    if address not in _nonces:
        kept: Any = value
        with suppress(TypeError):  # otherwise it lives on, and so keeps its address
            kept = weakref.ref(value, lambda _: _nonces.pop(address, None))
        _nonces[address] = kept, uuid.uuid4().hex
    return _nonces[address][1]


def digest(*parts: Any) -> str:
    """Digest texts and bytes, each with its length, so that none runs into the next."""
    hasher = xxhash.xxh3_128()
    for part in parts:
        content = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        hasher.update(memoryview(content).nbytes.to_bytes(8, "little"))
        hasher.update(content)
    return hasher.hexdigest()
