"""Models of the same rows, side by side: what each of them is worth, and what it costs."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _output import OUTPUT
from sklearn.model_selection import cross_validate

from sktransfer import HistoryDisplay


def climb(ladder, X, y, cv):
    """Cross-validate each model, print a line of a table for each, and return the table."""
    print(f"{'':32}{'accuracy':>16}{'seconds per fit':>16}{'trained parameters':>20}")
    rungs = []
    for name, model in ladder.items():
        found = cross_validate(model, X, y, cv=cv, return_estimator=True)
        rung = {
            "accuracy": found["test_score"].mean(),
            "spread": found["test_score"].std(),
            "seconds": np.median(found["fit_time"]),
            "parameters": trained_parameters(found["estimator"][0]),
        }
        rungs.append(rung)
        accuracy = f"{rung['accuracy']:.3f} ± {rung['spread']:.3f}"
        print(f"{name:32}{accuracy:>16}{rung['seconds']:16.1f}{rung['parameters']:20,}", flush=True)
    return pd.DataFrame(rungs, index=list(ladder))


def trained_parameters(model):
    """Return how many numbers a fit has found."""
    last = model[-1] if hasattr(model, "steps") else model
    if hasattr(last, "module_"):
        return sum(p.numel() for p in last.module_.parameters() if p.requires_grad)
    return last.coef_.size + last.intercept_.size


def draw(rungs, axes):
    """Draw the accuracy of each model and its spread, with the seconds of a fit beside it."""
    places = np.arange(len(rungs))[::-1]
    axes.errorbar(rungs["accuracy"], places, xerr=rungs["spread"], fmt="o", capsize=3)
    axes.set_yticks(places, rungs.index)
    axes.set(xlabel="accuracy", ylim=(-0.6, len(rungs) - 0.4))
    axes.grid(axis="x", alpha=0.4)
    for place, (_, rung) in zip(places, rungs.iterrows(), strict=True):
        told = f"{rung['seconds']:.1f} s" if rung["seconds"] < 10 else f"{rung['seconds']:.0f} s"
        end = (rung["accuracy"] + rung["spread"], place)
        axes.annotate(told, end, xytext=(6, 0), textcoords="offset points", va="center")
    axes.margins(x=0.18)


def picture(rungs, learner, name):
    """Draw the ladder and how one of its models has learned, and save the picture."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    draw(rungs, axes[0])
    HistoryDisplay.from_estimator(learner, ax=axes[1])
    figure.savefig(OUTPUT / name, dpi=100)
