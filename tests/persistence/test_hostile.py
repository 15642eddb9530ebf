"""Whatever a file says, nothing of it is executed, and nothing comes back half."""

import io
import json
import os
import pickle
import stat
import warnings
import zipfile

import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from sktransfer import ImageClassifier, ImageEmbedder, load, save
from sktransfer.exceptions import (
    BackboneError,
    PersistenceError,
    SktransferError,
    UntrustedError,
    WeightsError,
)
from tests._tiny import images
from tests.persistence._forging import (
    attacks,
    forge,
    members_of,
    node,
    unzipped,
    value,
    write,
    zipped,
)

COLUMN = list(images(6, size=32))
SIDES = [0, 1] * 3


@pytest.fixture(scope="module")
def genuine(tmp_path_factory, vit):
    """Return the bytes of a saved Pipeline, and of a fine-tuner that stands alone."""
    folder = tmp_path_factory.mktemp("genuine")
    model = make_pipeline(ImageEmbedder(str(vit)), LogisticRegression()).fit(COLUMN, SIDES)
    save(model, folder / "pipeline")
    classifier = ImageClassifier(str(vit), trainable=1, max_epochs=1, random_state=0)
    save(classifier.fit(COLUMN, SIDES), folder / "classifier", standalone=True)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def pipeline(genuine, path):
    path.write_bytes(genuine["pipeline"])
    return path


@pytest.fixture
def classifier(genuine, path):
    path.write_bytes(genuine["classifier"])
    return path


@pytest.fixture
def canary(tmp_path):
    """Return a file that only executed code can make; the test fails if it is there."""
    file = tmp_path / "canary"
    yield file
    assert not file.exists()


def with_step(new):
    """Return a change that puts a node in the place of a Pipeline's first step."""

    def change(root):
        steps = root["content"]["content"]["steps"]["content"]
        steps[0]["content"][1] = new

    return change


@pytest.mark.parametrize("kind", attacks(""))
def test_a_node_that_would_run_something_is_refused(kind, pipeline, canary):
    attack = attacks(f"touch {canary}")[kind]
    forge(pipeline, with_step(attack))
    with pytest.raises(PersistenceError):
        load(pipeline)
    forge(pipeline, lambda root: attack)
    with pytest.raises(PersistenceError):
        load(pipeline)


def test_all_unknown_types_are_listed_at_once_with_their_places(pipeline, canary):
    strangers = [node("FunctionNode", "os.system"), node("ObjectNode", "shutil.Rm", content=None)]
    forge(pipeline, with_step(node("ListNode", "builtins.list", content=strangers)))
    with pytest.raises(UntrustedError) as caught:
        load(pipeline)
    assert caught.value.types == ("os.system", "shutil.Rm")
    assert "os.system (at .steps[0][1][0])" in str(caught.value)
    assert "shutil.Rm (at .steps[0][1][1])" in str(caught.value)


def doubled(values):
    CALLS.append(values)


float64 = doubled
CALLS = []


@pytest.mark.parametrize(
    "attack",
    [
        node("ConstructorFromReduceNode", f"{__name__}.doubled", content=value((1,))),
        {**value({"a": 1}), "__module__": __name__, "__class__": "doubled"},
        node("ListNode", f"{__name__}.doubled", content=[value(1)]),
        node("NdArrayNode", f"{__name__}.float64", type="numpy", file="0.npy"),
        node(
            "LossNode",
            f"{__name__}.doubled",
            content=value({}),
            __reduce__={"args": value((1,))},
        ),
        {
            **value({"a": 1}),
            "key_types": node(
                "ListNode", "builtins.list", content=[node("FunctionNode", f"{__name__}.doubled")]
            ),
        },
    ],
    ids=["constructor", "dict", "list", "array", "loss", "keys"],
)
def test_a_trusted_function_is_not_called_by_the_file(attack, path):
    save(make_pipeline(FunctionTransformer(doubled, kw_args={"more": np.zeros(1)})), path)
    forge(path, with_step(attack))
    with pytest.raises(PersistenceError):
        load(path, trusted=[doubled, f"{__name__}.float64"])
    assert not CALLS


@pytest.mark.parametrize("protocol", [0, 1, 99, -1, True, None, "2"])
def test_only_the_protocol_that_is_written_is_read(protocol, pipeline):
    forge(pipeline, lambda root: root.update(protocol=protocol))
    with pytest.raises(PersistenceError):
        load(pipeline)


def test_one_number_stands_for_one_object(pipeline):
    def change(root):
        content = root["content"]["content"]
        content["memory"]["__id__"] = content["verbose"]["__id__"]

    forge(pipeline, change)
    with pytest.raises(PersistenceError, match="two objects are called"):
        load(pipeline)


@pytest.mark.parametrize("depth", [150, 3_000, 200_000])
def test_a_nest_without_end_is_refused(depth, pipeline):
    members = members_of(pipeline)
    before = '{"__class__":"list","__module__":"builtins","__loader__":"ListNode","content":['
    schema = before * depth + "]}" * depth
    members["estimator.skops"] = zipped({"schema.json": f'{schema[:-1]},"protocol":2}}'.encode()})
    write(pipeline, members)
    with pytest.raises(PersistenceError):
        load(pipeline)


def replaced(genuine, old, new):
    """Return a skops file with another array in the place of the first of a kind."""
    inner = unzipped(genuine)
    name = next(n for n, c in inner.items() if old(n, c))
    return zipped({**inner, name: new})


def npy(values, **options):
    buffer = io.BytesIO()
    np.save(buffer, values, **options)
    return buffer.getvalue()


class Evil:
    """Would run a command where its pickle is read."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def header(shape, descr="<f8"):
    buffer = io.BytesIO()
    about = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, about)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        lambda command: npy(np.array([Evil(command)], dtype=object), allow_pickle=True),
        lambda command: pickle.dumps(Evil(command)),
        lambda command: header((1 << 40,)),
        lambda command: header((1 << 40, 0)),
        lambda command: header((1 << 40,), "|S0"),
        lambda command: header((-8,)) + b"0" * 64,
        lambda command: npy(np.zeros(3))[:-1],
        lambda command: b"",
    ],
    ids=["objects", "pickle", "huge", "empty", "no width", "negative", "short", "nothing"],
)
def test_an_array_that_is_none_is_refused(array, pipeline, canary):
    members = members_of(pipeline)
    members["estimator.skops"] = replaced(
        members["estimator.skops"],
        lambda name, content: name.endswith(".npy"),
        array(f"touch {canary}"),
    )
    write(pipeline, members)
    with pytest.raises(PersistenceError):
        load(pipeline)


@pytest.mark.parametrize("kind", ["void", "bytes_", "memmap", "str_", "object_"])
def test_a_number_becomes_no_memory(kind, path):
    save([np.int64(1 << 40)], path)
    forge(path, lambda root: root["content"][0].update(__class__=kind))
    with pytest.raises(PersistenceError):
        load(path)


def test_a_random_state_that_points_out_of_its_memory_is_refused(path):
    save(LogisticRegression(random_state=np.random.RandomState(0)), path)

    def change(root):
        state = root["content"]["content"]["random_state"]["content"]["content"]["state"]
        state["content"]["pos"]["content"] = "100000000"

    forge(path, change)
    with pytest.raises(PersistenceError, match="no state of numpy"):
        load(path)


def test_a_sparse_matrix_that_points_out_of_its_memory_is_refused(path):
    save([scipy.sparse.csr_matrix(np.eye(3))], path)
    members = members_of(path)
    matrix = scipy.sparse.csr_matrix(np.eye(3))
    matrix.indices[1] = 10**9
    buffer = io.BytesIO()
    scipy.sparse.save_npz(buffer, matrix)
    forged = replaced(
        members["estimator.skops"], lambda name, content: name.endswith(".npz"), buffer.getvalue()
    )
    write(path, {**members, "estimator.skops": forged})
    with pytest.raises(PersistenceError, match=r"is damaged"):
        load(path)


def test_a_sparse_matrix_of_terabytes_is_refused(path, monkeypatch):
    from sktransfer.persistence import _content

    monkeypatch.setattr(_content, "_LARGEST_SPARSE", 1_000)
    with pytest.raises(PersistenceError, match="bytes"):
        save([scipy.sparse.csr_matrix(np.eye(300))], path)


def test_support_vectors_that_do_not_fit_together_are_refused(path):
    X = np.random.default_rng(0).normal(size=(20, 2))
    save(SVC().fit(X, np.arange(20) % 2), path)

    def change(root):
        content = root["content"]["content"]
        content["_dual_coef_"]["file"] = content["_intercept_"]["file"]

    forge(path, change)
    with pytest.raises(PersistenceError, match="do not fit together"):
        load(path)


def test_a_checkpoint_of_pickled_code_is_not_run(pipeline, canary, tmp_path):
    evil = tmp_path / "evil.pth"
    evil.write_bytes(pickle.dumps(Evil(f"touch {canary}"), protocol=2))

    def change(root):
        embedder = root["content"]["content"]["steps"]["content"][0]["content"][1]
        embedder["content"]["content"]["weights"] = value(str(evil))

    forge(pipeline, change)
    with pytest.raises(WeightsError, match="cannot be read as tensors"):
        load(pipeline)


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
        ({"format": "other"}, "nothing that sktransfer.save has written"),
        ({"format_version": 2}, "another version of this format"),
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
    write(pipeline, {**members, "manifest.json": json.dumps(manifest).encode()}, mended=False)
    if "members" in change:
        told = "not in its list"
    with pytest.raises(PersistenceError, match=told):
        load(pipeline)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"null", b'{"a": NaN}', b"\xff", b"[" * 99_999]
)
def test_a_manifest_that_is_none_is_refused(content, pipeline):
    write(pipeline, {**members_of(pipeline), "manifest.json": content}, mended=False)
    with pytest.raises(PersistenceError):
        load(pipeline)


def tensors(change):
    """Return a change of the members that changes the trained tensors of a fine-tuner."""
    from safetensors.torch import load as read
    from safetensors.torch import save as written_tensors

    def changed(members):
        name = "trained/0.safetensors"
        return {**members, name: written_tensors(change(read(members[name])))}

    return changed


def first_with(change):
    def changed(found):
        name = max(found, key=lambda n: found[n].numel())
        return {**found, name: change(found[name])}

    return changed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (tensors(first_with(lambda t: t[:1])), "of another shape"),
        (tensors(first_with(lambda t: t.double())), "of another type"),
        (tensors(lambda found: dict(list(found.items())[1:])), "missing"),
        (tensors(lambda found: {**found, "network.more": found["head.mean"] + 1}), "unexpected"),
    ],
)
def test_trained_weights_that_do_not_fit_are_listed(change, told, classifier):
    write(classifier, change(members_of(classifier)))
    with pytest.raises(WeightsError, match=told):
        load(classifier)


@pytest.mark.parametrize("name", ["trained/0.safetensors", "backbones/0.safetensors"])
@pytest.mark.parametrize("size", [0, 7, 100, 1_000])
def test_tensors_that_are_cut_are_refused(name, size, classifier):
    members = members_of(classifier)
    write(classifier, {**members, name: members[name][:size]})
    with pytest.raises(SktransferError):
        load(classifier)


def test_weights_under_a_false_fingerprint_are_refused(classifier):
    members = members_of(classifier)
    manifest = json.loads(members["manifest.json"])
    manifest["needs"][0]["fingerprint"] = "0" * 32
    write(classifier, {**members, "manifest.json": json.dumps(manifest).encode()})
    with pytest.raises(WeightsError, match="not those that it was fitted with"):
        load(classifier)


def test_an_estimator_without_its_attributes_is_refused(classifier):
    forge(classifier, lambda root: root.update(content=None))
    with pytest.raises(PersistenceError, match="lacks its attributes"):
        load(classifier)


def test_a_fine_tuner_without_what_it_learned_is_refused(classifier):
    def change(root):
        state = root["content"]
        del state["content"]["_kept"]
        state["key_types"]["content"].pop()

    forge(classifier, change)
    with pytest.raises(PersistenceError, match="lists of weights"):
        load(classifier)


@pytest.mark.parametrize("name", ["backbone", "lr", "_task", "classes_", "fingerprint_"])
def test_an_estimator_that_lacks_one_of_its_attributes_is_refused(name, classifier):
    def change(root):
        state = root["content"]
        del state["content"][name]
        state["key_types"]["content"].pop()

    forge(classifier, change)
    if name == "classes_":  # it is not needed to be whole; scikit-learn says that it is missing
        assert load(classifier)
        return
    with pytest.raises(SktransferError):
        load(classifier)


def test_the_error_of_a_backbone_is_no_other_error(classifier):
    members = members_of(classifier)
    about = json.loads(members["backbones/0.json"])
    about["blueprint"]["builder"] = "module"
    write(classifier, {**members, "backbones/0.json": json.dumps(about).encode()})
    with pytest.raises(BackboneError, match="no builder"):
        load(classifier)


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


def test_a_pipeline_that_was_written_anew_still_loads(pipeline):
    forge(pipeline, lambda root: None)
    assert load(pipeline).predict(COLUMN).shape == (6,)


def test_a_fine_tuner_that_was_written_anew_still_loads(classifier):
    forge(classifier, lambda root: None)
    assert load(classifier).predict(COLUMN).shape == (6,)
