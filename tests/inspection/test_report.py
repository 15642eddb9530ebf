"""One self-contained page about a model and its data."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageEmbedder, report
from sktransfer.exceptions import BadCellWarning, TargetError
from tests._tiny import images, tiny_network

IMAGES = np.concatenate([images(10) // 4, 160 + images(10) // 4])
Y = np.repeat(["<b>dark</b>", "light"], 10)
MODEL = make_pipeline(ImageEmbedder(tiny_network(), cache=False), LogisticRegression())


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    y = Y.copy()
    y[3] = "light"
    cells = IMAGES.copy()
    cells[1] = cells[0]
    path = tmp_path_factory.mktemp("report") / "page.html"
    before = plt.get_fignums()  # other tests of this process may leave some open
    found = report(MODEL, cells, y, path, cv=2, title="Dark & light", embedder=MODEL[0])
    assert found == path
    assert plt.get_fignums() == before
    return path.read_text(encoding="utf-8")


def test_the_page_has_a_section_for_each_question(text):
    headings = re.findall("<h2>(.*?)</h2>", text)
    names = (
        "Model",
        "Scores",
        "Confusions",
        "Labels",
        "Copies",
        "Explanations",
        "Map",
        "Calibration",
    )
    assert [heading.split()[0] for heading in headings] == list(names)
    assert text.count('<li><a href="#s') == len(headings)
    assert "1 exact" in text
    assert "row 3: probability of" in text  # whose label was changed


def test_the_page_loads_nothing(text):
    assert not re.search(r"""(src|href)=["'](?!data:image/png;base64,|#s\d)""", text)
    assert "<script" not in text
    assert "@import" not in text
    assert "url(" not in text


def test_texts_are_escaped_and_pictures_described(text):
    assert "<b>" not in text
    assert "<h1>Dark &amp; light</h1>" in text
    assert "&lt;b&gt;dark&lt;/b&gt;" in text
    pictures = re.findall("<img [^>]*>", text)
    assert len(pictures) >= 3
    assert all(re.search('alt="[^"]+"', picture) for picture in pictures)


def test_a_fitted_model_is_scored_on_the_rows_given(tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 2)) + 2 * np.arange(30)[:, None] % 2
    y = np.arange(30) % 2
    model = LogisticRegression().fit(X, y)
    page = report(model, X, y, tmp_path / "r.html", cv=None).read_text()
    assert f"Accuracy {model.score(X, y):.3f}; each row was predicted by the fitted model" in page
    assert "Copies" not in page
    with pytest.raises(TargetError, match="not fitted on"):
        report(model, X, y + 5, tmp_path / "r.html", cv=None)


def test_other_targets_are_refused(tmp_path):
    X, y = np.ones((4, 2)), np.array([[0, 1], [1, 1], [0, 0], [1, 0]])
    with pytest.raises(TargetError, match="one class per row"):
        report(LogisticRegression(), X, y, tmp_path / "r.html")
    with pytest.raises(TargetError, match="one class per row"):
        report(LinearRegression(), X, [1.5, 2, 3, 4], tmp_path / "r.html")


class Unused(LogisticRegression):
    def fit(self, X, y):
        raise AssertionError


@pytest.mark.parametrize(
    ("path", "other", "error", "message"),
    [
        (".", {}, IsADirectoryError, "is a folder; pass a file in it"),
        ("missing/r.html", {}, FileNotFoundError, "There is no folder"),
        ("r.html", {"cells": IMAGES[:3]}, ValueError, "inconsistent"),
        ("r.html", {"groups": [1, 2]}, ValueError, "inconsistent"),
    ],
)
def test_parameters_are_checked_before_a_model_is_fitted(tmp_path, path, other, error, message):
    with pytest.raises(error, match=message):
        report(Unused(), np.ones((20, 2)), Y, tmp_path / path, **other)


def test_a_model_that_is_not_fitted_needs_folds(tmp_path):
    with pytest.raises(NotFittedError):
        report(LogisticRegression(), np.ones((20, 2)), Y, tmp_path / "r.html", cv=None)


def test_rows_without_probabilities_are_named(tmp_path):
    class Blind(LogisticRegression):
        def predict_proba(self, X):
            return np.where(X[:, :1] == 7, np.nan, super().predict_proba(X))

    X = np.arange(20.0)[:, None]
    with pytest.raises(ValueError, match=r"no probabilities \(NaN\) for 1 rows: 7\."):
        report(Blind(), X, Y, tmp_path / "r.html", cv=2)
    assert not (tmp_path / "r.html").exists()


def test_words_counted_in_a_sparse_matrix_have_a_map(tmp_path):
    texts = [f"{'dark' if n < 10 else 'light'} word{n}" for n in range(20)]
    words = TfidfVectorizer()
    model = make_pipeline(words, LogisticRegression())
    assert "<h2>Map of features</h2>" in report(model, texts, Y, tmp_path / "r.html").read_text()
    counted = words.fit_transform(texts)
    page = report(LogisticRegression(), counted, Y, tmp_path / "r.html").read_text()
    assert "<h2>Explanations</h2>" not in page


def test_cells_that_the_model_does_without_are_left_out_of_the_copies(tmp_path):
    cells = [*IMAGES[:19], b"no picture"]
    embedder = ImageEmbedder(tiny_network(), cache=False, on_error="nan")
    model = make_pipeline(embedder, SimpleImputer(), LogisticRegression())
    with pytest.warns(BadCellWarning):
        page = report(model, cells, Y, tmp_path / "r.html", cv=2).read_text()
    assert "1 rows left out" in page


def test_half_of_a_character_is_a_question_mark(tmp_path):
    X = np.arange(20.0)[:, None]
    page = report(LogisticRegression(), X, Y, tmp_path / "r.html", cv=2, title="a\ud800b")
    assert "<h1>a?b</h1>" in page.read_text()


def test_a_title_that_is_no_text_is_refused_before_anything_is_computed(tmp_path):
    with pytest.raises(TypeError, match="title must be a str, got None"):
        report(None, None, None, tmp_path / "r.html", title=None)
