"""Mutated artefacts: whatever is done to a saved file, `load` refuses it or gives an equal model.

Three kinds of mutation:

accident
    Bytes are flipped, lost, doubled or swapped; nothing else is done. What loads must be equal.
forgery
    A part is changed, and all digests are made to fit. What loads may be another estimator, which
    is what such a file then describes; nothing of it may be executed.
attack
    The same with something put in that would run code where anyone believed it.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import pickle
import random
import sys
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import transformers
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageClassifier, ImageEmbedder, load, save
from sktransfer.exceptions import SktransferError, SktransferWarning
from sktransfer.persistence._skops import from_bytes
from sktransfer.persistence._trust import types_of

Members = dict[str, bytes]

# What Python tells of when something is run that is no computation.
_EVENTS = frozenset(
    {"os.exec", "os.fork", "os.posix_spawn", "os.startfile", "os.system", "pickle.find_class"}
    | {"subprocess.Popen", "code.__new__", "webbrowser.open", "socket.connect"}
)
_SCALARS = [None, True, -1, 0, 1, 2**31, 10**30, 0.5, "", "a", "os.system", "\ud800", [], {}, [[]]]
_LOADERS = (
    *("BytesNode", "CachedNode", "ConstructorFromReduceNode", "DTypeNode", "DictNode"),
    *("FunctionNode", "JsonNode", "ListNode", "MethodNode", "NdArrayNode", "ObjectNode"),
    *("OperatorFuncNode", "PartialNode", "ReduceNode", "SetNode", "TreeNode", "TypeNode"),
)


@dataclass
class Counts:
    """What has become of mutated files.

    Attributes
    ----------
    tried : int
        All of them.
    refused : int
        With an error of ours.
    equal : int
        Loaded, and saved again to the very same bytes.
    other : int
        Loaded as another estimator: only forgeries and attacks may.
    executed : int
        Something was run. Must be 0.
    wrong : int
        Accidents that loaded as another estimator. Must be 0.
    crashed : int
        With an error that is not ours. Must be 0.
    """

    tried: int = 0
    refused: int = 0
    equal: int = 0
    other: int = 0
    executed: int = 0
    wrong: int = 0
    crashed: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


def fuzz(trials: int, seed: int = 0) -> dict[str, Counts]:
    """Mutate saved files, load them, and count what becomes of them.

    Parameters
    ----------
    trials : int
        Of each kind of mutation.
    seed : int
        The same one gives the same mutations.

    Returns
    -------
    dict of str to Counts
        By kind of mutation.
    """
    with tempfile.TemporaryDirectory(prefix="sktransfer-fuzz-") as folder:
        place = Path(folder)
        genuine = _genuine(place)
        canary = place / "canary"
        draw = random.Random(seed)
        kinds: dict[str, Callable[[bytes, random.Random], bytes]] = {
            "accident": _accident,
            "forgery": _forgery,
            "attack": lambda content, draw: _attack(content, draw, f"touch {canary}"),
        }
        return {
            kind: _tried(genuine, mutate, draw, trials, canary, may_differ=kind != "accident")
            for kind, mutate in kinds.items()
        }


def _genuine(place: Path) -> list[bytes]:
    """Return saved files: a Pipeline and a fine-tuner, with and without their weights."""
    network, column = place / "network", np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3))
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=16,
    )
    transformers.ViTModel(config).save_pretrained(network)
    images, y = list(column.astype(np.uint8)), [0, 1] * 3
    embedder = ImageEmbedder(str(network), cache=False)
    models = [
        make_pipeline(embedder, LogisticRegression(random_state=np.random.RandomState(0))),
        ImageClassifier(
            str(network), trainable=1, max_epochs=1, cache=False, class_weight={0: 1.0, 1: 2.0}
        ),
    ]
    files = []
    for model in models:
        model.fit(images, y)
        for standalone in (False, True):
            save(model, place / "genuine", standalone=standalone)
            files.append((place / "genuine").read_bytes())
    return files


def _tried(
    genuine: list[bytes],
    mutate: Callable[[bytes, random.Random], bytes],
    draw: random.Random,
    trials: int,
    canary: Path,
    *,
    may_differ: bool,
) -> Counts:
    counts = Counts()
    for _ in range(trials):
        number = draw.randrange(len(genuine))
        with _watched() as events:
            outcome = _outcome(genuine[number], mutate(genuine[number], draw), canary.parent)
        counts.tried += 1
        counts.executed += canary.exists() or bool(events)
        canary.unlink(missing_ok=True)
        name = "wrong" if outcome == "other" and not may_differ else outcome
        setattr(counts, name, getattr(counts, name) + 1)
    return counts


def _outcome(genuine: bytes, mutated: bytes, place: Path) -> str:
    file = place / "mutated"
    file.write_bytes(mutated)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SktransferWarning)
        try:
            loaded = load(file)
        except SktransferError:
            return "refused"
        except Exception as error:  # which of them, a person wants to know
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return "crashed"
        try:
            standalone = "backbones/0.json" in _unzipped(genuine)
            save(loaded, place / "again", standalone=standalone)
        except Exception:  # whatever a forged estimator leads to when it is used
            return "other"
    return "equal" if (place / "again").read_bytes() == genuine else "other"


# Accidents -----------------------------------------------------------------------------------


def _accident(content: bytes, draw: random.Random) -> bytes:
    return draw.choice([_flip, _flip, _flip, _cut, _lose, _double, _blank, _swap, _drop, _add])(
        content, draw
    )


def _flip(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 8, 64])):
        # The directory at the end is where a reader believes most.
        start = max(0, len(changed) - 600) if draw.random() < 0.3 else 0
        changed[draw.randrange(start, len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def _range(content: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randrange(len(content))
    return start, min(len(content), start + draw.choice([1, 7, 64, 512, 4_096]))


def _lose(content: bytes, draw: random.Random) -> bytes:
    start, end = _range(content, draw)
    return content[:start] + content[end:]


def _double(content: bytes, draw: random.Random) -> bytes:
    start, end = _range(content, draw)
    return content[:end] + content[start:]


def _blank(content: bytes, draw: random.Random) -> bytes:
    start, end = _range(content, draw)
    return content[:start] + bytes(end - start) + content[end:]


def _swap(content: bytes, draw: random.Random) -> bytes:
    members = _unzipped(content)
    one, other = draw.sample(sorted(members), 2)
    members[one], members[other] = members[other], members[one]
    return _zipped(members)


def _drop(content: bytes, draw: random.Random) -> bytes:
    members = _unzipped(content)
    del members[draw.choice(sorted(members))]
    return _zipped(members)


def _add(content: bytes, draw: random.Random) -> bytes:
    members = _unzipped(content)
    name = draw.choice(["trained/9.safetensors", "../up", "/etc/x", "a", "backbones/5.json"])
    return _zipped({**members, name: draw.randbytes(9)})


# Forgeries -----------------------------------------------------------------------------------


def _forgery(content: bytes, draw: random.Random) -> bytes:
    members = _unzipped(content)
    name = draw.choice([*sorted(members), "estimator.skops", "estimator.skops"])
    if name == "estimator.skops":
        members[name] = _other_tree(members[name], draw)
    elif name.endswith(".json"):
        members[name] = _other_json(members[name], draw)
    else:
        members[name] = _other_tensors(members[name], draw)
    return _mended(members, keep=name == "manifest.json")


def _other_tree(content: bytes, draw: random.Random) -> bytes:
    inner = _unzipped(content)
    name = draw.choice([*sorted(inner), *["schema.json"] * 9])
    if name == "schema.json":
        inner[name] = _other_json(inner[name], draw)
    else:
        inner[name] = _flip(inner[name], draw)
    return _zipped(inner)


def _other_json(content: bytes, draw: random.Random) -> bytes:
    root = {"": json.loads(content)}
    for _ in range(draw.choice([1, 1, 2, 5])):
        places = list(_places(root))
        if not places:
            break
        holder, key = draw.choice(places)
        change = draw.randrange(5)
        if change == 0:
            holder[key] = draw.choice(_SCALARS)
        elif change == 1:
            del holder[key]
        elif change == 2:  # something from elsewhere in it
            other, at = draw.choice(places)
            holder[key] = copy.deepcopy(other[at])
        elif change == 3 and isinstance(holder, dict) and "__loader__" in holder:
            holder["__loader__"] = draw.choice(_LOADERS)
        elif change == 4 and isinstance(holder, dict) and "__id__" in holder:
            holder["__id__"] = draw.randrange(40)
    return json.dumps(root.get("")).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every entry as what holds it and its key there."""
    stack = [value]
    while stack:
        holder = stack.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in list(keys):
            yield holder, key
            if isinstance(holder[key], dict | list):
                stack.append(holder[key])


def _other_tensors(content: bytes, draw: random.Random) -> bytes:
    """Change the header, which is JSON behind its length, or the numbers."""
    size = int.from_bytes(content[:8], "little")
    if draw.random() < 0.3:
        return _accident_of_bytes(content, draw)
    header = _other_json(content[8 : 8 + size].rstrip(), draw)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


def _accident_of_bytes(content: bytes, draw: random.Random) -> bytes:
    return draw.choice([_flip, _cut, _lose, _double, _blank])(content, draw)


# Attacks -------------------------------------------------------------------------------------


class _Evil:
    """Runs a command where its pickle is read."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def _attack(content: bytes, draw: random.Random, command: str) -> bytes:
    members = _unzipped(content)
    evil = pickle.dumps(_Evil(command), protocol=draw.choice([0, 2, 4]))
    if draw.random() < 0.15:  # a pickle in the place of some member, whole or inside an array
        buffer = io.BytesIO()
        np.save(buffer, np.array([_Evil(command)], dtype=object), allow_pickle=True)
        inner = _unzipped(members["estimator.skops"])
        inner[draw.choice(sorted(inner))] = draw.choice([evil, buffer.getvalue()])
        members["estimator.skops"] = draw.choice([_zipped(inner), evil])
        return _mended(members)
    inner = _unzipped(members["estimator.skops"])
    root = {"": json.loads(inner["schema.json"])}
    nodes = [(h, k) for h, k in _places(root) if isinstance(h[k], dict) and "__loader__" in h[k]]
    holder, key = draw.choice(nodes)
    holder[key] = _weapon(draw, command)
    root[""].setdefault("protocol", 2)
    inner["schema.json"] = json.dumps(root[""]).encode()
    members["estimator.skops"] = _zipped(inner)
    return _mended(members)


_GUNS = (
    *("os.system", "posix.system", "nt.system", "subprocess.Popen", "subprocess.call"),
    *("builtins.eval", "builtins.exec", "builtins.__import__", "builtins.getattr", "pickle.loads"),
    *("functools.partial", "operator.methodcaller", "operator.attrgetter", "numpy.load"),
    *("joblib.load", "torch.load", "sklearn.utils._testing.os.system", "sktransfer.load"),
    *("importlib.import_module", "pty.spawn", "runpy.run_path", "code.interact", "shutil.rmtree"),
    *("numpy.memmap", "numpy.fromfile", "builtins.open", "ctypes.CDLL", "webbrowser.open"),
    *("sklearn.datasets._openml.fetch_openml", "sktransfer.exceptions.WeightsError"),
)


def _weapon(draw: random.Random, command: str) -> dict[str, Any]:
    """Return a node that names something dangerous, in one of the ways there are."""
    module, _, name = draw.choice(_GUNS).rpartition(".")
    gun = {"__module__": module, "__class__": name, "__loader__": "FunctionNode"}
    text = _node("JsonNode", "builtins.str", content=json.dumps(command))
    arguments = _node("TupleNode", "builtins.tuple", content=[text])
    empty = _dict({})
    loader = draw.choice([*_LOADERS, "DefaultDictNode", "LossNode", "RandomStateNode"])
    full = {
        **gun,
        "__loader__": loader,
        "content": draw.choice([arguments, [text], empty, {"func": name, "obj": gun}, text]),
        "attrs": arguments,
        "key_types": _node("ListNode", "builtins.list", content=[gun]),
        "__reduce__": {"args": arguments},
        "type": draw.choice(["json", "numpy", "scipy"]),
        "shape": arguments,
        "file": "0.npy",
    }
    if draw.random() < 0.2:  # a plain dict whose keys would be made by it
        return {**_dict({command: text}), "key_types": full["key_types"]}
    if draw.random() < 0.2:
        parts = {"func": gun, "args": arguments, "kwds": empty, "namespace": empty}
        return _node("PartialNode", "functools.partial", content=parts)
    return full


def _node(loader: str, name: str, **entries: Any) -> dict[str, Any]:
    module, _, kind = name.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader, **entries}


def _dict(content: dict[str, Any]) -> dict[str, Any]:
    keys = [_node("TypeNode", "builtins.str") for _ in content]
    kinds = _node("ListNode", "builtins.list", content=keys)
    return _node("DictNode", "builtins.dict", content=content, key_types=kinds)


# Files ---------------------------------------------------------------------------------------


def _unzipped(content: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(members: Members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _mended(members: Members, *, keep: bool = False) -> bytes:
    """Return a file with a manifest that fits: digests, and the types as they are."""
    try:
        manifest = json.loads(members["manifest.json"])
        if not keep:
            others = {n: c for n, c in members.items() if n != "manifest.json"}
            manifest["members"] = {n: hashlib.sha256(c).hexdigest() for n, c in others.items()}
            manifest["types"] = _types(members["estimator.skops"]) or manifest["types"]
            members = {**members, "manifest.json": json.dumps(manifest).encode()}
    except (ValueError, TypeError, KeyError):
        pass
    return _zipped(members)


def _types(content: bytes) -> list[str]:
    try:
        return types_of(from_bytes(content, "it"))
    except Exception:  # no tree any more
        return []


# Watching ------------------------------------------------------------------------------------

_seen: list[str] = []
_watching = False
_is_hooked = False


@contextmanager
def _watched() -> Iterator[list[str]]:
    """Note what Python runs within the block, besides computing."""
    global _watching, _is_hooked
    if not _is_hooked:  # for good: a hook of this kind cannot be taken off
        sys.addaudithook(lambda event, args: _note(event))
        _is_hooked = True
    _seen.clear()
    _watching = True
    try:
        yield _seen
    finally:
        _watching = False


def _note(event: str) -> None:
    if _watching and event in _EVENTS:
        _seen.append(event)


def main() -> None:
    """Print the counts; arguments are the number of trials of each kind, and a seed."""
    trials, seed = (*map(int, sys.argv[1:3]), 1_000, 0)[:2]
    found = fuzz(trials, seed)
    names = list(Counts().as_dict())
    print(f"{'':10}" + "".join(f"{name:>10}" for name in names))
    total: Counter[str] = Counter()
    for kind, counts in found.items():
        total.update(counts.as_dict())
        print(f"{kind:10}" + "".join(f"{value:>10,}" for value in counts.as_dict().values()))
    print(f"{'all':10}" + "".join(f"{total[name]:>10,}" for name in names))


if __name__ == "__main__":
    main()
