"""Values in a file that would cause out-of-bounds access in compiled code are refused."""

import io
import pickle

import numpy as np
import pytest
import scipy.sparse
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer
from sklearn.svm import SVC

from sktransfer import load, save
from sktransfer.exceptions import PersistenceError, UntrustedError
from sktransfer.persistence import _trust
from sktransfer.persistence._trust import BOOSTED_TREE
from tests.faults.artefact_files import Evil, node, unzipped, zipped
from tests.persistence._forging import forge, members_of, write

NUMBERS = np.random.default_rng(0).normal(size=(60, 3))


def replaced(genuine, old, new):
    """Return a skops file in which the first array of a kind is replaced."""
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
def test_an_invalid_array_is_refused(array, pipeline, canary):
    members = members_of(pipeline)
    members["estimator.skops"] = replaced(
        members["estimator.skops"],
        lambda name, content: name.endswith(".npy"),
        array(f"touch {canary}"),
    )
    write(pipeline, members)
    with pytest.raises(PersistenceError):
        load(pipeline)


@pytest.mark.parametrize("kind", ["void", "bytes_", "memmap"])
def test_a_number_is_not_used_as_a_memory_view(kind, path):
    save([np.int64(1 << 40)], path)
    forge(path, lambda root: root["content"][0].update(__class__=kind))
    with pytest.raises(PersistenceError):
        load(path)


def test_a_random_state_with_an_invalid_position_is_refused(path):
    save(LogisticRegression(random_state=np.random.RandomState(0)), path)

    def change(root):
        state = root["content"]["content"]["random_state"]["content"]["content"]["state"]
        state["content"]["pos"]["content"] = "100000000"

    forge(path, change)
    with pytest.raises(PersistenceError, match="no state of numpy"):
        load(path)


def test_a_sparse_matrix_with_invalid_indices_is_refused(path):
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
    monkeypatch.setattr(_trust, "_LARGEST_SPARSE", 1_000)
    with pytest.raises(PersistenceError, match="bytes"):
        save([scipy.sparse.csr_matrix(np.eye(300))], path)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: {"_dual_coef_": model._intercept_},
        lambda model: {"support_": np.append(model.support_, model.support_)},
        lambda model: {"_n_support": model._n_support + np.array([-99, 99], dtype=np.int32)},
        lambda model: {"_n_support": model._n_support + np.array([9, 9], dtype=np.int32)},
        lambda model: {"support_": model.support_ + np.int32(20), "kernel": "precomputed"},
        lambda model: {"support_": model.support_ - np.int32(20), "kernel": "precomputed"},
    ],
    ids=["coefficients", "longer", "negative", "more", "columns", "negative columns"],
)
def test_inconsistent_support_vectors_are_refused(change, path, monkeypatch):
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = SVC().fit(X, np.arange(20) % 2)
    vars(model).update(change(model))
    with monkeypatch.context() as unchecked:
        unchecked.setattr(_trust, "check_numbers", lambda root: None)
        save(model, path)
    with pytest.raises(PersistenceError, match="do not fit together"):
        load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"k": 9},
        {"k": -1},
        {"k": 3.0},
        {"_t": np.arange(5.0)},
        {"_t": np.arange(11.0)[::-1].copy()},
        {"_t": np.arange(11, dtype=np.float32)},
        {"_c": np.zeros((2, 7))},
        {"_asarray": np.mean},
        {"derivative": np.mean},
    ],
    ids=lambda change: "-".join(change),
)
def test_an_inconsistent_spline_is_refused(change, path, monkeypatch):
    model = SplineTransformer().fit(NUMBERS)
    vars(model.bsplines_[1]).update(change)
    with monkeypatch.context() as unchecked:
        unchecked.setattr(_trust, "check_numbers", lambda root: None)
        save(model, path)
    with pytest.raises(PersistenceError, match=r"bsplines_\[1\]' is damaged"):
        load(path)


@pytest.mark.parametrize(
    "forged",
    [{"pool_size": "1000000000000"}, {"pool_size": "8"}, {"pool_size": "true"}, {"entropy": '"a"'}],
    ids=repr,
)
def test_a_generator_that_would_allocate_memory_is_refused(forged, path):
    save([np.random.default_rng(0)], path)

    def change(root):
        state = root["content"][0]["content"]["seed_seq"]["content"]
        for name, content in forged.items():
            state[name]["content"] = content

    forge(path, change)
    with pytest.raises(PersistenceError):
        load(path)


@pytest.mark.parametrize("kind", ["MT19937", "Philox", "SFC64"])
def test_a_generator_with_an_invalid_buffer_position_is_refused(kind, path):
    with pytest.raises(PersistenceError, match="default_rng"):
        save([np.random.Generator(getattr(np.random, kind)(0))], path)


@pytest.fixture
def boosting(path):
    save(HistGradientBoostingClassifier(max_iter=3).fit(NUMBERS, NUMBERS[:, 0] > 0), path)
    return path


@pytest.mark.parametrize("targets", [NUMBERS[:, 0] > 0, np.arange(60) % 3], ids=["two", "three"])
def test_histogram_boosting_is_loaded(targets, path):
    model = make_pipeline(HistGradientBoostingClassifier(max_iter=3)).fit(NUMBERS, targets)
    save(model, path)
    loaded = load(path)
    np.testing.assert_array_equal(loaded.predict_proba(NUMBERS), model.predict_proba(NUMBERS))


def test_histogram_boosting_regression_is_loaded(path):
    model = HistGradientBoostingRegressor(max_iter=20).fit(NUMBERS, NUMBERS[:, 0])
    save([model, HistGradientBoostingRegressor()], path)
    np.testing.assert_array_equal(load(path)[0].predict(NUMBERS), model.predict(NUMBERS))


def with_nodes(path, change):
    """Change the nodes of the first tree of a saved model."""

    def is_tree(name, content):
        return name.endswith("npy") and b"feature_idx" in content[:600]

    members = members_of(path)
    inner = members["estimator.skops"]
    genuine = next(content for name, content in unzipped(inner).items() if is_tree(name, content))
    forged = npy(change(np.load(io.BytesIO(genuine))))
    write(path, {**members, "estimator.skops": replaced(inner, is_tree, forged)})


def entry(name, value, at=0):
    def change(nodes):
        nodes[name][at] = value
        return nodes

    return change


@pytest.mark.parametrize(
    "change",
    [
        entry("left", 10**6),
        entry("right", 10**6),
        entry("left", 0),  # an infinite loop
        entry("feature_idx", 3),
        entry("feature_idx", -1),
        entry("is_categorical", 1),
        entry("is_leaf", 0, at=-1),
        entry("is_leaf", 1),
        lambda nodes: nodes[:0],
        lambda nodes: nodes[:-1],
        lambda nodes: nodes[None],
    ],
)
def test_a_boosting_tree_with_invalid_node_indices_is_not_trusted(change, boosting):
    with_nodes(boosting, change)
    with pytest.raises(UntrustedError) as caught:
        load(boosting)
    assert caught.value.types == (BOOSTED_TREE,)


@pytest.mark.parametrize(
    "change",
    [
        lambda nodes: np.zeros(4),
        lambda nodes: nodes.astype([(n, ">f8") for n in nodes.dtype.names]),
    ],
)
def test_an_array_that_is_no_boosting_tree_is_refused(change, boosting):
    with_nodes(boosting, change)
    with pytest.raises(PersistenceError):
        load(boosting)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("n_features_in_", "0"),
        ("n_features_in_", "null"),
        ("n_features_in_", "1e9"),
        ("n_features_in_", None),
        ("warm_start", "true"),
        ("_in_fit", "true"),
        ("_preprocess_X", "1"),
        ("_preprocessor", "1"),
    ],
)
def test_boosting_without_its_number_of_features_is_not_trusted(name, content, boosting):
    def change(root):
        state = root["content"]
        kinds = state["key_types"]["content"]
        if content is None:
            del state["content"][name]
            kinds.pop()
            return
        if name not in state["content"]:
            kinds.append(node("TypeNode", "builtins.str"))
        state["content"][name] = node("JsonNode", "builtins.str", content=content, is_json=True)

    forge(boosting, change)
    with pytest.raises(UntrustedError) as caught:
        load(boosting)
    assert caught.value.types == (BOOSTED_TREE,)


@pytest.mark.filterwarnings("ignore::sktransfer.exceptions.UntrustedWarning")
def test_boosting_that_cannot_be_checked_is_loaded_if_the_user_trusts_it(path):
    model = HistGradientBoostingClassifier(max_iter=2, warm_start=True)
    model.fit(NUMBERS, NUMBERS[:, 0] > 0)
    save(model, path)
    with pytest.raises(UntrustedError, match="wrong ones crash"):
        load(path)
    loaded = load(path, trusted=[BOOSTED_TREE])
    np.testing.assert_array_equal(loaded.predict(NUMBERS), model.predict(NUMBERS))
