"""
Masks: drawings on photographs, and parts of a brain
====================================================

The class of each pixel, from few labelled pictures. First drawings of six kinds that are pasted on
photographs, so that their masks are exact: the drawings and photographs of test pictures are in no
training picture. Then slices of a brain, of which every tenth is labelled.
"""

# %%
# The baseline
# ------------
# A random forest that sees the colour of a pixel, and the means of the colours around it.

import numpy as np
import pandas as pd
from _data import DRAWINGS, brain, pasted_pictures
from _output import OUTPUT
from scipy.ndimage import uniform_filter
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import jaccard_score

from sktransfer import ImageSegmenter, MaskDisplay, read_volume

X, y, _, X_test, y_test, _ = pasted_pictures()


def pixels(images):
    """Return the colour of each pixel and the means of two squares around it, one row each."""
    parts = [uniform_filter(images.astype(float), (1, side, side, 1)) for side in (1, 5, 11)]
    return np.concatenate(parts, axis=3).reshape(-1, 9)


rows = np.random.default_rng(0).choice(y.size, 40_000, replace=False)
forest = RandomForestClassifier(100, min_samples_leaf=2, n_jobs=2, random_state=0)
forest.fit(pixels(X)[rows], y.ravel()[rows])
score = jaccard_score(y_test.ravel(), forest.predict(pixels(X_test)), average="macro")
print(f"mean IoU of 100 pictures\nrandom forest on pixels   {score:.3f}", flush=True)

# %%
# The segmenter
# -------------
# A feature pyramid over the maps of a frozen network, which sees each picture once.

segmenter = ImageSegmenter(random_state=0).fit(X, y)
print(f"ImageSegmenter            {segmenter.score(X_test, y_test):.3f}\n")
report = pd.DataFrame(segmenter.classification_report(X_test, y_test)).T
print(report.rename(dict(enumerate(DRAWINGS))).round(3).to_string())

display = MaskDisplay.from_estimator(segmenter, X_test[:5], y_test[:5], class_names=DRAWINGS)
display.figure_.savefig(OUTPUT / "segmentation.png", dpi=80)

# %%
# Slices of a volume
# ------------------
# A magnetic resonance image and an atlas of its parts, as a table with one row per slice. Every
# tenth slice is labelled; the others, in between, are predicted.

PARTS = ("outside", "cortex", "deep nuclei", "hippocampus", "cerebellum")
STARTS = {
    "deep nuclei": ("Caudate", "Putamen", "Pallidum", "Thalamus"),
    "hippocampus": ("Hippocampus", "ParaHippocampal", "Amygdala"),
    "cerebellum": ("Cerebelum", "Vermis"),
}
volume, labels, names = brain()
part_of = np.zeros(256, dtype=np.uint8)
for number, name in names.items():
    parts = [part for part, starts in STARTS.items() if name.startswith(starts)]
    part_of[number] = PARTS.index(parts[0] if parts else "cortex")

table = read_volume(volume, labels=labels)
table["mask"] = [part_of[mask] for mask in table["mask"]]
table = table[[mask.any() for mask in table["mask"]]]
is_labelled = np.arange(len(table)) % 10 == 5
train, test = table[is_labelled], table[~is_labelled]
segmenter = ImageSegmenter(image_size=256, max_epochs=40, random_state=0)
segmenter.fit(train["image"], train["mask"])
report = pd.DataFrame(segmenter.classification_report(test["image"], test["mask"])).T
print(f"\n{len(train)} slices labelled, {len(test)} predicted")
print(report.rename(dict(enumerate(PARTS))).round(3).to_string())

shown = test.iloc[len(test) // 6 :: len(test) // 4]
display = MaskDisplay.from_estimator(segmenter, shown["image"], shown["mask"], class_names=PARTS)
display.figure_.savefig(OUTPUT / "brain.png", dpi=80)
