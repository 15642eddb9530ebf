"""The rooms of the package: who may import whom, and what an import costs."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "sktransfer"

# What each room may import of the package, besides itself.
FLOORS = [
    {"exceptions", "_compat", "_forks"},
    {"_quiet", "_randomness", "_runtime", "_validation", "lazy"},
    {"cells", "cache", "backbones"},
    {"engines"},
    {"adapt", "extraction"},
    {"embedders", "finetune", "pretrain"},
    {"inspection", "persistence"},
    {"__init__", "__main__"},
]

# Libraries that are imported in one place only: a room, or one file.
ONLY_IN = {
    "PIL": "cells/",
    "sqlite3": "cache/",
    "torchvision": "backbones/_torchvision",
    "timm": "backbones/_timm.py",
    "transformers": "backbones/_transformers.py",
    "openvino": "engines/_openvino.py",
    "skops": "persistence/_skops.py",
    "skorch": "finetune/_net.py",
    "dask": "lazy/_dask.py",
    "accelerate": "finetune/_team.py",
}


ROOMS = set().union(*FLOORS)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor_of(room: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


def imported_modules(path: Path, typing_too: bool = False) -> list[str]:
    """List the modules that a file imports anywhere; those for annotations only if asked."""
    names = []
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        is_typing = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if is_typing and not typing_too:
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module or ""]
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_go_down(path):
    room = room_of(path)
    others = {
        name.split(".")[1]
        for name in imported_modules(path, typing_too=True)
        if name.startswith("sktransfer.")
    }
    for other in others & ROOMS - {room}:
        assert floor_of(other) < floor_of(room), f"{path.name} imports {other}"


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_in_one_place(library):
    for path in FILES:
        place = str(path.relative_to(PACKAGE))
        if any(n == library or n.startswith(f"{library}.") for n in imported_modules(path)):
            assert place.startswith(ONLY_IN[library]), f"{place} imports {library}"


def test_the_cache_and_the_cells_do_without_torch():
    for path in FILES:
        if room_of(path) in {"cache", "cells"}:
            assert not any(n.split(".")[0] == "torch" for n in imported_modules(path)), path


def in_fresh_process(code: str) -> list[str]:
    """Return the modules that are loaded after `code`."""
    code += "\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_importing_the_package_imports_no_heavy_library():
    loaded = set(in_fresh_process("import sktransfer; dir(sktransfer)"))
    assert not loaded & {
        "torch",
        "torchvision",
        "timm",
        "transformers",
        "PIL",
        "sqlite3",
        "sklearn",
        "openvino",
    }


def test_importing_the_embedders_imports_no_torch():
    loaded = set(in_fresh_process("from sktransfer import ImageEmbedder, TextEmbedder"))
    assert "torch" not in loaded


def test_every_public_name_is_there_and_listed():
    import sktransfer

    assert set(sktransfer.__all__) <= set(dir(sktransfer))
    assert all(getattr(sktransfer, name) is not None for name in sktransfer.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Embedder'"):
        getattr(sktransfer, "Embedder")  # noqa: B009


def test_a_text_is_embedded_without_the_libraries_for_images():
    code = "from sktransfer import TextEmbedder; TextEmbedder(cache=False).fit_transform(['a'])"
    loaded = set(in_fresh_process(code))
    assert "transformers" in loaded
    assert not loaded & {"timm", "dask"}
