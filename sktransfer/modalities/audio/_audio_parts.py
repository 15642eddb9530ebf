"""Seconds of a sound, silenced one by one."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer.modalities._parts import WEIGHT_COLOURS, Part, Parts, Weighted, css_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A part is a second, or less of a recording that is shorter than so many seconds.
_LEAST_PARTS = 16
_SHORTEST = 0.02
# Columns of a drawn waveform.
_COLUMNS = 400


class AudioParts(Parts):
    """The seconds of a sound.

    Parameters
    ----------
    samples : ndarray of shape (samples,), float32
        The sound; parts are start and end in it.
    rate : int
        Samples per second.
    """

    def __init__(self, samples: np.ndarray, rate: int) -> None:
        self._samples, self._rate = samples, rate
        self.whole = (0, len(samples))
        seconds = min(1.0, max(_SHORTEST, len(samples) / rate / _LEAST_PARTS))
        self._step = max(1, round(seconds * rate))

    def split(self, part: Part, most: int) -> list[Part]:
        """Return the seconds of a part, or longer pieces of whole seconds."""
        edges = np.arange(part[0], part[1], self._step)
        if len(edges) > 1 and part[1] - edges[-1] < self._step / 2:
            edges = edges[:-1]  # a short rest belongs to the second before it
        runs = np.array_split(edges, max(1, min(most, len(edges))))
        starts = [int(run[0]) for run in runs]
        return list(zip(starts, [*starts[1:], part[1]], strict=True))

    def without(self, part: Part | None) -> Any:
        """Return the sound with a part of it silent."""
        samples = self._samples
        if part is not None:
            samples = samples.copy()
            samples[part[0] : part[1]] = 0
        return {"array": samples, "sampling_rate": self._rate}

    def weighted(self, parts: Sequence[Part], weights: Sequence[float]) -> TimeWeights:
        """Return seconds with their weights."""
        found = sorted(zip(parts, weights, strict=True))
        return TimeWeights(
            self._samples,
            self._rate,
            [(a / self._rate, b / self._rate, float(weight)) for (a, b), weight in found],
        )


class TimeWeights(Weighted, list[tuple[float, float, float]]):
    """Pieces of a sound with their weights: (start, end, weight), in seconds.

    Attributes
    ----------
    samples : ndarray of shape (samples,), float32
        The sound.
    rate : int
        Samples per second.
    """

    def __init__(
        self, samples: np.ndarray, rate: int, pieces: Sequence[tuple[float, float, float]]
    ) -> None:
        super().__init__(pieces)
        self.samples, self.rate = samples, rate

    @property
    def largest(self) -> float:
        """Largest absolute weight that is finite; 0 if there is none."""
        return max((abs(w) for *_, w in self if np.isfinite(w)), default=0.0)

    def entries(self) -> list[tuple[str, float]]:
        """Return the seconds and their weights."""
        return [(f"{start:.3g}-{end:.3g} s", weight) for start, end, weight in self]

    def describe(self) -> str:
        """Return the three pieces of the largest weights."""
        top = sorted(self.entries(), key=lambda entry: -abs(entry[1]))[:3]
        return ", ".join(f"{name} {weight:+.3f}" for name, weight in top)

    def draw(self, ax: Axes, limit: float) -> None:
        """Draw the waveform on the colours of its pieces."""
        import matplotlib as mpl

        colours = mpl.colormaps[WEIGHT_COLOURS]
        for start, end, weight in self:
            ax.axvspan(start, end, color=colours(0.5 + 0.5 * weight / limit), linewidth=0)
        times, low, high = self._envelope()
        ax.fill_between(times, low, high, color="0.15", linewidth=0.5, alpha=0.8)
        ax.set(xlim=(0, len(self.samples) / self.rate), yticks=[], xlabel="seconds")

    def to_html(self, limit: float) -> str:
        """Return a drawing of the waveform on the colours of its pieces."""
        seconds = len(self.samples) / self.rate
        scale, bars = 600 / seconds, []
        for start, end, weight in self:
            box = f'x="{start * scale:.1f}" width="{(end - start) * scale:.1f}" y="0" height="80"'
            title = html.escape(f"{start:.3g}-{end:.3g} s: {weight:+.4f}")
            colour = css_colour(weight, limit)
            bars.append(f'<rect {box} fill="{colour}"><title>{title}</title></rect>')
        times, low, high = self._envelope()
        top = [f"{t * scale:.1f},{40 - 38 * v:.1f}" for t, v in zip(times, high, strict=True)]
        bottom = [f"{t * scale:.1f},{40 - 38 * v:.1f}" for t, v in zip(times, low, strict=True)][
            ::-1
        ]
        wave = f'<polygon points="{" ".join(top + bottom)}" fill="#222" stroke="#222"/>'
        label = f'<text x="600" y="94" text-anchor="end" font-size="12">{seconds:.3g} s</text>'
        size = 'viewBox="0 0 600 98" style="width:100%;max-width:600px"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(bars)}{wave}{label}</svg>'

    def _envelope(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return times, and the least and greatest sample around each, in [-1, 1]."""
        starts = np.unique(np.linspace(0, len(self.samples), _COLUMNS, endpoint=False, dtype=int))
        loudest = max(float(np.abs(self.samples).max(initial=0)), 1e-9)
        low = np.minimum.reduceat(self.samples, starts) / loudest
        high = np.maximum.reduceat(self.samples, starts) / loudest
        return starts / self.rate, low, high
