"""
Who says it, and what is said?
==============================

Recordings as a column. The same pretrained network tells at one depth who speaks and in which
room, and at another which letter was said, also by a voice that it has never heard. Statistics of
mel bands, which need no network, are the baseline.
"""

# %%
# Who is speaking?
# ----------------
# Some 50 voices, each with its microphone and room, from programs for children and a telephone
# exchange. Files are ogg and wav, at 8 to 44.1 kHz; one fold of five is held out.

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from _data import speakers, spoken_letters, telephone_prompts
from _output import OUTPUT
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktransfer import AudioClassifier, AudioEmbedder, SpeechTranscriber, TextEmbedder

LAYERS = ("embeddings", "layer1", "layer2", "layer3", "layer4")
candidates = {"mel statistics": AudioEmbedder("log-mel")} | {
    layer: AudioEmbedder(layer=layer, pooling="mean+std") for layer in LAYERS
}


def table(title, candidates, X, y, cv, groups=None):
    """Print the accuracy of ridge regression on each kind of features; return predictions."""
    print(f"\n{title:36}accuracy")
    found = {}
    for name, features in candidates.items():
        model = features
        if hasattr(features, "transform") and not hasattr(features, "predict"):
            model = make_pipeline(features, StandardScaler(), RidgeClassifier(alpha=100))
        found[name] = cross_val_predict(model, X, y, cv=cv, groups=groups)
        print(f"{name:36}{np.mean(found[name] == y):.3f}", flush=True)
    return found


recordings, sources = speakers()
title = f"{len(recordings):,} recordings, {len(set(sources))} sources"
folds = StratifiedKFold(5, shuffle=True, random_state=0)
who = table(title, candidates, recordings, sources, folds)

# %%
# Which letter is it?
# -------------------
# The English alphabet in three voices: the model learns from two, and hears the third. A clip
# filled with silence to 30 seconds, as Whisper was trained, costs ten times as much and helps here.
# With two examples of each letter, fine-tuning needs augmentation.

letters, said, voices = spoken_letters()
candidates |= {
    "layer4, clips of 30 s": AudioEmbedder(layer="layer4", pooling="mean+std", pad_clips=True),
    "last 2 layers fine-tuned": AudioClassifier(
        trainable=2,
        augment="standard",
        max_epochs=15,
        layer_decay=0.5,
        batch_size=8,
        random_state=0,
    ),
}
what = table(
    "78 letters, by another voice", candidates, letters, said, LeaveOneGroupOut(), groups=voices
)
best = max(what, key=lambda name: np.mean(what[name] == said))

# %%
# What is said?
# -------------
# Telephone prompts, and which part of the exchange they belong to. Written down, they are texts for
# any model of texts; what the encoder makes of the sound tells voices and words, not subjects.

prompts, texts = telephone_prompts()
areas = np.array([Path(path).stem.split("-")[0] for path in prompts])
spoken = np.array([3 <= len(text.split()) <= 10 and "[" not in text for text in texts])
names, counts = np.unique(areas[spoken], return_counts=True)
chosen = spoken & np.isin(areas, names[counts >= 10])
prompts, texts, areas = prompts[chosen], texts[chosen], areas[chosen]

transcriber = SpeechTranscriber()
for text, heard in zip(texts[:4], transcriber.fit_transform(prompts[:4]), strict=True):
    print(f"\nsaid   {text}\nheard  {heard}")
candidates = {
    "mel statistics": AudioEmbedder("log-mel"),
    "layer4": AudioEmbedder(layer="layer4", pooling="mean+std"),
    "written down, then MiniLM": make_pipeline(transcriber, TextEmbedder()),
}
table(f"{len(prompts)} prompts of {len(set(areas))} areas", candidates, prompts, areas, folds)

# %%
# The pictures
# ------------
# What the baseline sees, and the letters that are taken for each other.

figure, axes = plt.subplots(1, 3, figsize=(13, 4.5), layout="constrained", width_ratios=(2, 2, 3))
for axis, voice in zip(axes, ("US", "telephone"), strict=False):
    samples, rate = soundfile.read(letters[(said == "w") & (voices == voice)][0])
    axis.specgram(samples, NFFT=512, Fs=rate, noverlap=384, scale="dB", vmin=-140)
    axis.set(title=f"w, {voice}", xlabel="seconds", ylabel="Hz", ylim=(0, 4000))
ConfusionMatrixDisplay.from_predictions(
    said, what[best], ax=axes[2], colorbar=False, cmap="Blues", include_values=False
)
axes[2].set(title=f"{best}: {np.mean(what[best] == said):.2f} of the letters")
figure.savefig(OUTPUT / "sounds.png", dpi=100)
