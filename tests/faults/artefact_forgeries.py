"""Saved files with a changed part and valid digests."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from tests.faults.artefact_accidents import damaged_bytes, flip
from tests.faults.artefact_files import MANIFEST, SCHEMA, TREE, unzipped, with_manifest, zipped

_SCALARS = [None, True, -1, 0, 1, 2**31, 10**30, 0.5, "", "a", "os.system", "\ud800", [], {}, [[]]]

LOADERS = (
    *("BytesNode", "CachedNode", "ConstructorFromReduceNode", "DTypeNode", "DictNode"),
    *("FunctionNode", "JsonNode", "ListNode", "MethodNode", "NdArrayNode", "ObjectNode"),
    *("OperatorFuncNode", "PartialNode", "ReduceNode", "SetNode", "TreeNode", "TypeNode"),
)
"""Kinds of node that skops knows."""


def forged_file(content: bytes, draw: random.Random) -> bytes:
    """Return a file with a changed part."""
    members = unzipped(content)
    name = draw.choice([*sorted(members), TREE, TREE])
    if name == TREE:
        members[name] = _other_tree(members[name], draw)
    elif name.endswith(".json"):
        members[name] = _other_json(members[name], draw)
    else:
        members[name] = _other_tensors(members[name], draw)
    # In this case the manifest is the changed part.
    return zipped(members if name == MANIFEST else with_manifest(members))


def _other_tree(content: bytes, draw: random.Random) -> bytes:
    inner = unzipped(content)
    name = draw.choice([*sorted(inner), *[SCHEMA] * 9])
    if name == SCHEMA:
        inner[name] = _other_json(inner[name], draw)
    else:
        inner[name] = flip(inner[name], draw)
    return zipped(inner)


def _other_json(content: bytes, draw: random.Random) -> bytes:
    root = {"": json.loads(content)}
    for _ in range(draw.choice([1, 1, 2, 5])):
        found = list(places(root))
        if not found:
            break
        holder, key = draw.choice(found)
        change = draw.randrange(5)
        if change == 0:
            holder[key] = draw.choice(_SCALARS)
        elif change == 1:
            del holder[key]
        elif change == 2:  # something from another place in the tree
            other, at = draw.choice(found)
            holder[key] = copy.deepcopy(other[at])
        elif change == 3 and isinstance(holder, dict) and "__loader__" in holder:
            holder["__loader__"] = draw.choice(LOADERS)
        elif change == 4 and isinstance(holder, dict) and "__id__" in holder:
            holder["__id__"] = draw.randrange(40)
    return json.dumps(root.get("")).encode()


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every entry as its container and key."""
    stack = [value]
    while stack:
        holder = stack.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in list(keys):
            yield holder, key
            if isinstance(holder[key], dict | list):
                stack.append(holder[key])


def _other_tensors(content: bytes, draw: random.Random) -> bytes:
    """Change the header, which is JSON after its length, or the numbers."""
    size = int.from_bytes(content[:8], "little")
    if draw.random() < 0.3:
        return damaged_bytes(content, draw)
    header = _other_json(content[8 : 8 + size].rstrip(), draw)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]
