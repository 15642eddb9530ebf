"""Explanations printed, as tables, as HTML and drawn."""

import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktransfer import ExplanationDisplay, explain
from tests.inspection._explained import table, table_model, text_model


@pytest.fixture
def found():
    return explain(table_model(), table().iloc[[0, 5]], background=table(), max_evals=8)


def test_it_prints_rows_with_the_largest_shares_first(found):
    lines = repr(found).splitlines()
    assert len(lines) == 10
    assert lines[0] == found.title(0)
    assert re.match(r"row 0 \(index 3\): probability of 1 0\.\d{3}, baseline 0\.\d{3}$", lines[0])
    shares = [abs(float(line.split()[1])) for line in lines[1:5]]
    assert shares == sorted(shares, reverse=True)
    assert len(found) == 2


def test_many_rows_are_cut_in_print_and_in_notebooks_and_not_on_the_page():
    found = explain(text_model(), [f"good day {n}" for n in range(11)], max_evals=1)
    assert repr(found).endswith("... and 3 more rows")
    assert "and 3 more rows" in found._repr_html_()
    assert found.to_html().count("<strong>") == 11
    display = found.plot()
    assert display.axes_.shape == (8, 1)
    plt.close(display.figure_)


def test_the_table_has_shares_and_words(found):
    frame = pd.DataFrame(found.to_table())
    assert list(frame.columns) == ["row", "column", "part", "weight"]
    shares = frame[frame["part"] == ""].pivot(index="row", columns="column", values="weight")
    np.testing.assert_allclose(shares[found.columns], found.shares)
    words = frame[(frame["row"] == 0) & (frame["part"] != "")]
    assert words["part"].tolist() == ["a", "good", "film"]


class Checker(HTMLParser):
    """Checks that elements are closed, and collects what they load."""

    VOID = ("meta", "img")

    def __init__(self):
        super().__init__()
        self.open, self.loaded = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        self.loaded += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(found, tmp_path):
    page = found.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert len(checker.loaded) == 4
    assert all(link.startswith("data:image/png;base64,") for link in checker.loaded)


def test_everything_of_the_user_is_escaped():
    X = pd.DataFrame({"<b>": ["<script>1</script>", "x"], "n": ["<i>", "<u>"]})
    columns = type(table_model()[0])([("t", table_model()[0].transformers[1][1], "<b>")])
    model = make_pipeline(columns, LogisticRegression()).fit(X, ["<s>", "b"])
    page = explain(model, X).to_html()
    assert not re.search(r"<(b|script|i|u|s)>", page)
    assert "&lt;s&gt;" in page


def test_bars_and_cells_are_drawn(found):
    display = ExplanationDisplay(found).plot()
    assert display.axes_.shape == (2, 3)
    labels = [text.get_text() for text in display.axes_[0, 0].get_yticklabels()]
    assert sorted(labels) == ["photo", "price = 0.0", "shop = 'a'", "title"]
    assert display.axes_[0, 0].get_title(loc="left").startswith("row 0")
    assert len(display.axes_[0, 1].images) == 1
    display.figure_.canvas.draw()
    plt.close(display.figure_)


def test_a_display_of_a_model_of_numbers_has_bars_only():
    X = pd.DataFrame({"a": np.arange(6.0), "$b_1$": [0.0, 1, 0, 1, 0, 1]})
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, [0, 0, 0, 1, 1, 1])
    display = ExplanationDisplay.from_estimator(model, X.iloc[:2], target=1)
    assert display.axes_.shape == (2, 1)
    assert display.explanation.target == [1, 1]
    display.figure_.canvas.draw()
    plt.close(display.figure_)
