"""Maps of features: places, colours, drawn cells, and a page that opens offline."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sktransfer import EmbeddingMapDisplay, ImageEmbedder
from tests._tiny import images, texts, tiny_network

N = 30
Y = np.array(["a", "b", "c"])[np.arange(N) % 3]
FEATURES = np.random.default_rng(0).normal(size=(N, 8))


@pytest.fixture(autouse=True)
def _closed(cache_folder):
    yield
    plt.close("all")


def test_pca_gives_the_first_two_components():
    display = EmbeddingMapDisplay.from_features(FEATURES, Y, method="pca")
    expected = PCA(2).fit_transform(FEATURES)
    np.testing.assert_allclose(np.abs(display.places), np.abs(expected), atol=1e-6)
    assert [text.get_text() for text in display.ax_.get_legend().texts] == ["a", "b", "c"]


def test_tsne_keeps_groups_together_and_follows_its_seed():
    features = FEATURES + 30 * np.eye(8)[np.arange(N) % 3]
    places = EmbeddingMapDisplay.from_features(features, Y).places
    centres = np.stack([places[name == Y].mean(axis=0) for name in "abc"])
    nearest = np.linalg.norm(places[:, None] - centres, axis=2).argmin(axis=1)
    assert (np.array(["a", "b", "c"])[nearest] == Y).all()
    np.testing.assert_array_equal(places, EmbeddingMapDisplay.from_features(features).places)


def test_two_columns_are_places():
    display = EmbeddingMapDisplay.from_features(FEATURES[:, :2])
    np.testing.assert_array_equal(display.places, FEATURES[:, :2])
    assert display.ax_.get_legend() is None


def test_images_are_drawn_where_they_do_not_cover_others_and_the_rest_are_points():
    places = np.array([[0, 0], [0.001, 0], [1, 1]])
    display = EmbeddingMapDisplay.from_features(places, cells=images(3))
    assert display.shown_.tolist() == [0, 2]
    assert len(display.ax_.artists) == 2
    assert len(display.ax_.collections[0].get_offsets()) == 1
    display.figure_.canvas.draw()


def test_texts_are_short_and_are_no_formulas():
    cells = ["from $5 to $6_{x", "a text that is longer than one can show on a map"]
    display = EmbeddingMapDisplay.from_features(np.eye(2), ["x$", "y"], cells=cells)
    assert display.ax_.texts[0].get_text() == cells[0]
    assert display.ax_.texts[1].get_text().endswith("…")
    display.figure_.canvas.draw()


def test_an_embedder_is_fitted_as_a_clone_and_reads_its_own_cells():
    flat = images(5).reshape(5, -1)
    embedder = ImageEmbedder(tiny_network(), image_shape=(16, 16, 3))
    display = EmbeddingMapDisplay.from_estimator(embedder, flat, method="pca")
    assert not hasattr(embedder, "fingerprint_")
    np.testing.assert_array_equal(display.previews[0], images(5)[0])


def test_a_table_is_drawn_as_points_or_with_a_column_of_cells():
    table = pd.DataFrame({"x": FEATURES[:, 0], "y": FEATURES[:, 1], "t": texts(N)}, range(5, 5 + N))
    both = ColumnTransformer([("n", StandardScaler(), ["x", "y"])])
    assert EmbeddingMapDisplay.from_estimator(both, table, Y).previews is None
    display = EmbeddingMapDisplay.from_estimator(both.fit(table), table, Y, cells=table["t"])
    assert display.previews[3][:5] == table["t"].iloc[3][:5]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_few_rows_and_one_feature(n, method):
    for d in (1, 3):
        display = EmbeddingMapDisplay.from_features(FEATURES[:n, :d], method=method)
        assert display.places.shape == (n, 2)
    display.figure_.canvas.draw()


def test_rows_with_nan_are_left_out_and_many_are_sampled():
    features = FEATURES.copy()
    features[4, 2] = np.nan
    display = EmbeddingMapDisplay.from_features(features, Y, cells=texts(N), method="pca")
    assert display.classes.tolist() == np.delete(Y, 4).tolist()
    display = EmbeddingMapDisplay.from_features(features, Y, method="pca", max_rows=10)
    assert display.places.shape == (10, 2)
    empty = EmbeddingMapDisplay.from_features(np.full((2, 3), np.nan))
    assert len(empty.places) == 0


@pytest.mark.parametrize(
    ("y", "names"),
    [
        ([True, False] * 15, ["False", "True"]),
        (np.arange(N) / 7, ["0", "4.14"]),
        ([None, "a"] * 15, ["None", "a"]),
        (list(range(N)), [str(k) for k in range(N)]),
    ],
)
def test_bools_numbers_missing_and_many_classes_have_colours(y, names):
    display = EmbeddingMapDisplay.from_features(FEATURES, y, method="pca")
    assert [text.get_text() for text in display.ax_.get_legend().texts] == names


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"method": "umap"}, "method='umap' is none of 'tsne', 'pca'"),
        ({"features": FEATURES[0]}, r"shape \(n, d\), got \(8,\)"),
        ({"y": Y[1:]}, r"y must have the shape \(30,\), got \(29,\)"),
        ({"y": np.zeros((N, 2))}, r"y must have the shape \(30,\), got \(30, 2\)"),
        ({"cells": texts(3)}, "There are 3 cells for 30 rows"),
    ],
)
def test_wrong_arguments_say_what_is_wrong(arguments, match):
    with pytest.raises(ValueError, match=match):
        EmbeddingMapDisplay.from_features(**{"features": FEATURES, "y": Y, **arguments})


def test_the_page_is_escaped_contains_all_and_refers_to_nothing(tmp_path):
    cells = ["<script>alert(1)</script>", "a & b"]
    display = EmbeddingMapDisplay.from_features(np.eye(2), ["<i>", "\"'"], cells=cells)
    display.title = "<h2>title"
    display.to_html(tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<i>" not in page
    assert "<h2>" not in page
    assert "a &amp; b" in page
    assert not re.search(r"(src|href)=(?!\"data:)|https?:|url\(", page)
    pictures = EmbeddingMapDisplay.from_features(np.eye(3), cells=images(3))
    pictures.to_html(tmp_path / "map.html")
    assert (tmp_path / "map.html").read_text(encoding="utf-8").count("data:image/png;base64,") == 3


@pytest.mark.parametrize("n_words", [10, 500])
def test_features_in_a_sparse_matrix_have_a_map(n_words):
    rng = np.random.default_rng(0)
    words = rng.random((40, n_words)) < 0.1
    words[20:, :5] = True
    display = EmbeddingMapDisplay.from_features(csr_array(words.astype(float)), method="pca")
    wanted = EmbeddingMapDisplay.from_features(words.astype(float), method="pca")
    signs = np.sign((display.places * wanted.places).sum(axis=0))
    np.testing.assert_allclose(signs * display.places, wanted.places, atol=0.05)


def test_names_of_classes_are_as_they_are():
    display = EmbeddingMapDisplay.from_features(np.eye(3), ["_a", "$b", "$x_$"], method="pca")
    display.figure_.draw_without_rendering()
    texts = display.ax_.get_legend().get_texts()
    assert sorted(text.get_text() for text in texts) == ["$b", "$x_$", "_a"]


def test_a_missing_number_is_black_among_colours():
    y = np.r_[np.arange(30.0), np.nan, np.inf]
    display = EmbeddingMapDisplay.from_features(np.random.default_rng(0).normal(size=(32, 2)), y)
    colours = display.ax_.collections[0].get_facecolors()[:, :3]
    assert len(np.unique(colours[:30], axis=0)) == 30
    np.testing.assert_array_equal(colours[30], 0)
    np.testing.assert_array_equal(colours[31], colours[29])
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["0", "29"]


def test_sparse_features_are_drawn():
    columns = OneHotEncoder()
    display = EmbeddingMapDisplay.from_estimator(columns, [["a"], ["b"], ["c"]], method="pca")
    assert display.places.shape == (3, 2)


@pytest.mark.parametrize("features", [np.ones((20, 5)), np.eye(20) * 1e300, np.eye(20) * 1e-300])
@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_equal_rows_and_extreme_numbers_have_places(features, method):
    places = EmbeddingMapDisplay.from_features(features, method=method).places
    assert places.shape == (20, 2)
    assert np.isfinite(places).all()
