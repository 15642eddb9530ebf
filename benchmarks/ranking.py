"""How `rank_backbones` ranks candidates, beside 5-fold logistic regression on each of them.

    python -m benchmarks.ranking

Per method: rank correlation with the accuracy of logistic regression on standardized features over
5 folds, its regret (accuracy lost by taking the candidate ranked first), and its share of the time,
in seconds of one core on features in memory. On cloud icons the candidates are all layers of
EfficientNet-Lite0 at three image sizes, on TREC questions all layers of MiniLM.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sktransfer import ImageEmbedder, TextEmbedder
from sktransfer.embedders import embed_layers
from sktransfer.inspection._ranking_scores import METHODS, layer_scores, ranking_target

sys.path.insert(0, str(Path(__file__).parent.parent / "docs" / "examples"))
from _data import cloud_icons, trec_questions

SIZES = (96, 160, 224)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns, and the seconds of a core that it takes."""
    start = time.process_time()
    found = work()
    return found, time.process_time() - start


def accuracy(features: np.ndarray, y: np.ndarray) -> float:
    """Return the mean accuracy of logistic regression over 5 folds."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return cross_val_score(model, features, y, cv=folds).mean()


def compare(title: str, embedders: list[Any], X: Any, y: np.ndarray) -> None:
    """Print how each method ranks all layers of some embedders."""
    layers = [embed_layers(embedder, X, _all_layers(embedder, X)) for embedder in embedders]
    target, kind = ranking_target(y, "auto")
    rows = [features for found in layers for features in found.rows]
    with threadpool_limits(1):
        expected, slow = timed(lambda: np.array([accuracy(features, y) for features in rows]))
        print(f"{title}: {len(rows)} candidates of {len(y):,} rows")
        print(f"  5-fold logistic regression: {slow:.1f} s, best {expected.max():.3f}")
        for method in METHODS:
            found, fast = timed(
                lambda method=method: [
                    score.value
                    for each in layers
                    for score in layer_scores(each.rows, target, kind, method)
                ]
            )
            regret = expected.max() - expected[int(np.argmax(found))]
            print(
                f"  {method:5}: Spearman {spearmanr(expected, found)[0]:.3f}, regret {regret:.3f}, "
                f"1/{slow / fast:.0f} of the time ({fast:.2f} s)",
                flush=True,
            )


def _all_layers(embedder: Any, X: Any) -> list[str]:
    return [*embedder.fit(X)._fitted_backbone().stages, "pooled"]


def main() -> None:
    """Compare on icons and on questions."""
    table = cloud_icons()
    images = [ImageEmbedder(image_size=size) for size in SIZES]
    compare("Cloud icons", images, table["icon"], table["kind"].to_numpy(str))
    compare("TREC questions", [TextEmbedder()], *trec_questions())


if __name__ == "__main__":
    main()
