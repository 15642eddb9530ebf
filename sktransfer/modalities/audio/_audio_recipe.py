"""How sounds become what a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np

from sktransfer.exceptions import BackboneError
from sktransfer.modalities._inputs import MASK, SAMPLES, WAVEFORM
from sktransfer.modalities._modality import Recipe

_HIGHEST_RATE = 384_000


@dataclass(frozen=True)
class AudioRecipe(Recipe):
    """Rate and length of the samples that a network takes, and the positions that it returns.

    Positions are the steps in time of a network's output: the first is computed from `window`
    samples, each further one from `hop` more.

    Attributes
    ----------
    sampling_rate : int
        Samples per second.
    window, hop : int
        Samples of the first position, and of each further one.
    longest : int
        Samples of a chunk at most; longer recordings are cut into chunks of similar length.
    fill : {"no", "silence", "repeat"}
        Whether and how a shorter chunk is filled up to `longest` samples: with silence behind it,
        or with whole repetitions and then silence.
    partial : bool
        Whether samples that do not fill a last position are filled with silence, or left out.
    standardize : bool
        Whether each chunk is scaled to mean 0 and variance 1.
    masked : bool
        Whether the network is given the number of samples of each row, so that rows of
        different lengths can be padded. Otherwise it gets waveforms (n, samples) alone, of rows of
        one length at a time.
    timed : bool
        Whether the network's output has positions in time.
    pooling : str
        Pooling of a stage by default; empty for the mean.
    """

    modality: ClassVar[str] = "audio"

    sampling_rate: int = 16_000
    window: int = 400
    hop: int = 320
    longest: int = 480_000
    fill: Literal["no", "silence", "repeat"] = "no"
    partial: bool = False
    standardize: bool = False
    masked: bool = False
    timed: bool = True
    pooling: str = ""

    def positions(self, samples: int) -> int:
        """Return the number of positions of so many samples, at least one.

        Examples
        --------
        >>> AudioRecipe(window=400, hop=320).positions(1040)
        3
        """
        beyond = max(0, samples - self.window)
        return 1 + (-(-beyond // self.hop) if self.partial else beyond // self.hop)

    def filled(self, pad_clips: bool) -> Self:
        """Return the recipe that fills clips with silence up to `longest`."""
        return replace(self, fill="silence") if pad_clips and self.fill == "no" else self

    def cut(self, samples: np.ndarray) -> list[np.ndarray]:
        """Cut samples into chunks of similar length."""
        return np.array_split(samples, -(-len(samples) // self.longest))

    def inputs(self, chunks: Sequence[np.ndarray]) -> Any:
        """Return chunks as a network takes them.

        Parameters
        ----------
        chunks : sequence of ndarray of shape (samples,)
            At least one sample each, at the recipe's rate.

        Returns
        -------
        Tensor of shape (n, samples), or dict of str to Tensor
            A tensor if the recipe is not masked and the rows have one length, else ``waveform``
            (n, samples), padded with zeros, and ``samples`` (n,), the samples of each row that the
            network is to read. A masked recipe of outputs with positions in time adds
            ``attention_mask`` (n, positions), 1 where a position belongs to the chunk.
        """
        import torch

        filled = [self._filled(chunk) for chunk in chunks]
        sizes = [len(samples) for samples in filled]
        waveform = torch.zeros(len(filled), max(sizes, default=self.window), dtype=torch.float32)
        for row, samples in zip(waveform, filled, strict=True):
            row[: len(samples)] = torch.from_numpy(samples)
        if not self.masked and len({*sizes}) < 2:
            return waveform
        # The network that is told nothing of the silence in a filled row reads it like the rest.
        own = sizes if self.timed else [len(chunk) for chunk in chunks]
        inputs = {WAVEFORM: waveform, SAMPLES: torch.tensor(own, dtype=torch.int64)}
        if self.masked and self.timed:
            counts = torch.tensor([self.positions(len(chunk)) for chunk in chunks])
            positions = torch.arange(self.positions(waveform.shape[1]))
            inputs[MASK] = (positions < counts[:, None]).long()
        return inputs

    def _filled(self, chunk: np.ndarray) -> np.ndarray:
        """Return a chunk standardized, and filled as the network takes it."""
        if self.standardize:
            chunk = (chunk - chunk.mean()) / np.sqrt(chunk.var() + 1e-7)
        if self.fill == "repeat":
            chunk = np.tile(chunk, max(1, self.longest // len(chunk)))
        size = self.longest
        if self.fill == "no":
            size = max(len(chunk), self.window)
            if self.partial:
                size = self.window + self.hop * (self.positions(len(chunk)) - 1)
        chunk = np.pad(chunk, (0, size - len(chunk))) if size > len(chunk) else chunk
        return np.ascontiguousarray(chunk, dtype=np.float32)

    def blank(self, rows: int) -> Any:
        """Return silence of four positions, or as long as the network takes."""
        length = min(self.longest, self.window + 3 * self.hop)
        silence = np.zeros(length, dtype=np.float32)
        return self.inputs([silence] * rows)

    def examples(self, processor: Any) -> Sequence[Any]:
        """Return two, three and one sounds of different lengths."""
        random = np.random.default_rng(0)
        size = min(self.longest, self.window + 60 * self.hop)
        sounds = [
            random.normal(scale=0.1, size=length).astype(np.float32)
            for length in (size // 2, size, size // 3)
        ]
        if not self.masked and self.fill == "no":
            return [self.inputs(sounds[:1] * 2), self.inputs(sounds[1:2] * 3)]
        return [self.inputs(some) for some in (sounds[:2], sounds, sounds[1:2])]

    def describe(self) -> str:
        """Return the sampling rate, and the length that clips are filled up to."""
        filled = "" if self.fill == "no" else f", {self.longest / self.sampling_rate:g} s"
        return f"{self.sampling_rate} Hz{filled}"

    def check(self, processor: Any) -> None:
        """Refuse lengths that make no sense."""
        numbers = (self.sampling_rate, self.window, self.hop, self.longest)
        is_whole = all(type(number) is int and number > 0 for number in numbers)
        fits = is_whole and self.window <= self.longest and self.sampling_rate <= _HIGHEST_RATE
        if not fits or self.fill not in ("no", "silence", "repeat"):
            raise BackboneError(f"{self} is no recipe of sounds.")
