"""Pictures and texts in plots and in HTML."""

import base64
import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from sktransfer.inspection._previews import draw_preview, preview_html

mpl.use("Agg")

PICTURE = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_a_picture_is_drawn(ax):
    draw_preview(ax, PICTURE)
    np.testing.assert_array_equal(ax.images[0].get_array(), PICTURE)


@pytest.mark.parametrize("text", ["", "from $5 to $6_{x", "a" * 100, r"\frac", "one two " * 50])
def test_any_text_is_drawn_in_a_few_lines_and_never_as_a_formula(ax, text):
    draw_preview(ax, text)
    ax.figure.canvas.draw()
    drawn = ax.texts[0].get_text()
    assert drawn.count("\n") < 5
    assert drawn[:5] == text[:5]


def test_html_is_escaped_and_a_picture_is_contained_pixel_for_pixel():
    assert preview_html("<b>&'\"") == "&lt;b&gt;&amp;&#x27;&quot;"
    content = preview_html(PICTURE).split("base64,")[1].split('"')[0]
    found = plt.imread(io.BytesIO(base64.b64decode(content)))
    np.testing.assert_array_equal(np.rint(found[:, :, :3] * 255).astype(np.uint8), PICTURE)
