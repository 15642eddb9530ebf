"""Unusual usage gives right features, or an error with advice."""

import enum
import multiprocessing

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer
from torch import nn

from sktransfer import ImageClassifier, ImageEmbedder, TextEmbedder, cache_info
from sktransfer.exceptions import (
    BackboneError,
    BadCellError,
    BadCellWarning,
    CacheWarning,
    ColumnError,
)
from tests._tiny import images, texts, tiny_network


@pytest.fixture(autouse=True)
def _own_cache(cache_folder):
    """Start every test with an empty cache."""


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"layer": 0}, "Fit again"),
        ({"batch_size": 0}, "batch_size"),
        ({"precision": "float16"}, "precision"),
        ({"image_size": 2}, "no features"),
    ],
)
def test_parameters_set_after_the_fit_are_checked(parameters, told):
    embedder = ImageEmbedder(tiny_network(), cache=False).fit(images(3))
    with pytest.raises(ValueError, match=told):
        embedder.set_params(**parameters).transform(images(3))


def test_one_value_per_row_is_not_broadcast_over_the_width():
    network = nn.Sequential(nn.Conv2d(3, 1, 8, stride=8), nn.Conv2d(1, 5, 1))
    embedder = ImageEmbedder(network).fit(images(3))
    with pytest.raises(BackboneError, match=r"gives 1 features.*fitted for 5"):
        embedder.set_params(layer=0).transform(images(3))


class _OneRow(nn.Module):
    def forward(self, pixels):
        return pixels.mean((2, 3))[:1]


def test_a_module_with_too_few_output_rows_is_refused():
    with pytest.raises(BackboneError, match=r"shape \(1, 3\) for 2 rows"):
        ImageEmbedder(_OneRow()).fit_transform(images(4))


def test_a_hook_that_stores_data_does_not_stop_a_fit_transform():
    notes, network = [], tiny_network()
    network.register_forward_hook(lambda module, args, output: notes.append(len(output)))
    assert ImageEmbedder(network, cache=False).fit_transform(images(3)).shape == (3, 6)
    assert notes[0] == 2  # on which it was tried
    assert sum(notes[1:]) == 3


class _Changed(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.network, self.change = tiny_network(), change

    def forward(self, inputs):
        rows = self.network(inputs)
        return self.change(rows) if len(rows) > 2 else rows


@pytest.mark.parametrize("kind", [ImageEmbedder, ImageClassifier])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: torch.cat([rows, rows]), "features of shape"),
        (lambda rows: rows[1:], "features of shape"),
        (lambda rows: rows[:, :1], "features of shape"),
        (lambda rows: rows.index_fill(0, torch.tensor([1]), torch.nan), "row 1: .* not finite"),
        (lambda rows: rows / 0, "row 0: .* not finite"),
    ],
)
def test_a_module_with_wrong_features_in_some_batches_is_refused(change, message, kind, tmp_path):
    estimator = kind(_Changed(change), cache=tmp_path)
    with pytest.raises(BackboneError, match=message):
        estimator.fit_transform(images(12), np.arange(12) % 2)
    assert cache_info(tmp_path).rows == 0


class _NotFiniteForDark(nn.Module):
    """Gives NaN for the rows whose mean is low."""

    def __init__(self):
        super().__init__()
        self.network = tiny_network()

    def forward(self, inputs):
        is_dark = inputs.mean((1, 2, 3)) < -1.5
        return self.network(inputs).masked_fill(is_dark[:, None], torch.nan)


LABELLED = pd.Series([*images(3), np.zeros_like(images(1)[0]), images(1, seed=5)[0]], list("abcde"))


@pytest.mark.parametrize("kind", [ImageEmbedder, ImageClassifier])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_features_that_are_not_finite_are_named_by_row_and_label(kind, precision):
    estimator = kind(_NotFiniteForDark(), precision=precision, cache=False)
    with pytest.raises(BackboneError, match=r"^row 3 \(index 'd'\): .* not finite") as caught:
        estimator.fit_transform(LABELLED, [0, 1, 0, 1, 0])
    assert ("precision='float32'" in str(caught.value)) == (precision != "float32")


def test_on_error_nan_leaves_features_that_are_not_finite_nan(tmp_path):
    twice = pd.concat([LABELLED, LABELLED])
    embedder = ImageEmbedder(_NotFiniteForDark(), on_error="nan", cache=tmp_path)
    with pytest.warns(BadCellWarning, match=r"2 of 10 rows .*row 3 \(index 'd'\): the network"):
        rows = embedder.fit_transform(twice)
    assert np.flatnonzero(np.isnan(rows).any(axis=1)).tolist() == [3, 8]
    assert cache_info(tmp_path).rows == 4


def test_a_function_that_returns_no_backbone_is_refused():
    class Fake:
        def __sktransfer_backbone__(self):
            return "digest", lambda: 3

    with pytest.raises(BackboneError, match="the function returned a int"):
        ImageEmbedder(Fake()).fit(images(2))


def test_torchs_default_dtype_does_not_matter():
    network = tiny_network()
    expected = ImageEmbedder(network, cache=False).fit_transform(images(3))
    torch.set_default_dtype(torch.float64)
    try:
        found = ImageEmbedder(network, cache=False).fit_transform(images(3))
        named = ImageEmbedder("squeezenet1_1", weights=None, image_size=64, cache=False)
        assert named.fit_transform(images(3)).dtype == np.float32
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.isfinite(named.transform(images(3))).all()


def test_torchs_default_device_does_not_matter():
    network, column = tiny_network(), images(3)
    expected = ImageEmbedder(network, cache=False).fit_transform(column)
    with torch.device("meta"):
        found = ImageEmbedder(network, cache=False).fit_transform(column)
        named = ImageEmbedder("shufflenet_v2_x0_5", weights=None, image_size=64, cache=False)
        inside = named.fit_transform(column)
        told = TextEmbedder(cache=False).fit_transform(texts(3))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(named.transform(column), inside)
    np.testing.assert_array_equal(TextEmbedder(cache=False).fit_transform(texts(3)), told)


def test_columns_with_integer_names_get_feature_names():
    table = pd.DataFrame({0: texts(3), 1: [1, 2, 3]})
    features = ColumnTransformer([("text", TextEmbedder(), [0])]).set_output(transform="pandas")
    assert features.fit_transform(table).shape == (3, 384)


class _Car(str, enum.Enum):  # noqa: UP042 - it prints itself as another text
    RED = "a red car"


def test_a_subclass_of_str_is_read_as_its_text():
    embedder = TextEmbedder(cache=False)
    np.testing.assert_array_equal(
        embedder.fit_transform([_Car.RED]), embedder.fit_transform(["a red car"])
    )


def test_one_number_among_texts_is_a_bad_cell_in_any_position():
    embedder = TextEmbedder(on_error="nan")
    for column in ([3, "a", "b"], ["a", "b", 3]):
        with pytest.warns(BadCellWarning, match="1 of 3 rows"):
            rows = embedder.fit_transform(column)
        assert np.isnan(rows).all(axis=1).tolist() == [cell == 3 for cell in column]
    with pytest.raises(ColumnError, match="choose another column"):
        embedder.fit_transform([3, 4])


@pytest.mark.parametrize("image_size", [16, (16, 16), [16, 16], np.int64(16)])
def test_a_size_that_is_too_small_is_refused_by_fit(image_size):
    with pytest.raises(BackboneError, match=r"image_size=\(16, 16\).*too small"):
        ImageEmbedder("alexnet", weights=None, image_size=image_size).fit(images(2))


@pytest.mark.parametrize("image_size", [(64,), ("a", "b"), (0, 64), (64, 64, 3), (True, 64)])
def test_an_invalid_size_is_refused(image_size):
    with pytest.raises(BackboneError, match="is no size"):
        ImageEmbedder("alexnet", weights=None, image_size=image_size).fit(images(2))


def test_numpy_integers_are_integers():
    column = images(2)
    plain = ImageEmbedder(tiny_network(), image_size=64, layer=0).fit_transform(column)
    other = ImageEmbedder(tiny_network(), image_size=np.int64(64), layer=np.int64(0))
    np.testing.assert_array_equal(other.fit_transform(column), plain)


def test_a_masked_image_is_refused():
    masked = np.ma.MaskedArray(images(1)[0], mask=True)
    with pytest.raises(BadCellError, match=r"row 1.*mask"):
        ImageEmbedder(tiny_network()).fit_transform([images(1)[0], masked])


@pytest.mark.parametrize(
    ("backbone", "weights", "told"),
    [
        (nn.Linear, "pretrained", "is a class"),
        ("", "pretrained", "no backbone ''"),
        (tiny_network(), None, "does not go with a Sequential"),
        (__file__, "pretrained", "file of weights"),
    ],
)
def test_an_invalid_backbone_raises_with_advice(backbone, weights, told):
    with pytest.raises(BackboneError, match=told):
        ImageEmbedder(backbone, weights=weights).fit(images(2))


def test_one_unusable_cache_folder_does_not_affect_other_folders(tmp_path):
    with pytest.warns(CacheWarning):
        ImageEmbedder(tiny_network(), cache="x" * 5000).fit_transform(images(2))
    rows = ImageEmbedder(tiny_network(), cache=tmp_path / "good").fit_transform(images(2))
    assert np.isfinite(rows).all()


def _embed_in_child(embedder, column, queue):
    queue.put(embedder.transform(column))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_can_compute():
    column, context = texts(3), multiprocessing.get_context("fork")
    embedder = TextEmbedder(cache=False).fit(column)
    expected, queue = embedder.transform(column), context.Queue()
    child = context.Process(target=_embed_in_child, args=(embedder, column, queue))
    child.start()
    try:
        np.testing.assert_allclose(queue.get(timeout=60), expected, rtol=1e-5, atol=1e-6)
    finally:
        child.kill()
