"""Files are written whole or not at all, and say by what they were written."""

import json
import os
import signal
import stat
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageEmbedder, load, save
from sktransfer.exceptions import VersionWarning
from sktransfer.persistence import _archive
from tests.persistence._forging import COLUMN, forge, members_of, write


@pytest.fixture
def model(vit):
    return make_pipeline(ImageEmbedder(str(vit)), LogisticRegression()).fit(COLUMN, [0, 1] * 3)


def test_an_older_file_stays_as_it_was_if_the_disk_is_full(model, path, monkeypatch):
    save(model, path)
    before = path.read_bytes()

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(LogisticRegression(), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


class Killing:
    """A file that kills the process after some bytes."""

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
def test_an_older_file_stays_as_it_was_if_the_process_is_killed(after, path, monkeypatch):
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
def test_the_mode_of_a_file_is_as_the_umask_says(umask, path):
    before = os.umask(umask)
    try:
        save(LogisticRegression(), path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_link_stays_a_link(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    save(LogisticRegression(), link)
    assert link.is_symlink()
    assert isinstance(load(path), LogisticRegression)


def test_a_folder_that_is_not_there_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        save(LogisticRegression(), tmp_path / "nowhere" / "model")


def test_a_file_says_what_is_in_it(model, path):
    save(model, path, standalone=True)
    about = json.loads(members_of(path)["manifest.json"])
    assert about["versions"].keys() >= {"sktransfer", "scikit-learn", "torch", "numpy", "skops"}
    assert about["needs"][0]["fingerprint"] == model[0].fingerprint_
    assert "sklearn.linear_model._logistic.LogisticRegression" in about["types"]
    assert about["members"].keys() == members_of(path).keys() - {"manifest.json"}


@pytest.mark.parametrize(
    ("library", "version", "warned"),
    [
        ("torch", "1.13.1", True),
        ("torch", "2.0.0", False),
        ("scikit-learn", "1.2.0", True),
        ("sktransfer", "9.9", True),
        ("timm", "0.1", False),
    ],
)
def test_other_versions_are_told_once(library, version, warned, model, path):
    save(model, path)
    members = members_of(path)
    about = json.loads(members["manifest.json"])
    about["versions"][library] = version
    write(path, {**members, "manifest.json": json.dumps(about).encode()})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = load(path)
    assert [w.category for w in caught] == [VersionWarning] * warned
    assert all(f"{library} {version} (here" in str(w.message) for w in caught)
    assert all(w.filename == __file__ for w in caught)
    np.testing.assert_array_equal(loaded.predict_proba(COLUMN), model.predict_proba(COLUMN))


def test_scikit_learn_does_not_warn_beside_it(model, path):
    def change(root):
        steps = root["content"]["content"]["steps"]["content"]
        for estimator in (root, *(step["content"][1] for step in steps)):
            state = estimator["content"]["content"]
            if "_sklearn_version" in state:
                state["_sklearn_version"]["content"] = '"1.2.0"'

    save(model, path)
    forge(path, change)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(path)
