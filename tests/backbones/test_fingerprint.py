"""Fingerprints differ for any difference that can change a feature, and only for those."""

import copy
import dataclasses
import enum
import functools
import gc
import os
import pickle
import subprocess
import sys
import threading
import types
import weakref
from importlib import metadata

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

from sktransfer._randomness import seeded
from sktransfer.backbones import ImageRecipe, get_backbone
from sktransfer.backbones import _fingerprint as module

TABLE = {"low": (0.5, [1, 2]), "names": {"b", "a", "c"}}


def mark(network):
    return module.fingerprint(network, ImageRecipe())


class Mode(enum.Enum):
    SUM = 1
    MEAN = 2


@dataclasses.dataclass
class Options:
    scale: float = 1.0


class Slotted:
    __slots__ = ("scale",)

    def __init__(self, scale):
        self.scale = scale


class Items(dict):
    pass


class Hidden:
    """Its pickles omit an attribute that it computes with."""

    def __init__(self, scale):
        self.scale = scale

    def __getstate__(self):
        return {}


class Holder(nn.Module):
    def __init__(self, value):
        super().__init__()
        self._value = value

    def forward(self, x):
        return scaled(x) + len(TABLE)


def scaled(x, by=2.0):
    return x * by


def closure(value):
    return lambda x: x * value


def with_default(value):
    return lambda x, by=value: x * by


def with_keyword(value):
    return lambda x, *, by=value: x * by


def looped(value):
    items = [value]
    items.append(items)
    return items


VALUES = {
    "a dict": lambda v: {"scale": v},
    "the order of a dict": lambda v: {v: 0, 1.5: 0, 3 - v: 0},
    "a set": lambda v: {"a", v},
    "a tensor": lambda v: torch.tensor([1.0, v]),
    "the type of a tensor": lambda v: torch.zeros(2, dtype=[torch.int32, torch.float32][v - 1]),
    "the shape of a tensor": lambda v: torch.zeros([(2, 3), (3, 2)][v - 1]),
    "a sparse tensor": lambda v: torch.eye(2).mul(v).to_sparse(),
    "an array": lambda v: np.array([1.0, v]),
    "an array of objects": lambda v: np.array([{"scale": v}], dtype=object),
    "a NumPy scalar": lambda v: np.float32(v),
    "a partial": lambda v: functools.partial(scaled, by=v),
    "an object": lambda v: types.SimpleNamespace(inner=types.SimpleNamespace(scale=v)),
    "an object with slots": Slotted,
    "a dataclass": lambda v: Options([v]),
    "an enum": Mode,
    "a dict of the user's": lambda v: Items(scale=v),
    "state that pickles leave out": Hidden,
    "a closure": closure,
    "one of two lambdas on a line": lambda v: [lambda x: x * 1, lambda x: x * 2][v - 1],
    "a default": with_default,
    "a default of a keyword": with_keyword,
    "a bound method": lambda v: Slotted(v).__init__,
    "a method of a built-in": lambda v: [v].count,
    "a cached function": lambda v: functools.lru_cache(closure(v)),
    "a loop": looped,
    "a list of modules": lambda v: [nn.Flatten(v)],
    "int and bool": lambda v: [1, True][v - 1],
    "the name of a child": lambda v: nn.ModuleDict({f"child{v}": nn.Identity()}),
}


@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_modules_that_differ_in_one_private_attribute_differ(make):
    first, again, other = (mark(Holder(make(value))) for value in (1, 1, 2))
    assert first == again
    assert first != other


def built(text, **space):
    space = {"nn": nn, "torch": torch, "__name__": "theirs", **space}
    exec(text, space)
    return space["Net"]()


def of_class(body, before=""):
    return built(f"{before}\nclass Net(nn.Module):\n    {body}")


def buffered(net, value):
    net.register_buffer("shift", torch.tensor(float(value)), persistent=False)
    return net


def hooked(net, value, register="register_forward_hook"):
    getattr(net, register)(lambda *args: args[-1] if value == 1 else None)
    getattr(net, register)(closure(value))
    return net


def patched(net, function):
    net.forward = function
    return net


def by_module(value, use="helpers.scale(x)"):
    helpers = types.ModuleType("helpers")
    helpers.scale = closure(value)
    return built(f"class Net(nn.Module):\n    def forward(self, x): return {use}", helpers=helpers)


def subclass_of_a_librarys(value):
    class Own(nn.Flatten):
        def forward(self, x):
            return super().forward(x) * value

    return Own()


USE = "def forward(self, x): return helper(x)"
NETWORKS = {
    "a constant of the class": lambda v: of_class(f"scale = {v}"),
    "a table of the class": lambda v: of_class(f"scale = {{'a': [{v}]}}"),
    "a default of a method": lambda v: of_class(f"def forward(self, x, by={v}): return x * by"),
    "a keyword of a method": lambda v: of_class(f"def forward(self, x, *, by={v}): return x"),
    "a property": lambda v: of_class(f"scale = property(lambda self: {v})"),
    "a static method": lambda v: of_class(f"scale = staticmethod(lambda: {v})"),
    "a handler of errors": lambda v: of_class(
        f"def forward(self, x):\n        try: return x\n        except {['KeyError', 'OSError'][v - 1]}: return 1"
    ),
    "a helper": lambda v: of_class(USE, f"def helper(x): return x * {v}"),
    "a helper's helper": lambda v: of_class(
        USE, f"def helper(x): return inner(x)\ndef inner(x): return helper(x) if x else {v}"
    ),
    "a helper in a nested function": lambda v: of_class(
        "def forward(self, x): return [helper(y) for y in x]", f"def helper(x): return {v}"
    ),
    "a constant of the file": lambda v: of_class(
        "def forward(self, x): return x * SCALE", f"SCALE = torch.tensor({v})"
    ),
    "a class of the file": lambda v: of_class(USE, f"class helper:\n    scale = {v}"),
    "a helper of another file": by_module,
    "a base class": lambda v: built(
        f"class Base(nn.Module):\n    scale = {v}\nclass Net(Base):\n    pass"
    ),
    "a subclass of a library's": subclass_of_a_librarys,
    "a buffer that is not saved": lambda v: buffered(Holder(0), v),
    "such a buffer in a library's": lambda v: buffered(nn.Flatten(), v),
    "a hook": lambda v: hooked(nn.Flatten(), v),
    "a hook before": lambda v: hooked(nn.Flatten(), v, "register_forward_pre_hook"),
    "a replaced forward": lambda v: patched(Holder(0), closure(v)),
    "a replaced forward in a library's": lambda v: patched(nn.Flatten(), closure(v)),
    "a replaced method in a library's": lambda v: patched(
        nn.Flatten(), types.MethodType(with_default(v), nn.Flatten())
    ),
    "a module in a sequence": lambda v: nn.Sequential(Holder(0), Holder([v])),
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_networks_that_differ_in_one_respect_differ(make):
    first, again, other = (mark(make(value)) for value in (1, 1, 2))
    assert first == again
    assert first != other


def whole():
    """Return a network with every kind of content."""
    with seeded(0):
        net = Holder([TABLE, torch.ones(2), np.ones(3), functools.partial(scaled, by=3), Mode.SUM])
        net.more = [Options(), Slotted(2), Items(a=1), scaled, net, np.mean, np.add]
        net.table = TABLE
        net.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), timm.layers.DropPath(0.1))
    net.body.register_forward_hook(scaled)
    return buffered(net, 3)


def named():
    """Return fingerprints of named backbones, one per library."""
    names = {
        "efficientnet_lite0": "image",
        "shufflenet_v2_x0_5": "image",
        "all-MiniLM-L6-v2": "text",
    }
    found = [get_backbone(name, modality=names[name], weights=None) for name in names]
    return [backbone.fingerprint for backbone in found]


def test_a_copy_a_pickle_and_a_second_construction_have_equal_fingerprints():
    net = whole()
    marks = {mark(net), mark(copy.deepcopy(net)), mark(pickle.loads(pickle.dumps(net)))}
    assert marks == {mark(whole())} == {mark(net.eval())}


def test_another_process_computes_the_same_fingerprint():
    script = (
        "from tests.backbones.test_fingerprint import named, mark, whole;"
        "print(mark(whole()), *named())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    fresh = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    # The test runner may import this file under another name.
    from tests.backbones.test_fingerprint import mark as same_mark
    from tests.backbones.test_fingerprint import whole as same

    assert fresh.stdout.split() == [same_mark(same()), *named()]


@pytest.mark.parametrize("make", [object, threading.Lock, lambda: (x for x in ())])
def test_modules_that_cannot_be_fingerprinted_are_never_shared(make):
    one, two = Holder(make()), Holder(make())
    assert mark(one) == mark(one)
    assert mark(one) != mark(two)
    seen = {mark(Holder(make())) for _ in range(50)}  # most at the address of a freed one
    assert len(seen) == 50


def test_deeply_nested_modules_are_never_shared():
    def deep():
        items = []
        for _ in range(5000):
            items = [items]
        return Holder(items)

    assert mark(deep()) != mark(deep())


def test_libraries_that_a_module_uses_are_listed():
    backbone = get_backbone(timm.create_model("test_resnet"), modality="image")
    assert backbone.library == f"timm {metadata.version('timm')}"
    both = nn.Sequential(
        torchvision.ops.Conv2dNormActivation(3, 4, 8), timm.layers.SelectAdaptivePool2d()
    )
    wanted = f"timm {metadata.version('timm')}, torchvision {metadata.version('torchvision')}"
    assert get_backbone(both, modality="image").library == wanted
    assert get_backbone(nn.Sequential(nn.Conv2d(3, 4, 8)), modality="image").library == ""


def test_modules_that_cannot_be_fingerprinted_are_freed():
    one = Holder(threading.Lock())
    mark(one)
    ended = weakref.ref(one)
    del one
    gc.collect()
    assert ended() is None
