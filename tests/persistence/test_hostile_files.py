"""What is no file of ours, or is packed in another way, is refused."""

import io
import json
import os
import pickle
import stat
import warnings
import zipfile

import pytest
from sklearn.linear_model import LogisticRegression

from benchmarks._artefact_files import unzipped, zipped
from sktransfer import load
from sktransfer.exceptions import PersistenceError
from tests.persistence._forging import members_of, write


def renamed(archive_bytes, change):
    """Return a zip whose entries `change` has seen before they are written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
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


def twice(entry, content):
    yield entry, content
    yield zipfile.ZipInfo(entry.filename), content


def outside(entry, content):
    yield entry, content
    yield zipfile.ZipInfo(f"../{entry.filename}"), content


def more(entry, content):
    yield entry, content
    yield zipfile.ZipInfo("trained/7.safetensors"), content


def fewer(entry, content):
    if entry.filename == "manifest.json":
        yield entry, content


def bomb(entry, content):
    entry.compress_type = zipfile.ZIP_DEFLATED
    yield entry, b"\0" * 50_000_000


@pytest.mark.parametrize("change", [link, compressed, twice, outside, more, fewer, bomb])
def test_an_archive_that_save_does_not_write_is_refused(change, pipeline):
    pipeline.write_bytes(renamed(pipeline.read_bytes(), change))
    with pytest.raises(PersistenceError):
        load(pipeline)
    assert sorted(p.name for p in pipeline.parent.iterdir()) == ["model.skt"]


def test_a_file_larger_inside_than_outside_is_refused(pipeline):
    content = bytearray(pipeline.read_bytes())
    start = content.rindex(b"PK\x01\x02")
    for offset in (20, 24):  # sizes of the last entry, packed and unpacked
        content[start + offset : start + offset + 4] = (1 << 31).to_bytes(4, "little")
    pipeline.write_bytes(content)
    with pytest.raises(PersistenceError, match="larger than the whole"):
        load(pipeline)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "other"}, "was not written by sktransfer.save"),
        ({"format_version": 3}, "has version 3 of the file format"),
        ({"types": []}, "its list of types"),
        ({"types": [3]}, "damaged"),
        ({"standalone": 1}, "damaged"),
        ({"needs": []}, "lists of weights"),
        ({"needs": [{}]}, "damaged"),
        ({"members": {}}, "damaged"),
        ({"more": 1}, "damaged"),
    ],
)
def test_a_manifest_that_is_another_is_refused(change, told, pipeline):
    members = members_of(pipeline)
    manifest = {**json.loads(members["manifest.json"]), **change}
    write(pipeline, {**members, "manifest.json": json.dumps(manifest).encode()}, mend=False)
    with pytest.raises(PersistenceError, match=told):
        load(pipeline)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"null", b'{"a": NaN}', b"\xff", b"[" * 99_999]
)
def test_a_manifest_that_is_none_is_refused(content, pipeline):
    write(pipeline, {**members_of(pipeline), "manifest.json": content}, mend=False)
    with pytest.raises(PersistenceError):
        load(pipeline)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    with pytest.raises(PersistenceError, match="is no file"):
        load(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(PersistenceError, match="is no file"):
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
