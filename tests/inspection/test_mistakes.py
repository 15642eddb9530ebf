"""The worst mistakes as pictures or texts."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import MistakesDisplay, find_label_issues
from sktransfer.exceptions import TargetError
from tests._tiny import images


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def brightness(X):
    return np.array([[np.mean(cell) / 50] for cell in X])


IMAGES = np.concatenate([images(10) // 4, 160 + images(10) // 4])
Y = np.repeat(["dark", "light"], 10)
WRONG = Y.copy()
WRONG[[2, 15]] = ["light", "dark"]
MODEL = make_pipeline(FunctionTransformer(brightness), LogisticRegression())


def test_wrong_labels_are_drawn_as_pictures():
    issues = find_label_issues(MODEL, IMAGES, WRONG, cv=2)
    display = MistakesDisplay.from_label_issues(issues, IMAGES)
    titles = {ax.get_title().split("\n")[1] for ax in display.axes_[:2]}
    assert titles == {"light → dark", "dark → light"}
    row = display.issues[0]["row"]
    np.testing.assert_array_equal(display.axes_[0].images[0].get_array(), IMAGES[row])


def test_mistakes_of_a_fitted_model_are_the_rows_that_it_gets_wrong():
    model = MODEL.fit(IMAGES, Y)
    display = MistakesDisplay.from_estimator(model, IMAGES, WRONG)
    assert {issue["row"] for issue in display.issues} == {2, 15}
    assert len(MistakesDisplay.from_estimator(model, IMAGES, WRONG, n_rows=1).issues) == 1
    none = MistakesDisplay.from_estimator(model, IMAGES, Y)
    assert none.axes_[0].texts[0].get_text() == "no mistakes"


def test_texts_are_drawn_as_they_are():
    issues = [{"row": 1, "given": "$a$", "likely": "b_1", "probability_given": 0.25}]
    texts = pd.Series(["one", "costs $5 & <b>more</b> $"], index=["x", "y"])
    display = MistakesDisplay.from_label_issues(issues, texts)
    assert "$5" in display.axes_[0].texts[0].get_text()
    assert display.axes_[0].get_title() == "row 1 (0.25)\n$a$ → b_1"
    display.figure_.canvas.draw()


def test_labels_and_numbers_are_named():
    label = {"row": 0, "label": "red", "given": 1, "likely": 0, "probability_given": 0.1}
    number = {"row": 1, "given": 3.25, "likely": 1.5, "error": 1.75}
    display = MistakesDisplay.from_label_issues([label, number], ["a", "b"])
    assert display.axes_[0].get_title() == "row 0 (0.10)\nred: 1 → 0"
    assert display.axes_[1].get_title() == "row 1 (1.75)\n3.25 → 1.5"


def test_a_table_without_cells_to_show_has_titles_only():
    issue = {"row": 1, "given": 1, "likely": 0, "probability_given": 0.1}
    display = MistakesDisplay.from_label_issues([issue], np.ones((2, 3)))
    assert display.previews is None
    assert display.axes_[0].get_title()


def test_what_gives_no_mistakes_is_refused():
    with pytest.raises(TypeError, match="LinearRegression has no predict_proba"):
        MistakesDisplay.from_estimator(LinearRegression(), [[1]], [1])
    with pytest.raises(TargetError, match=r"not fitted on: \['grey'\]"):
        MistakesDisplay.from_estimator(MODEL.fit(IMAGES, Y), IMAGES, ["grey"] * 20)


@pytest.mark.parametrize("n_rows", [0, -1, 2.5])
def test_a_number_of_rows_that_is_none_is_refused(n_rows):
    with pytest.raises(ValueError, match="n_rows must be an integer of at least 1"):
        MistakesDisplay.from_label_issues([], IMAGES, n_rows=n_rows)


def test_cells_of_another_number_are_refused():
    before = plt.get_fignums()
    model = MODEL.fit(IMAGES, Y)
    with pytest.raises(ValueError, match="inconsistent"):
        MistakesDisplay.from_estimator(model, IMAGES, WRONG, cells=IMAGES[:3])
    issue = {"row": 20, "given": "light", "likely": "dark", "probability_given": 0.1}
    with pytest.raises(ValueError, match="name row 20, but X has 20 rows"):
        MistakesDisplay.from_label_issues([issue], IMAGES)
    with pytest.raises(ValueError, match="inconsistent"):
        MistakesDisplay([issue], []).plot()
    assert plt.get_fignums() == before


def test_a_model_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        MistakesDisplay.from_estimator(LogisticRegression(), np.ones((20, 1)), Y)
