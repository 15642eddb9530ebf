"""scikit-learn's contract for transformers, applied to columns."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sktransfer import ImageEmbedder, TextEmbedder
from sktransfer.exceptions import BackboneError, WeightsError
from tests._tiny import images, texts, tiny_network


@pytest.fixture(params=["image", "text"])
def case(request, cache_folder):
    if request.param == "image":
        return ImageEmbedder(tiny_network()), list(images(6))
    return TextEmbedder(), texts(6)


def containers(column):
    as_objects = np.empty(len(column), dtype=object)
    as_objects[:] = column
    return {
        "tuple": tuple(column),
        "object array": as_objects,
        "one-column array": as_objects[:, None],
        "Series": pd.Series(list(column), name="cell", index=range(10, 10 + len(column))),
        "frame": pd.DataFrame({"cell": list(column)}),
    }


def test_the_container_of_a_column_does_not_matter(case):
    embedder, column = case
    expected = embedder.fit_transform(column)
    for name, container in containers(column).items():
        np.testing.assert_array_equal(embedder.fit_transform(container), expected, err_msg=name)


def test_polars_columns_are_columns(cache_folder):
    expected = TextEmbedder().fit_transform(texts(4))
    for column in (pl.Series("name", texts(4)), pl.DataFrame({"name": texts(4)})):
        embedder = TextEmbedder()
        np.testing.assert_array_equal(embedder.fit_transform(column), expected)
        assert embedder.get_feature_names_out()[0] == "name_0"


def test_fit_then_transform_equals_fit_transform(case):
    embedder, column = case
    embedder.set_params(cache=False)
    np.testing.assert_array_equal(
        embedder.fit_transform(column), clone(embedder).fit(column).transform(column)
    )


def test_a_row_does_not_depend_on_its_neighbours(case):
    embedder, column = case
    embedder.set_params(cache=False)
    rows = embedder.fit_transform(column)
    np.testing.assert_allclose(embedder.transform(column[::-1])[::-1], rows, rtol=1e-5, atol=1e-7)
    for i, cell in enumerate(column):
        np.testing.assert_allclose(embedder.transform([cell])[0], rows[i], rtol=1e-5, atol=1e-6)


def test_output_is_float32_of_the_declared_width(case):
    embedder, column = case
    rows = embedder.fit_transform(column)
    assert rows.dtype == np.float32
    assert rows.shape == (6, len(embedder.get_feature_names_out()))


def test_features_are_named_after_their_column(case):
    embedder, column = case
    assert embedder.fit(column).get_feature_names_out()[1] == "x0_1"
    assert embedder.fit(pd.Series(column, name="icon")).get_feature_names_out()[1] == "icon_1"
    assert embedder.fit(pd.DataFrame({"icon": column})).get_feature_names_out()[1] == "icon_1"
    assert embedder.fit(column).get_feature_names_out(["photo"])[1] == "photo_1"
    with pytest.raises(ValueError, match="should have length equal to number of features"):
        embedder.get_feature_names_out(["a", "b"])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_gives_a_frame(case, library):
    embedder, column = case
    frame = embedder.set_output(transform=library).fit_transform(column)
    assert type(frame).__module__.startswith(library)
    assert list(frame.columns) == list(embedder.get_feature_names_out())


def test_a_pandas_frame_keeps_the_index_of_its_column(case):
    embedder, column = case
    series = pd.Series(column, index=list("abcdef"), name="cell")
    frame = embedder.set_output(transform="pandas").fit_transform(series)
    assert list(frame.index) == list("abcdef")


def test_transform_before_fit_is_refused(case):
    embedder, column = case
    with pytest.raises(NotFittedError):
        embedder.transform(column)
    with pytest.raises(NotFittedError):
        embedder.get_feature_names_out()


def test_init_only_assigns_and_fit_does_not_change_parameters(case):
    embedder, column = case
    before = dict(embedder.get_params())
    embedder.fit_transform(column)
    assert all(embedder.get_params()[name] is value for name, value in before.items())


def test_input_is_not_changed(case):
    embedder, column = case
    before = copy.deepcopy(column)
    embedder.fit_transform(column)
    assert all(np.array_equal(a, b) for a, b in zip(column, before, strict=True))


def test_no_global_state_changes(case):
    import warnings

    import torch

    embedder, column = case
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    legacy, filters = np.random.get_state()[1].copy(), list(warnings.filters)
    embedder.fit_transform(column)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert np.array_equal(np.random.get_state()[1], legacy)
    assert warnings.filters == filters
    assert torch.is_grad_enabled()


IN_ANOTHER_PROCESS = """
import pickle, sys
import numpy as np
for folder in sys.argv[1:]:
    embedder, column = pickle.load(open(folder + "/in.pkl", "rb"))
    if not hasattr(embedder, "fingerprint_"):
        embedder.fit(column)
    np.save(folder + "/out.npy", embedder.transform(column))
"""


@pytest.mark.parametrize("fitted", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_pickle_is_small_and_works_in_another_process(fitted, tmp_path):
    cases = {
        "image": (ImageEmbedder(cache=False), list(images(2))),
        "text": (TextEmbedder(cache=False), texts(2)),
    }
    for name, (embedder, column) in cases.items():
        if fitted:
            embedder.fit_transform(column)
        assert len(pickle.dumps(embedder)) < 10_000
        (tmp_path / name).mkdir()
        (tmp_path / name / "in.pkl").write_bytes(pickle.dumps((embedder, column)))
    folders = [str(tmp_path / name) for name in cases]
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # for the same bits
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, *folders]
    subprocess.run(command, check=True, env={**os.environ, **threads})
    for name, (embedder, column) in cases.items():
        expected = clone(embedder).fit_transform(column)
        np.testing.assert_array_equal(np.load(tmp_path / name / "out.npy"), expected)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("batch_size", 0),
        ("precision", "float16"),
        ("pooling", "median"),
        ("on_error", "ignore"),
        ("cache", 3.5),
        ("normalize", "yes"),
    ],
)
def test_an_invalid_parameter_is_named(case, parameter, value):
    embedder, column = case
    with pytest.raises(ValueError, match=parameter):
        embedder.set_params(**{parameter: value}).fit(column)


def test_unknown_names_list_the_available_ones(case):
    embedder, column = case
    with pytest.raises(BackboneError, match="'pooled' and, in this order"):
        clone(embedder).set_params(layer="nowhere").fit(column)
    with pytest.raises(BackboneError, match="list_backbones"):
        clone(embedder).set_params(backbone="resnet5000").fit(column)
    with pytest.raises(ValueError, match="device='warp'"):
        clone(embedder).set_params(device="warp").fit(column).transform(column)


def test_a_backbone_of_another_modality_is_refused():
    with pytest.raises(BackboneError, match="TextEmbedder"):
        ImageEmbedder("all-MiniLM-L6-v2").fit(images(1))
    with pytest.raises(BackboneError, match="ImageEmbedder"):
        TextEmbedder("efficientnet_lite0").fit(["text"])


def test_weights_changed_after_the_fit_are_refused(case):
    embedder, column = case
    embedder.fit(column)
    embedder.fingerprint_ = "0" * 32
    with pytest.raises(WeightsError, match="fitted with"):
        embedder.transform(column)


def test_a_frame_with_another_column_is_refused(case):
    embedder, column = case
    embedder.fit(pd.DataFrame({"icon": column}))
    assert list(embedder.feature_names_in_) == ["icon"]
    with pytest.raises(ValueError, match="feature names should match"):
        embedder.transform(pd.DataFrame({"photo": column}))


def test_flattened_rows_equal_their_images(cache_folder):
    column = images(5, size=8)
    embedder = ImageEmbedder(tiny_network(), image_shape=(8, 8, 3))
    np.testing.assert_array_equal(
        embedder.fit_transform(column.reshape(5, -1)),
        ImageEmbedder(tiny_network()).fit_transform(column),
    )
    assert embedder.n_features_in_ == 8 * 8 * 3
    with pytest.raises(ValueError, match=r"image_shape|features"):
        embedder.transform(np.zeros((2, 7), dtype=np.uint8))


def test_arrays_of_images_and_grey_images_are_columns(cache_folder):
    grey = images(3)[..., 0]
    embedder = ImageEmbedder(tiny_network())
    expected = embedder.fit_transform(np.repeat(grey[..., None], 3, axis=3))
    np.testing.assert_array_equal(embedder.transform(grey), expected)
    np.testing.assert_array_equal(embedder.transform(grey[..., None]), expected)


def test_float_images_equal_the_equivalent_bytes(cache_folder):
    column = images(3, size=224)  # 224 px after a resize to 256: resizing rounds bytes
    embedder = ImageEmbedder(tiny_network())
    as_float = embedder.fit_transform(column.astype(np.float32) / 255)
    np.testing.assert_allclose(as_float, embedder.transform(column), atol=0.01)


def test_layers_and_poolings_have_the_declared_width(cache_folder):
    for parameters in (
        {"layer": 0},
        {"layer": -1, "pooling": "max"},
        {"layer": 1, "pooling": "flatten"},
        {"pooling": "mean"},
    ):
        embedder = ImageEmbedder(tiny_network(), **parameters).fit(images(2))
        rows = embedder.transform(images(2))
        assert rows.shape == (2, len(embedder.get_feature_names_out())), parameters
