"""Features of several layers from one pass: those of embedders with each `layer`."""

from contextlib import contextmanager

import numpy as np
import pytest
from sklearn.base import clone
from torch import nn

from sktransfer import AudioEmbedder, ImageEmbedder, TextEmbedder, cache_info
from sktransfer.backbones import get_backbone
from sktransfer.embedders import embed_layers
from sktransfer.exceptions import BackboneError, BadCellError, BadCellWarning
from sktransfer.modalities import MODALITIES
from tests._tiny import images, sounds, texts, tiny_network

N = 20
OF_SOUNDS = {"sampling_rate": 16_000}


def layers_of(embedder, modality):
    backbone = get_backbone(embedder.backbone, modality=modality)
    return [*backbone.stages, "pooled"]


class Frames(nn.Module):
    """Cut waveforms (n, samples) into frames (n, positions, 400)."""

    def forward(self, waveform):
        return waveform.unfold(1, 400, 160)


@contextmanager
def rows_of_first_stage(network):
    """Count the rows that the first stage of a module is given."""
    counts = []
    stage = next(iter(get_backbone(network, modality="image").network.stages.values()))
    hook = stage.register_forward_hook(lambda module, args, output: counts.append(len(output)))
    yield counts
    hook.remove()


CASES = {
    "lite0": (ImageEmbedder(image_size=64), images(N)),
    "max": (ImageEmbedder(image_size=64, pooling="max", normalize=True), images(N)),
    "flat": (ImageEmbedder(image_size=64, pooling="flatten"), images(N)),
    "bfloat16": (ImageEmbedder(image_size=64, precision="bfloat16"), images(N)),
    "flattened": (
        ImageEmbedder(tiny_network(), image_shape=(16, 16, 3)),
        images(N).reshape(N, -1),
    ),
    "module": (ImageEmbedder(tiny_network()), images(N)),
    "MiniLM": (TextEmbedder(), texts(N)),
    "chunks": (TextEmbedder(max_length=5, long_texts="chunk"), texts(N)),
    "whisper": (AudioEmbedder(**OF_SOUNDS), sounds(5)),
    "log-mel": (AudioEmbedder("log-mel", **OF_SOUNDS), sounds(5)),
    "module of sounds": (
        AudioEmbedder(nn.Sequential(Frames(), nn.Linear(400, 6)), **OF_SOUNDS),
        sounds(5),
    ),
}


@pytest.mark.parametrize(("embedder", "X"), CASES.values(), ids=CASES)
def test_they_equal_those_of_an_embedder_with_each_layer(embedder, X):
    modality = embedder._modality().name
    embedder = clone(embedder).set_params(cache=False)
    found = embed_layers(embedder, X, layers_of(embedder, modality)[::-1])
    assert found.names == layers_of(embedder, modality)
    for name, rows in zip(found.names, found.rows, strict=True):
        expected = clone(embedder).set_params(layer=name).fit_transform(X)
        np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-6)
    assert embedder.layer == "pooled"


def test_one_pass_computes_each_distinct_row_once_and_a_later_embedder_none(cache_folder):
    network, X = tiny_network(), images(N)
    X = np.concatenate([X, X[:5]])
    layers = layers_of(ImageEmbedder(network), "image")
    for layer in layers:
        ImageEmbedder(network, layer=layer).fit(X)  # widths are tried on blank rows
    with rows_of_first_stage(network) as counts:
        embed_layers(ImageEmbedder(network), X, layers)
        assert sum(counts) == N
        for layer in layers:
            ImageEmbedder(network, layer=layer).fit_transform(X)
    assert sum(counts) == N


def test_rows_that_only_some_layers_have_are_computed_and_then_all_are_read(cache_folder):
    network, X = tiny_network(), images(N)
    plain = ImageEmbedder(network, layer="pooled").fit_transform(X)
    before = cache_info().computed
    found = embed_layers(ImageEmbedder(network), X, ["stage0", "pooled"])
    assert cache_info().computed - before == N
    np.testing.assert_array_equal(found.rows[1], plain)
    again = embed_layers(ImageEmbedder(network), X, ["stage0", "pooled"])
    assert cache_info().computed - before == N + 16  # for the measurement
    assert again.n_computed == 0
    for one, other in zip(found.rows, again.rows, strict=True):
        np.testing.assert_array_equal(one, other)


def test_times_grow_with_the_layer_and_a_filled_cache_has_them_too(cache_folder):
    X, layers = texts(N), ["embeddings", "layer3", "pooled"]
    for n_computed in (N, 0):
        found = embed_layers(TextEmbedder(), X, layers)
        assert found.n_computed == n_computed
        assert 0 < found.seconds[0] < found.seconds[1] < found.seconds[2]


def test_layers_are_names_or_indices_and_unknown_ones_are_refused():
    embedder = ImageEmbedder(tiny_network(), cache=False)
    assert embed_layers(embedder, images(2), [-1, 0]).names == ["stage0", "stage4"]
    with pytest.raises(BackboneError, match="no layer 'stage9'"):
        embed_layers(embedder, images(2), ["stage9"])


def test_bad_cells_raise_or_stay_nan_in_every_layer():
    X = [*images(3), None]
    embedder = ImageEmbedder(tiny_network(), cache=False)
    with pytest.raises(BadCellError, match="row 3"):
        embed_layers(embedder, X, ["stage0", "pooled"])
    with pytest.warns(BadCellWarning, match="1 of 4 rows"):
        found = embed_layers(embedder.set_params(on_error="nan"), X, ["stage0", "pooled"])
    assert [np.isnan(rows).all(axis=1).tolist() for rows in found.rows] == [
        [False] * 3 + [True]
    ] * 2


def test_an_empty_or_all_bad_column_has_no_times():
    embedder = ImageEmbedder(tiny_network(), cache=False, on_error="nan")
    with pytest.warns(BadCellWarning):
        found = embed_layers(embedder, [None, None], ["pooled"])
    assert found.seconds == [0.0]


def test_every_modality_has_an_embedder():
    from sktransfer.embedders import EMBEDDERS

    assert {*EMBEDDERS} == {*MODALITIES} - {"waveform"}  # of a test
    assert all(kind()._modality().name == name for name, kind in EMBEDDERS.items())


def test_openvino_computes_layer_after_layer(cache_folder):
    pytest.importorskip("openvino")
    embedder = ImageEmbedder(tiny_network(), engine="openvino")
    found = embed_layers(embedder, images(4), ["stage0", "pooled"])
    for name, rows in zip(found.names, found.rows, strict=True):
        expected = clone(embedder).set_params(layer=name).fit_transform(images(4))
        np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-6)
    assert min(found.seconds) > 0
