"""The rooms of the package: which may import which, and what an import costs."""

import ast
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "sktransfer"

# Rooms import only from floors below their own.
FLOORS = [
    {"exceptions", "_compat", "_forks", "_paths", "_public", "_table", "_version"},
    {"_parameters", "_randomness", "_runtime", "_warnings", "lazy"},
    {"columns", "cache"},
    {"modalities"},
    {"backbones"},
    {"compute"},
    {"training"},
    {"base"},
    {"embedders", "finetune", "pretrain"},
    {"neighbors", "recommend", "tables", "zero_shot"},
    {"inspection", "persistence"},
    {"__init__", "__main__"},
]

# Libraries that are imported in one place: a room or a file.
ONLY_IN = {
    "PIL": ("modalities/image/",),
    "pydicom": ("modalities/image/_dicom",),
    "imagecodecs": ("modalities/image/_dicom_jpeg.py",),
    "nibabel": ("modalities/image/_nifti.py",),
    "soundfile": ("modalities/audio/",),
    "soxr": ("modalities/audio/_decode_audio.py",),
    "narwhals": ("columns/",),
    "pyarrow": ("columns/",),
    "sqlite3": ("cache/",),
    "torchvision": (
        "backbones/torchvision/",
        "modalities/image/_boxed_image.py",
        "modalities/image/_image_augmentation.py",
        "modalities/image/_mask_augmentation.py",
        "modalities/image/_paired_augmentation.py",
        "training/targets/_boxes.py",
    ),
    "timm": ("backbones/timm/",),
    "transformers": (
        "backbones/huggingface/_generation.py",
        "backbones/huggingface/_transformers.py",
        "backbones/huggingface/_writing_tokenizer.py",
    ),
    "ctranslate2": ("backbones/speech/_ctranslate2_speech.py",),
    "openvino": ("compute/engines/_openvino.py",),
    "skops": ("persistence/_skops.py",),
    "skorch": (
        *("training/_loop.py", "training/_monitor.py"),
        *("training/_learning_rate_range.py", "training/_feature_quality.py"),
    ),
    "dask": ("lazy/_dask.py",),
    "accelerate": ("training/_processes.py",),
    "onnx": ("persistence/_export_onnx.py",),
    "onnxscript": ("persistence/_export_onnx.py",),
    "usearch": ("neighbors/_approximate_index.py",),
    "peft": ("training/strategies/_lora.py",),
}

FILES = sorted(PACKAGE.rglob("*.py"))


def place_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Return the modules, and the names in modules, that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place_of(path)} imports relative to itself"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def imported_files(path: Path) -> Iterator[Path]:
    """Yield the files of the package that a file imports, also in functions and for types."""
    for name in imports_of(path):
        found = MODULES.get(name) or MODULES.get(name.rpartition(".")[0])
        if found is not None and found != path:
            yield found


def test_every_room_is_on_a_floor_and_every_room_on_a_floor_exists():
    assert set().union(*FLOORS) == {room_of(path) for path in FILES}


def test_file_names_are_unique():
    names = Counter(path.name for path in FILES if not path.name.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []


def test_imports_only_go_down():
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    wrong = [
        f"{place_of(path)} imports {place_of(other)}"
        for path in FILES
        for other in imported_files(path)
        if room_of(other) != room_of(path) and floor[room_of(other)] >= floor[room_of(path)]
        if place_of(other) != "__init__.py"  # of the root: for the names of submodules
    ]
    assert not wrong, "\n".join(wrong)


def test_no_file_imports_itself_indirectly():
    done: set[Path] = set()

    def visit(path: Path, way: tuple[Path, ...]) -> None:
        assert path not in way, " -> ".join(map(place_of, (*way[way.index(path) :], path)))
        if path not in done:
            for other in imported_files(path):
                visit(other, (*way, path))
            done.add(path)

    for path in FILES:
        visit(path, ())


def test_no_private_name_is_imported_across_rooms():
    wrong = []
    for path in FILES:
        for name in imports_of(path):
            parts = name.split(".")
            private = [p for p in parts[2:] if p.startswith("_") and not p.endswith("__")]
            if parts[0] == "sktransfer" and private and parts[1] != room_of(path):
                wrong.append(f"{place_of(path)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_a_library_is_imported_in_one_place():
    wrong = [
        f"{place_of(path)} imports {library}"
        for library, places in ONLY_IN.items()
        for path in FILES
        if any(name.split(".")[0] == library for name in imports_of(path))
        if not place_of(path).startswith(places)
    ]
    assert not wrong, "\n".join(wrong)


def test_columns_modalities_and_cache_import_torch_only_in_functions():
    for path in FILES:
        if room_of(path) in {"cache", "columns", "modalities"}:
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    assert "torch" not in ast.unparse(node), place_of(path)


def test_no_modality_is_named_outside_its_folder_sources_and_estimators():
    """A new modality needs no branch elsewhere: see `tests/contracts/`."""
    may_name = (
        *(
            "modalities/",
            "embedders/",
            "finetune/_audio",
            "finetune/_image",
            "finetune/_object",
            "finetune/_text",
            "finetune/__init__.py",
        ),
        *("pretrain/_image", "pretrain/_text", "pretrain/__init__.py"),
        *(
            "base/_audio",
            "base/_image",
            "base/_text",
            "base/__init__.py",
            "__init__.py",
            "_public.py",
            "zero_shot/",
        ),
        *(
            f"backbones/{source}"
            for source in ("_text", "bundled", "log_mel", "module", "timm", "torchvision")
        ),
        "backbones/huggingface/",
        "backbones/speech/",
    )
    wrong = []
    for path in FILES:
        if place_of(path).startswith(may_name):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            named = isinstance(node, ast.Constant) and node.value in ("image", "text", "audio")
            named |= isinstance(node, ast.Name) and node.id.startswith(("Image", "Text", "Audio"))
            if named:
                wrong.append(f"{place_of(path)}:{node.lineno}")
    assert not wrong, "\n".join(wrong)


def in_fresh_process(code: str) -> list[str]:
    """Return the modules that are loaded after `code`."""
    code += "\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_importing_the_package_imports_no_heavy_library():
    loaded = set(in_fresh_process("import sktransfer; dir(sktransfer)"))
    heavy = {"torch", "torchvision", "timm", "transformers", "PIL", "sklearn", "openvino"}
    assert not loaded & heavy


def test_importing_the_embedders_imports_no_torch():
    loaded = set(in_fresh_process("from sktransfer import ImageEmbedder, SpeechTranscriber"))
    assert "torch" not in loaded


def test_every_public_name_exists_and_is_listed():
    import sktransfer

    assert set(sktransfer.__all__) <= set(dir(sktransfer))
    assert all(getattr(sktransfer, name) is not None for name in sktransfer.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Embedder'"):
        getattr(sktransfer, "Embedder")  # noqa: B009


def test_embedding_texts_imports_no_image_libraries():
    code = "from sktransfer import TextEmbedder; TextEmbedder(cache=False).fit_transform(['a'])"
    loaded = set(in_fresh_process(code))
    assert "transformers" in loaded
    assert not loaded & {"timm", "dask"}
