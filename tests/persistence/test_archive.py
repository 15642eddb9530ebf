"""Files are written completely or not at all, and foreign archives are refused."""

import io
import os
import pickle
import signal
import stat
import warnings
import zipfile

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageEmbedder, load, save
from sktransfer.exceptions import PersistenceError
from sktransfer.persistence import _archive
from tests.faults.artefact_files import unzipped, zipped
from tests.persistence._forging import COLUMN


@pytest.fixture
def model(vit):
    return make_pipeline(ImageEmbedder(str(vit)), LogisticRegression()).fit(COLUMN, [0, 1] * 3)


def test_a_full_disk_leaves_the_older_file_unchanged(model, path, monkeypatch):
    save(model, path)
    before = path.read_bytes()

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        save(LogisticRegression(), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


class Killing:
    """A file that kills the process after a number of bytes."""

    def __init__(self, file, after):
        self.file, self.left = file, after

    def write(self, content):
        self.left -= len(content)
        if self.left < 0:
            self.file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.file.write(content)

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
@pytest.mark.parametrize("after", [0, 30_000, 50_050])
def test_a_killed_process_leaves_the_older_file_unchanged(after, path, monkeypatch):
    _archive.write_file({"old": b"o" * 1_000}, path)
    before, plain = path.read_bytes(), _archive._write
    monkeypatch.setattr(_archive, "_write", lambda m, file: plain(m, Killing(file, after)))
    child = os.fork()
    if not child:
        try:
            _archive.write_file({"new": b"n" * 50_000}, path)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="has no umask")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_mode_of_a_file_follows_the_umask(umask, path):
    before = os.umask(umask)
    try:
        save(LogisticRegression(), path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_link_is_preserved(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    save(LogisticRegression(), link)
    assert link.is_symlink()
    assert isinstance(load(path), LogisticRegression)


@pytest.mark.parametrize("folder", ["nowhere", "file"])
def test_an_error_of_the_system_names_the_path_of_the_user(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    with pytest.raises((FileNotFoundError, NotADirectoryError)) as caught:
        save(LogisticRegression(), f"{folder}/model")
    assert caught.value.filename == f"{folder}/model"
    assert "part" not in str(caught.value)


def renamed(archive_bytes, change):
    """Return a zip in which `change` was applied to each entry before writing."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate names
        for name, content in unzipped(archive_bytes).items():
            for entry, inside in change(zipfile.ZipInfo(name), content):
                archive.writestr(entry, inside)
    return buffer.getvalue()


def link(entry, content):
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    yield entry, content


def compressed(entry, content):
    entry.compress_type = zipfile.ZIP_DEFLATED
    yield entry, content


def duplicated(entry, content):
    yield entry, content
    yield zipfile.ZipInfo(entry.filename), content


def outside(entry, content):
    yield entry, content
    yield zipfile.ZipInfo(f"../{entry.filename}"), content


def with_extra_member(entry, content):
    yield entry, content
    yield zipfile.ZipInfo("trained/7.safetensors"), content


def without_a_member(entry, content):
    if entry.filename == "manifest.json":
        yield entry, content


def bomb(entry, content):
    entry.compress_type = zipfile.ZIP_DEFLATED
    yield entry, b"\0" * 50_000_000


@pytest.mark.parametrize(
    "change", [link, compressed, duplicated, outside, with_extra_member, without_a_member, bomb]
)
def test_archives_that_save_does_not_write_are_refused(change, pipeline):
    pipeline.write_bytes(renamed(pipeline.read_bytes(), change))
    with pytest.raises(PersistenceError):
        load(pipeline)
    assert sorted(p.name for p in pipeline.parent.iterdir()) == ["model.skt"]


def test_a_file_larger_inside_than_outside_is_refused(pipeline):
    content = bytearray(pipeline.read_bytes())
    start = content.rindex(b"PK\x01\x02")
    for offset in (20, 24):  # sizes of the last entry, compressed and uncompressed
        content[start + offset : start + offset + 4] = (1 << 31).to_bytes(4, "little")
    pipeline.write_bytes(content)
    with pytest.raises(PersistenceError, match="larger than the whole"):
        load(pipeline)


def test_a_path_that_is_not_a_file_is_refused_immediately(tmp_path):
    with pytest.raises(PersistenceError, match="is a folder, pipe or device; pass"):
        load(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(PersistenceError, match="is a folder, pipe or device; pass"):
            load(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")


@pytest.mark.parametrize(
    "write_other",
    [
        lambda path: path.write_bytes(pickle.dumps(LogisticRegression())),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("<html>"),
        lambda path: __import__("skops.io").io.dump(LogisticRegression(), path),
        lambda path: path.write_bytes(zipped({})),
    ],
    ids=["pickle", "empty", "text", "skops", "zip"],
)
def test_another_kind_of_file_is_refused(write_other, path):
    write_other(path)
    with pytest.raises(PersistenceError):
        load(path)


def test_only_files_are_replaced(tmp_path):
    with pytest.raises(PersistenceError, match="is a folder, pipe or device; pass"):
        _archive.write_file({}, tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(PersistenceError, match="is a folder, pipe or device; pass"):
            _archive.write_file({}, tmp_path / "pipe")
        assert (tmp_path / "pipe").is_fifo()
