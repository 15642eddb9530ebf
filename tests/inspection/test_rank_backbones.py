"""Rankings of backbones and layers: against a plain loop over embedders, and their limits."""

import copy
import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktransfer import AudioEmbedder, ImageEmbedder, TextEmbedder, rank_backbones
from sktransfer.exceptions import (
    BackboneError,
    BadCellError,
    BadCellWarning,
    ColumnError,
    TargetError,
)
from sktransfer.inspection import _ranking_scores
from sktransfer.inspection._rank_backbones import BackboneRanking
from tests._tiny import images, sounds, texts, tiny_network

NAMES = ["stage0", "stage1", "stage2", "stage3", "stage4", "pooled"]
KEYS = [
    *("backbone", "layer", "score", "std_error", "n_features", "seconds_per_row", "n_rows"),
    "reason",
]
N = 24
X, Y = images(N), np.array(["a", "b", "c"])[np.arange(N) % 3]
X[Y == "a", :8] //= 4  # classes can be told a little


@pytest.fixture(autouse=True)
def _own_cache(cache_folder):
    """Start every test with an empty cache."""


def embedder(**params):
    return ImageEmbedder(tiny_network(), **params)


@pytest.mark.slow
def test_scores_are_those_of_a_loop_over_embedders_and_layers():
    found = rank_backbones(X, Y, [embedder()])
    assert [list(row) for row in found] == [KEYS] * len(found)
    assert {row["layer"] for row in found} == {*NAMES}
    assert [row["score"] for row in found] == sorted((r["score"] for r in found), reverse=True)
    for row in found:
        features = StandardScaler().fit_transform(
            embedder(layer=row["layer"]).fit_transform(X).astype(float)
        )
        alpha = RidgeClassifierCV(_ranking_scores._ALPHAS).fit(features, Y).alpha_
        expected = cross_val_predict(RidgeClassifier(alpha), features, Y, cv=LeaveOneOut())
        assert row["score"] == pytest.approx((expected == Y).mean())
        assert row["n_features"] == features.shape[1]
        assert row["n_rows"] == N
        assert row["seconds_per_row"] > 0


def test_parameters_of_embedders_are_used_and_named_and_they_are_not_changed():
    given = [embedder(image_size=32, layer="stage0"), embedder(pooling="max", normalize=True)]
    found = rank_backbones(X, Y, given, layers=["stage2"])
    names = {"Sequential, image_size=32", "Sequential, normalize=True, pooling='max'"}
    assert {row["backbone"] for row in found} == names
    assert given[0].layer == "stage0"
    assert not hasattr(given[0], "fingerprint_")
    one = embedder(image_size=32, layer="stage2").fit_transform(X)
    row = next(row for row in found if "image_size" in row["backbone"])
    assert row["n_features"] == one.shape[1]


def test_none_is_every_backbone_of_the_recognized_modality_on_this_machine():
    found = rank_backbones(texts(6), [0, 1] * 3, layers="pooled")
    assert [row["backbone"] for row in found] == ["all-MiniLM-L6-v2"]
    pairs = [(16_000, sound) for sound in sounds(6)]
    found = rank_backbones(pairs, [0, 1] * 3, layers="pooled")
    assert {row["backbone"] for row in found} == {"whisper-tiny.en", "log-mel"}


def test_names_modules_and_embedders_may_be_mixed():
    given = ["efficientnet_lite0", tiny_network(), ImageEmbedder(image_size=64)]
    found = rank_backbones(X, Y, given, layers=["pooled", "block1"])
    backbones = {"efficientnet_lite0", "Sequential", "efficientnet_lite0, image_size=64"}
    assert {row["backbone"] for row in found} == backbones
    assert [row["layer"] for row in found].count("block1") == 2


def test_what_is_not_on_this_machine_comes_last_with_a_reason():
    found = rank_backbones(X, Y, ["resnet18", tiny_network(), "nobody/nothing"], layers="pooled")
    assert [row["backbone"] for row in found] == ["Sequential", "resnet18", "nobody/nothing"]
    for row in found[1:]:
        assert list(row) == KEYS
        assert np.isnan(row["score"])
        assert row["reason"].startswith("Not on this machine")
    assert found[0]["reason"] == ""


def test_no_download_is_tried_unless_asked(monkeypatch):
    for name in ("SKTRANSFER_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name)
    (row,) = rank_backbones(X, Y, ["resnet18"])
    assert row["reason"].endswith("download=False forbids downloads")
    tried = []
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda *a, **k: tried.append(1) or 1 / 0)
    rank_backbones(X, Y, ["resnet18"], download=True)
    assert tried


def test_layers_are_all_pooled_or_a_list_in_any_order():
    assert [r["layer"] for r in rank_backbones(X, Y, [embedder()], layers="pooled")] == ["pooled"]
    found = rank_backbones(X, Y, [embedder()], layers=[-1, "stage0", 0])
    assert {row["layer"] for row in found} == {"stage0", "stage4"}
    with pytest.raises(ValueError, match=r"no candidate has a layer 'head'; Sequential has stage0"):
        rank_backbones(X, Y, [embedder()], layers=["pooled", "head"])


def test_the_result_prints_and_becomes_a_frame():
    found = rank_backbones(X, Y, [embedder()])
    assert repr(found).splitlines()[0].startswith("backbone    layer   score  std error")
    frame = pd.DataFrame(found)
    assert frame.columns.tolist() == KEYS
    assert frame["score"].dtype == float


@pytest.mark.parametrize("method", ["ridge", "logme"])
@pytest.mark.parametrize("kind", ["classes", "two", "values", "several", "labels"])
def test_every_kind_of_target_and_method(kind, method):
    rng = np.random.default_rng(0)
    y = {
        "classes": Y,
        "two": Y == "a",
        "values": rng.normal(size=N),
        "several": rng.normal(size=(N, 2)),
        "labels": rng.integers(0, 2, (N, 3)),
    }[kind]
    found = rank_backbones(X, y, [embedder()], method=method)
    assert all(np.isfinite(row["score"]) for row in found)
    assert all(np.isnan(row["std_error"]) == (method == "logme") for row in found)


@pytest.mark.parametrize(
    "container",
    [list, tuple, lambda v: pd.Series(v, index=range(5, 5 + N)), lambda v: np.array(v, object)],
)
def test_containers_of_cells_and_targets_are_equal(container):
    column = texts(N)
    expected = rank_backbones(column, Y, [TextEmbedder()], layers=["layer1"])
    found = rank_backbones(container(column), container(Y), [TextEmbedder()], layers=["layer1"])
    assert found[0]["score"] == expected[0]["score"]


def test_copies_and_ties_are_ranked_by_cost():
    found = rank_backbones([X[0]] * 8, [0, 1] * 4, [embedder()])
    assert len({row["score"] for row in found}) == 1
    seconds = [row["seconds_per_row"] for row in found]
    assert seconds == sorted(seconds)


def test_bad_rows_raise_or_are_left_out():
    cells = [*X, None, b"no image"]
    y = [*Y, "a", "b"]
    with pytest.raises(BadCellError, match="row 24"):
        rank_backbones(cells, y, [embedder()])
    with pytest.warns(BadCellWarning, match="2 of 26 rows"):
        found = rank_backbones(cells, y, [embedder(on_error="nan")])
    expected = rank_backbones(X, Y, [embedder()])
    assert {row["n_rows"] for row in found} == {N}
    by_layer = {row["layer"]: row["score"] for row in expected}
    assert {row["layer"]: row["score"] for row in found} == by_layer
    with (
        pytest.warns(BadCellWarning),
        pytest.raises(TargetError, match="two different classes at least, in 1 rows"),
    ):
        rank_backbones([X[0], None], ["a", "b"], [embedder(on_error="nan")])


@pytest.mark.parametrize(
    ("candidates", "error", "match"),
    [
        ("efficientnet_lite0", TypeError, r"must be a list, .* pass \['efficientnet_lite0'\]"),
        (ImageEmbedder(), TypeError, r"must be a list, got ImageEmbedder\(\)"),
        ([], ValueError, "candidates is empty"),
        ([make_pipeline(ImageEmbedder())], TypeError, "Pipeline is no embedder, backbone or name"),
        (["efficientnet_lite9"], BackboneError, "There is no backbone 'efficientnet_lite9'"),
        (["all-MiniLM-L6-v2"], BackboneError, "is a backbone for text"),
        ([ImageEmbedder(image_size=-1)], ValueError, "image_size"),
        ([AudioEmbedder()], ColumnError, "shape"),
        ([AudioEmbedder(), ImageEmbedder()], ValueError, "several kinds: image, sound"),
    ],
)
def test_other_candidates_are_refused(candidates, error, match):
    with pytest.raises(error, match=match):
        rank_backbones(X, Y, candidates)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"method": "knn"}, ValueError, "method='knn' is none of 'ridge', 'logme'"),
        ({"task": "x"}, ValueError, "task='x' is none of"),
        ({"layers": []}, ValueError, "layers is empty"),
        ({"layers": None}, ValueError, "no candidate has a layer None"),
        ({"layers": 1.5}, ValueError, "no candidate has a layer 1.5"),
        ({"y": Y[1:]}, TargetError, "X has 24 rows, and y has 23"),
        ({"y": ["a"] * N}, TargetError, "two different classes"),
        ({"X": [], "y": []}, ValueError, "0 sample"),
        ({"X": X[:1], "y": ["a"]}, TargetError, "in 1 rows"),
        ({"X": np.zeros((N, 5)), "candidates": None}, ColumnError, "cannot be recognized: .* Pass"),
    ],
)
def test_wrong_arguments_say_what_to_do(change, error, match):
    arguments = {"X": X, "y": Y, "candidates": [embedder()], **change}
    with pytest.raises(error, match=match):
        rank_backbones(**arguments)


def test_a_long_ranking_prints_and_parts_and_copies_are_rankings(ranking):
    for other in (ranking[:3], copy.copy(ranking), pickle.loads(pickle.dumps(ranking))):
        assert isinstance(other, BackboneRanking)
        assert other.score_name == ranking.score_name
    long = BackboneRanking([*ranking] * 5, "R²")
    assert "more rows" in repr(long)


def test_names_in_the_legend_are_as_they_are(ranking):
    for row in ranking:
        row["backbone"] = "_$" + row["backbone"]
    texts = ranking.plot().ax_.get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["_$one", "_$two"]
    assert not any(text.get_parse_math() for text in texts)


@pytest.fixture
def ranking():
    rows = []
    for name, shift in (("one", 0.0), ("two", 0.004)):
        for k in range(12):
            values = [name, f"layer{k}", 0.5 + k / 40 + shift, 0.02, 8, 0.001 * (k + 1), 9, ""]
            rows.append(dict(zip(KEYS, values, strict=True)))
    rows.append({**rows[0], "score": np.nan, "backbone": "three"})
    yield BackboneRanking(rows, "leave-one-out accuracy")
    plt.close("all")


def test_the_plot_has_a_line_per_backbone_with_bars_and_labels_that_do_not_overlap(ranking):
    display = ranking.plot()
    assert display.ax_.get_xscale() == "log"
    assert [text.get_text() for text in display.ax_.get_legend().texts] == ["one", "two"]
    assert len(display.ax_.containers) == 2
    display.figure_.canvas.draw()
    boxes = [label.get_window_extent() for label in display.labels_]
    assert len(boxes) >= 12
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert display.ax_.bbox.overlaps(box)


def test_a_plot_without_errors_or_rows_or_with_given_axes(ranking):
    for row in ranking:
        row["std_error"] = np.nan
    _, ax = plt.subplots()
    assert ranking.plot(ax).ax_ is ax
    only = BackboneRanking([ranking[-1]], "score").plot()
    assert only.labels_ == []
