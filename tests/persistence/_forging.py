"""Forged files with content chosen by an attacker and valid digests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests._tiny import images
from tests.faults.artefact_files import Members, node, unzipped, with_manifest, zipped

COLUMN = list(images(6, size=32))


def members_of(path: Path) -> Members:
    """Return the members of a saved file."""
    return unzipped(path.read_bytes())


def write(path: Path, members: Mapping[str, bytes], *, mend: bool = True) -> None:
    """Write members, with a manifest that lists them."""
    path.write_bytes(zipped(with_manifest(members) if mend else members))


def forge(path: Path, change: Callable[[Any], Any]) -> None:
    """Change the tree of a saved file in place, or replace it by the result of `change`."""
    members = members_of(path)
    inner = unzipped(members["estimator.skops"])
    root = json.loads(inner["schema.json"])
    changed = change(root)
    root = root if changed is None else {"protocol": 2, **changed}
    used = json.dumps(root)
    kept = {name: c for name, c in inner.items() if name != "schema.json" and f'"{name}"' in used}
    members["estimator.skops"] = zipped({"schema.json": used.encode(), **kept})
    write(path, members)


def with_step(new: Any) -> Callable[[Any], None]:
    """Return a change that replaces a Pipeline's first step by a node."""

    def change(root: Any) -> None:
        steps = root["content"]["content"]["steps"]["content"]
        steps[0]["content"][1] = new

    return change


def value(content: Any) -> dict[str, Any]:
    """Return the node of a plain value; keys of a dict are strings."""
    if isinstance(content, tuple | list):
        kind = "TupleNode" if isinstance(content, tuple) else "ListNode"
        name = f"builtins.{type(content).__name__}"
        return node(kind, name, content=[value(item) for item in content])
    if isinstance(content, dict):
        keys = [node("TypeNode", "builtins.str") for _ in content]
        items = {k: v if _is_node(v) else value(v) for k, v in content.items()}
        return node(
            "DictNode",
            "builtins.dict",
            content=items,
            key_types=node("ListNode", "builtins.list", content=keys),
        )
    return node("JsonNode", "builtins.str", content=json.dumps(content), is_json=True)


def attacks(command: str) -> dict[str, dict[str, Any]]:
    """Return nodes that would run a shell command, or attempt it."""
    system = node("FunctionNode", "os.system")
    nothing = node("JsonNode", "builtins.str", content="null")
    return {
        "a function": system,
        "a builtin": node("TypeNode", "builtins.eval"),
        "a method of a module": node("FunctionNode", "posix.system"),
        "a call": node("ConstructorFromReduceNode", "os.system", content=value((command,))),
        "a process": node(
            "ConstructorFromReduceNode", "subprocess.Popen", content=value((command,))
        ),
        "eval": node("ConstructorFromReduceNode", "builtins.eval", content=value((command,))),
        "a partial": node(
            "PartialNode",
            "functools.partial",
            content={
                "func": system,
                "args": value((command,)),
                "kwds": value({}),
                "namespace": nothing,
            },
        ),
        "a caller of methods": node(
            "OperatorFuncNode", "operator.methodcaller", attrs=value(("system", command))
        ),
        "an operator": node("OperatorFuncNode", "operator.call", attrs=value((command,))),
        "an object": node("ObjectNode", "subprocess.Popen", content=value({"args": command})),
        "a list of another kind": node("ListNode", "os.system", content=[value(command)]),
        "a dict of another kind": {
            **value({"a": 1}),
            "__module__": "builtins",
            "__class__": "exec",
        },
        "keys by a function": {
            **value({command: 1}),
            "key_types": node("ListNode", "builtins.list", content=[system]),
        },
        "keys by a known function": {
            **value({command: 1}),
            "key_types": node(
                "ListNode", "builtins.list", content=[node("FunctionNode", "numpy.log1p")]
            ),
        },
        "a reduction": node(
            "TreeNode",
            "sklearn.tree._tree.Tree",
            content=value({}),
            __reduce__={"args": value((command,))},
        ),
        "a loss": node(
            "LossNode", "os.system", content=value({}), __reduce__={"args": value((command,))}
        ),
        "a method": node(
            "MethodNode",
            "sklearn.pipeline.Pipeline",
            content={"func": "predict", "obj": node("ObjectNode", "sklearn.pipeline.Pipeline")},
        ),
        "a generator by name": node(
            "RandomGeneratorNode",
            "numpy.random._generator.Generator",
            content={"bit_generator": value({"bit_generator": "seed"}), "seed_seq": value({})},
        ),
        "a default by a function": node(
            "DefaultDictNode",
            "collections.defaultdict",
            content={"main": value({}), "default_factory": system},
        ),
        "something seen before": {**nothing, "__loader__": "CachedNode", "__id__": 1},
        "an unknown kind": {**nothing, "__loader__": "PickleNode"},
        "a known function that is called": node(
            "ConstructorFromReduceNode", "numpy.log1p", content=value((1.0,))
        ),
        "a known class that is called": node(
            "ConstructorFromReduceNode",
            "sktransfer.ImageEmbedder",
            content=value((command,)),
        ),
    }


def _is_node(content: Any) -> bool:
    return isinstance(content, dict) and "__loader__" in content
