"""The manifest describes a file, and mismatching content is refused."""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageEmbedder, load, save
from sktransfer.exceptions import PersistenceError, VersionWarning
from tests.persistence._forging import COLUMN, members_of, write

FILES = Path(__file__).parent / "files"


@pytest.fixture
def model(vit):
    return make_pipeline(ImageEmbedder(str(vit)), LogisticRegression()).fit(COLUMN, [0, 1] * 3)


def test_a_file_describes_its_content(model, path):
    save(model, path, standalone=True)
    about = json.loads(members_of(path)["manifest.json"])
    assert about["versions"].keys() >= {"sktransfer", "scikit-learn", "torch", "numpy", "skops"}
    assert about["needs"][0]["fingerprint"] == model[0].fingerprint_
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
def test_other_library_versions_warn_once(library, version, warned, model, path):
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


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "other"}, "was not written by sktransfer.save"),
        ({"format_version": 4}, "has version 4 of the file format"),
        ({"versions": {"torch": 3}}, "damaged"),
        ({"standalone": 1}, "damaged"),
        ({"needs": []}, "lists of weights"),
        ({"needs": [{}]}, "damaged"),
        ({"members": {}}, "damaged"),
        ({"more": 1}, "damaged"),
    ],
)
def test_a_changed_manifest_is_refused(change, told, pipeline):
    members = members_of(pipeline)
    manifest = {**json.loads(members["manifest.json"]), **change}
    write(pipeline, {**members, "manifest.json": json.dumps(manifest).encode()}, mend=False)
    with pytest.raises(PersistenceError, match=told):
        load(pipeline)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"null", b'{"a": NaN}', b"\xff", b"[" * 99_999]
)
def test_an_invalid_manifest_is_refused(content, pipeline):
    write(pipeline, {**members_of(pipeline), "manifest.json": content}, mend=False)
    with pytest.raises(PersistenceError):
        load(pipeline)


@pytest.mark.parametrize("name", ["image_embedder.skt", "text_classifier.skt"])
def test_a_file_of_an_older_format_names_the_version_that_loads_it(name):
    with pytest.raises(PersistenceError, match=r"saved with sktransfer 0\.1\.0\.dev0: load it"):
        load(FILES / "0.1" / name)


def test_no_private_name_of_the_package_is_in_a_file(classifier):
    written = classifier.read_bytes()
    assert b"sktransfer._" not in written
    assert set(re.findall(rb'"__module__": "(sktransfer[\w.]*)"', written)) == {b"sktransfer"}
