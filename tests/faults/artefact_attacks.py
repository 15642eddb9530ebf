"""Saved files with content that would run code in a reader that trusts it."""

from __future__ import annotations

import io
import json
import pickle
import random
from typing import Any

import numpy as np

from tests.faults.artefact_files import SCHEMA, TREE, Evil, node, unzipped, with_manifest, zipped
from tests.faults.artefact_forgeries import LOADERS, places


def attacking_file(content: bytes, draw: random.Random, command: str) -> bytes:
    """Return a file that would run a shell command, or attempt it."""
    members = unzipped(content)
    evil = pickle.dumps(Evil(command), protocol=draw.choice([0, 2, 4]))
    if draw.random() < 0.15:  # a pickle in the place of a member, complete or inside an array
        buffer = io.BytesIO()
        np.save(buffer, np.array([Evil(command)], dtype=object), allow_pickle=True)
        inner = unzipped(members[TREE])
        inner[draw.choice(sorted(inner))] = draw.choice([evil, buffer.getvalue()])
        members[TREE] = draw.choice([zipped(inner), evil])
        return zipped(with_manifest(members))
    inner = unzipped(members[TREE])
    root = {"": json.loads(inner[SCHEMA])}
    nodes = [(h, k) for h, k in places(root) if isinstance(h[k], dict) and "__loader__" in h[k]]
    holder, key = draw.choice(nodes)
    holder[key] = _dangerous_node(draw, command)
    root[""].setdefault("protocol", 2)
    inner[SCHEMA] = json.dumps(root[""]).encode()
    members[TREE] = zipped(inner)
    return zipped(with_manifest(members))


_GUNS = (
    *("os.system", "posix.system", "nt.system", "subprocess.Popen", "subprocess.call"),
    *("builtins.eval", "builtins.exec", "builtins.__import__", "builtins.getattr", "pickle.loads"),
    *("functools.partial", "operator.methodcaller", "operator.attrgetter", "numpy.load"),
    *("joblib.load", "torch.load", "sklearn.utils._testing.os.system", "sktransfer.load"),
    *("importlib.import_module", "pty.spawn", "runpy.run_path", "code.interact", "shutil.rmtree"),
    *("numpy.memmap", "numpy.fromfile", "builtins.open", "ctypes.CDLL", "webbrowser.open"),
    *("sklearn.datasets._openml.fetch_openml", "sktransfer.exceptions.WeightsError"),
)


def _dangerous_node(draw: random.Random, command: str) -> dict[str, Any]:
    """Return a node that names something dangerous, in a random form."""
    module, _, name = draw.choice(_GUNS).rpartition(".")
    gun = {"__module__": module, "__class__": name, "__loader__": "FunctionNode"}
    text = node("JsonNode", "builtins.str", content=json.dumps(command))
    arguments = node("TupleNode", "builtins.tuple", content=[text])
    empty = _dict({})
    loader = draw.choice([*LOADERS, "DefaultDictNode", "LossNode", "RandomStateNode"])
    full = {
        **gun,
        "__loader__": loader,
        "content": draw.choice([arguments, [text], empty, {"func": name, "obj": gun}, text]),
        "attrs": arguments,
        "key_types": node("ListNode", "builtins.list", content=[gun]),
        "__reduce__": {"args": arguments},
        "type": draw.choice(["json", "numpy", "scipy"]),
        "shape": arguments,
        "file": "0.npy",
    }
    if draw.random() < 0.2:  # a plain dict whose keys would be created by it
        return {**_dict({command: text}), "key_types": full["key_types"]}
    if draw.random() < 0.2:
        parts = {"func": gun, "args": arguments, "kwds": empty, "namespace": empty}
        return node("PartialNode", "functools.partial", content=parts)
    return full


def _dict(content: dict[str, Any]) -> dict[str, Any]:
    keys = [node("TypeNode", "builtins.str") for _ in content]
    kinds = node("ListNode", "builtins.list", content=keys)
    return node("DictNode", "builtins.dict", content=content, key_types=kinds)
