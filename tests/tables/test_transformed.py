"""One column through any transformer, where some of its cells are missing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from sktransfer import ImageEmbedder, TableEmbedder
from sktransfer.exceptions import BadCellError, ColumnError
from sktransfer.tables._transformed import transformed
from tests._tiny import images, tiny_network


def embedder(**options):
    return ImageEmbedder(tiny_network(), image_size=16, cache=False, **options)


@pytest.fixture
def missing():
    return np.arange(20) % 4 > 0


def test_a_transformer_learns_from_present_cells_only(missing):
    texts = np.array([f"{'good' if row % 8 else 'bad'} film" for row in range(20)], object)
    cells = np.where(missing, None, texts)
    alone, filled = TfidfVectorizer(), TfidfVectorizer()
    expected = alone.fit_transform(texts[~missing]).toarray()
    found = transformed(filled, cells, cells, missing, fit=True)
    np.testing.assert_array_equal(filled.idf_, alone.idf_)
    np.testing.assert_array_equal(found[~missing], expected)
    assert np.isnan(found[missing]).all()


def test_a_union_of_transformers_of_texts_gets_texts(missing):
    texts = np.array([f"{'good' if row % 3 else 'bad'} film" for row in range(20)], object)
    cells = np.where(missing, None, texts)
    parts = TfidfVectorizer(), make_pipeline(TfidfVectorizer(analyzer="char"), PCA(2))
    found = transformed(make_union(*parts), cells, cells, missing, fit=True)
    expected = [part.fit_transform(texts[~missing]) for part in parts]
    wanted = np.hstack([expected[0].toarray(), expected[1]])
    np.testing.assert_allclose(found[~missing], wanted, atol=1e-9)
    numbers = make_union(StandardScaler(), make_pipeline(StandardScaler(), PCA(1)))
    cells = np.where(missing, np.nan, np.arange(20.0))
    assert transformed(numbers, cells, cells, missing, fit=True).shape == (20, 2)


def test_what_follows_an_embedder_learns_from_present_cells_only(missing):
    pictures = list(images(20))
    present = [
        picture for picture, is_missing in zip(pictures, missing, strict=True) if not is_missing
    ]
    pipeline = make_pipeline(embedder(), PCA(2))
    expected = make_pipeline(embedder(), PCA(2)).fit(present)[1].mean_
    transformed(pipeline, pictures, pictures, missing, fit=True)
    np.testing.assert_allclose(pipeline[1].mean_, expected, rtol=1e-6)


@pytest.mark.parametrize("transformer", [embedder(), make_pipeline(embedder(), PCA(2))])
def test_a_bad_cell_among_missing_ones_has_its_own_row(transformer, missing):
    pictures = list(images(20))
    pictures[12] = b"GIF89a"
    with pytest.raises(BadCellError, match=r"^row 12: <6 bytes>") as raised:
        transformed(transformer, pictures, pictures, missing, fit=True)
    assert raised.value.row == 12


class Doubled:
    """A transformer of another library, without tags of scikit-learn."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2 * np.asarray(X, float)

    def get_params(self, deep=True):
        return {}


def test_a_transformer_needs_no_tags():
    table = pd.DataFrame({"size": [1.0, 2.0, None, 3.0], "kind": list("abab")})
    found = TableEmbedder(columns={"size": Doubled()}).fit_transform(table)
    assert found.shape[0] == 4
    assert np.isfinite(found).all()


def test_a_transformer_that_loses_rows_is_named():
    class Short(Doubled):
        def transform(self, X):
            return np.ones((2, 1))

    cells = np.arange(4.0)
    with pytest.raises(ColumnError, match=r"Short gives features of shape \(2, 1\) for 4 rows"):
        transformed(Short(), cells, cells, np.zeros(4, bool), fit=True)
