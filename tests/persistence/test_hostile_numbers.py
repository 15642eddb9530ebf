"""Numbers in a file that would make compiled code read where it must not are refused."""

import io
import pickle

import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from sktransfer import load, save
from sktransfer.exceptions import PersistenceError
from tests.faults.artefact_files import Evil, unzipped, zipped
from tests.persistence._forging import forge, members_of, write


def replaced(genuine, old, new):
    """Return a skops file with another array in the place of the first of a kind."""
    inner = unzipped(genuine)
    name = next(n for n, c in inner.items() if old(n, c))
    return zipped({**inner, name: new})


def npy(values, **options):
    buffer = io.BytesIO()
    np.save(buffer, values, **options)
    return buffer.getvalue()


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
