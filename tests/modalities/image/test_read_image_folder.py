"""A folder of images in one folder per class becomes a table; nothing is left out silently."""

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from sktransfer import ImageClassifier, ImageEmbedder, read_image_folder
from sktransfer.exceptions import BadCellError, ColumnError, LeftOutWarning
from tests._tiny import tiny_network


@pytest.fixture
def folder(tmp_path):
    for name in ("b dog/2.JPG", "b dog/poodle/1.png", "a cat/1.webp", "a cat/10.jpg"):
        put(tmp_path / name)
    return tmp_path


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (len(path.name) * 9, 5, 6)).save(path)


def test_the_label_is_the_folder_directly_below(folder):
    table = read_image_folder(folder)
    assert list(table.columns) == ["path", "label"]
    names = ["a cat/1.webp", "a cat/10.jpg", "b dog/2.JPG", "b dog/poodle/1.png"]
    assert table["path"].tolist() == [str(folder / name) for name in names]
    assert table["label"].tolist() == ["a cat", "a cat", "b dog", "b dog"]


def test_estimators_take_the_columns(folder):
    table = read_image_folder(str(folder))
    assert ImageEmbedder(tiny_network()).fit_transform(table["path"]).shape == (4, 6)
    classifier = ImageClassifier(tiny_network(), max_epochs=1)
    assert classifier.fit(table["path"], table["label"]).classes_.tolist() == ["a cat", "b dog"]


def test_a_relative_path_and_a_home_folder_are_found(folder, monkeypatch):
    expected = read_image_folder(folder)
    monkeypatch.chdir(folder.parent)
    assert read_image_folder(folder.name).equals(expected)
    monkeypatch.setenv("HOME", str(folder.parent))
    assert read_image_folder(f"~/{folder.name}").equals(expected)


def test_hidden_files_and_files_of_operating_systems_are_ignored(folder):
    expected = read_image_folder(folder)
    for name in (".DS_Store", "a cat/._1.webp", "a cat/Thumbs.db", ".cache/c/1.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    assert read_image_folder(folder).equals(expected)


def test_a_warning_counts_the_files_left_out(folder):
    expected = read_image_folder(folder)
    put(folder / "cover.png")
    for name in ("a cat/notes.txt", "a cat/more.txt", "b dog/1.heic", "b dog/README"):
        (folder / name).write_bytes(b"")
    message = r"left out 5 files .*\.txt \(2\), .*directly in it \(1\).*; the first is "
    with pytest.warns(LeftOutWarning, match=message):
        assert read_image_folder(folder).equals(expected)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_links_are_followed_but_not_in_a_circle(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    put(other / "1.png")
    (folder / "c bird").symlink_to(other)
    (folder / "a cat" / "again").symlink_to(folder)
    table = read_image_folder(folder)
    assert table["label"].tolist() == ["a cat"] * 2 + ["b dog"] * 2 + ["c bird"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "has no images in folders; expected one folder per class"),
        (lambda root: put(root / "1.png"), "has no images in folders"),
        (
            lambda root: put(root / "cats.d" / "1.png") or (root / "dogs").mkdir(),
            "folder 'dogs' of",
        ),
    ],
)
def test_a_folder_of_another_form_is_refused(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(ColumnError, match=message):
        read_image_folder(tmp_path)


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (["Test/cat/1.png", "train/cat/1.png"], r"Read each by itself: .*Test'\)"),
        (["holdout/cat/1.png", "train/cat/1.png"], r"Read each by itself: .*holdout'\)"),
        (["test/1.png", "train/cat/1.png"], r"Read each by itself: .*train'\)"),
        (["test_set/test_set/a/1.png", "training_set/b/1.png"], r"itself: .*test_set'\)"),
        (["test/1.png", "train/1.png"], "no folders of classes: pass the paths"),
        (["train2017/1.png", "val2017/1.png"], "no folders of classes: pass the paths"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_parts_of_a_data_set_are_not_taken_for_classes(tmp_path, names, advice):
    for name in names:
        put(tmp_path / name)
    with pytest.raises(ColumnError, match=f"parts of a data set, not classes. .*{advice}"):
        read_image_folder(tmp_path)


@pytest.mark.parametrize("other", ["car", "dev board", "tests", "training shoes", "trainer"])
def test_classes_may_be_named_nearly_like_parts_of_a_data_set(tmp_path, other):
    put(tmp_path / "train" / "1.png")
    put(tmp_path / other / "1.png")
    assert sorted(read_image_folder(tmp_path)["label"]) == sorted([other, "train"])


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode here")
def test_names_that_are_not_utf_8_are_read(folder):
    names = [b"a cat/\xe9.png", b"d\xf6g/1.png"]
    paths = [os.path.join(folder, os.fsdecode(name)) for name in names]  # noqa: PTH118
    for path in paths:
        put(Path(path))
    table = read_image_folder(folder)
    assert table.dtypes.tolist() == [object, object]
    assert set(paths) <= set(table["path"])
    assert ImageEmbedder(tiny_network()).fit_transform(table["path"]).shape == (6, 6)
    classifier = ImageClassifier(tiny_network(), max_epochs=1)
    assert os.fsdecode(b"d\xf6g") in classifier.fit(table["path"], table["label"]).classes_
    Path(paths[0]).write_bytes(b"")
    with pytest.raises(BadCellError, match=r"udce9.png': .* empty"):
        ImageEmbedder(tiny_network()).fit_transform(table["path"])


def test_what_is_no_folder_is_refused(folder):
    with pytest.raises(
        ColumnError, match="does not exist; pass a folder with one folder per class"
    ):
        read_image_folder(folder / "missing")
    with pytest.raises(ColumnError, match="home folder of '~nobody-here/x' is unknown"):
        read_image_folder("~nobody-here/x")
    with pytest.raises(ColumnError, match="is not a folder"):
        read_image_folder(folder / "a cat" / "1.webp")
