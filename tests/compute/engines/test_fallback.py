"""torch runs networks that OpenVINO cannot run, with a warning."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sktransfer import ImageEmbedder, TextEmbedder, _runtime, cache_info, load, save
from sktransfer.compute.engines import _converted, _engine_names, _openvino
from sktransfer.exceptions import EngineError, EngineWarning, MemoryWarning
from tests._tiny import images, texts, tiny_network
from tests.embedders.test_reference_features import furthest


class Own(nn.Module):
    """A user's network with an additional operation on the features."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.finish(self.network(x))


class CountsRows(Own):
    def finish(self, rows):
        return rows * len(rows)


class LooksAtThem(Own):
    def forward(self, x):
        return self.network(x if x.mean() > 0 else -x)


class Draws(Own):
    def finish(self, rows):
        return rows + torch.rand(rows.shape)


class HasNoOperation(Own):
    def finish(self, rows):
        return torch.special.bessel_j0(rows)


class LeavesTorch(Own):
    def finish(self, rows):
        return torch.from_numpy(np.tanh(rows.numpy()) * rows.numpy().mean(1, keepdims=True))


CANNOT = {
    "counts its rows": CountsRows,
    "looks at them": LooksAtThem,
    "draws by chance": Draws,
    "no such operation": HasNoOperation,
    "leaves torch": LeavesTorch,
}


@pytest.mark.parametrize("why", CANNOT)
def test_a_network_that_cannot_be_converted_is_run_by_torch(why, cache_folder):
    kind = CANNOT[why]
    network = kind(tiny_network())
    torch.manual_seed(0)
    expected = ImageEmbedder(network, cache=False).fit_transform(images(5))
    torch.manual_seed(0)
    with pytest.warns(EngineWarning, match=f"cannot run '{kind.__name__}'.*torch computes"):
        found = ImageEmbedder(network, engine="openvino").fit_transform(images(5))
    if kind is not Draws:
        np.testing.assert_array_equal(found, expected)
    assert cache_info(cache_folder).rows == 5
    assert _converted._refused
    assert not _converted._compiled


class SeldomDecides(Own):
    def forward(self, x):
        return self.network(x) if (x[:, 0] != x[0, 0, 0, 0]).any() else self.network(x) * 2


def test_a_branch_that_the_probe_does_not_take_is_not_detected():
    network, blank = SeldomDecides(tiny_network()), np.zeros((1, 16, 16, 3), dtype=np.uint8)
    expected, found = (
        ImageEmbedder(network, engine=engine, cache=False).fit_transform(blank)
        for engine in ("torch", "openvino")
    )
    assert furthest(2 * found, expected) < 1e-5


def test_rows_of_the_fallback_are_cached_under_torch(cache_folder):
    network = HasNoOperation(tiny_network())
    with pytest.warns(EngineWarning, match="bessel_j0"):
        rows = ImageEmbedder(network, engine="openvino").fit_transform(images(5))
    before = cache_info()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no fallback happens
        for engine in ("torch", "openvino"):
            embedder = ImageEmbedder(network, engine=engine)
            np.testing.assert_array_equal(embedder.fit_transform(images(5)), rows)
    assert cache_info().computed == before.computed
    assert cache_info().asked - before.asked == 10


def test_a_refused_network_is_not_tried_again(cache_folder, conversions):
    network = HasNoOperation(tiny_network())
    for seed in range(3):
        with pytest.warns(EngineWarning, match="bessel_j0"):
            ImageEmbedder(network, engine="openvino").fit_transform(images(5, seed=seed))
    assert len(conversions) == 1


def test_a_failed_compilation_warns_with_its_reason(monkeypatch):
    def fail(*args):
        raise RuntimeError("Exception from src/core.cpp:7:\nno such thing")

    monkeypatch.setattr(_converted, "Compiled", fail)
    with pytest.warns(EngineWarning, match="in its place: RuntimeError: no such thing"):
        ImageEmbedder(tiny_network(), engine="openvino", cache=False).fit_transform(images(2))


def test_a_conversion_that_ran_out_of_memory_is_tried_again(monkeypatch, conversions):
    compiled = _converted.Compiled

    def fail(*args):
        raise RuntimeError("Failed to allocate 99 bytes of memory")

    embedder = ImageEmbedder(tiny_network(), engine="openvino", cache=False)
    monkeypatch.setattr(_converted, "Compiled", fail)
    with pytest.warns(EngineWarning, match="Failed to allocate"):
        embedder.fit_transform(images(2))
    monkeypatch.setattr(_converted, "Compiled", compiled)
    embedder.fit_transform(images(2))
    assert len(conversions) == 2


class Refusing:
    """An inference request that fails above a number of rows."""

    def __init__(self, request, most, message):
        self.request, self.most, self.message = request, most, message

    def infer(self, inputs, **options):
        if len(inputs[0]) > self.most:
            raise RuntimeError(self.message)
        return self.request.infer(inputs, **options)


def failing(monkeypatch, most, message):
    """Make compiled networks fail above `most` rows; return those that are created."""
    made = []

    def make(*args):
        made.append(_openvino.Compiled(*args))
        made[-1]._request = Refusing(made[-1]._request, most, message)
        return made[-1]

    monkeypatch.setattr(_converted, "Compiled", make)
    return made


def test_a_batch_that_runs_out_of_memory_is_halved_and_run_by_a_new_network(monkeypatch):
    expected = ImageEmbedder(tiny_network(), cache=False).fit_transform(images(20))
    made = failing(monkeypatch, 3, "Failed to allocate 99 bytes of memory")
    embedder = ImageEmbedder(tiny_network(), engine="openvino", batch_size=8, cache=False)
    with pytest.warns(MemoryWarning, match="8 rows per batch; continuing with 4") as warned:
        found = embedder.fit_transform(images(20))
    assert furthest(found, expected) < 1e-5
    assert len(warned) == 1
    # A network that has failed gives wrong numbers afterwards, so each failure, of 8 rows and of 4,
    # costs one network.
    assert [network.broken for network in made] == [True, True, False]


def test_another_failure_raises_and_suggests_torch(monkeypatch):
    failing(monkeypatch, 3, "Exception from src/infer.cpp:8:\nshapes do not fit")
    embedder = ImageEmbedder(tiny_network(), engine="openvino", batch_size=8, cache=False)
    with pytest.raises(EngineError, match=r"shape \(8, .*shapes do not fit.*engine='torch'"):
        embedder.fit_transform(images(20))
    np.testing.assert_equal(embedder.transform(images(3)).shape, (3, 6))


@pytest.mark.parametrize(
    ("embedder", "column"), [(ImageEmbedder, images(2)), (TextEmbedder, texts(2))]
)
def test_without_the_extra_the_error_names_it(embedder, column, monkeypatch):
    monkeypatch.setattr(_engine_names, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'sktransfer\[openvino\]'"):
        embedder(engine="openvino").fit(column)
    embedder(cache=False).fit(column)


def test_an_unknown_engine_is_refused():
    with pytest.raises(ValueError, match="'engine' parameter of ImageEmbedder"):
        ImageEmbedder(engine="onnx").fit(images(2))


def test_auto_is_the_cpu_even_if_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
    expected = ImageEmbedder(tiny_network(), device="cpu", cache=False).fit_transform(images(2))
    found = ImageEmbedder(tiny_network(), engine="openvino", cache=False).fit_transform(images(2))
    assert furthest(found, expected) < 1e-5


def test_a_device_other_than_the_cpu_is_refused(monkeypatch):
    monkeypatch.setattr(_runtime, "resolve_device", torch.device)
    embedder = ImageEmbedder(tiny_network(), engine="openvino", device="cuda")
    with pytest.raises(ValueError, match="on the CPU, and not on device='cuda'"):
        embedder.fit(images(2))


def test_the_engine_is_an_estimator_parameter(tmp_path):
    embedder = ImageEmbedder(engine="openvino", cache=False).fit(images(2))
    save(embedder, tmp_path / "model.skt")
    copies = [clone(embedder), pickle.loads(pickle.dumps(embedder)), load(tmp_path / "model.skt")]
    assert [copy.get_params()["engine"] for copy in copies] == ["openvino"] * 3


@pytest.mark.parametrize("embedder", [ImageEmbedder(), TextEmbedder()])
def test_a_state_without_an_engine_means_torch(embedder):
    state = embedder.__getstate__()
    del state["engine"]
    old = type(embedder).__new__(type(embedder))
    old.__setstate__(state)
    assert old.get_params()["engine"] == "torch"
    assert old.__getstate__().keys() == state.keys()
