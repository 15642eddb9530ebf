"""Sounds: recordings, decoded to one channel at the rate of a network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xxhash

from sktransfer import _runtime
from sktransfer.cache import FeatureCache
from sktransfer.columns import name_cell
from sktransfer.exceptions import BadCellError, ColumnError, LeftOutWarning, LevelWarning
from sktransfer.modalities._chunks import Chunked
from sktransfer.modalities._digests import array_digest, content_digest
from sktransfer.modalities._files import FileCell, digest_files, file_cell
from sktransfer.modalities._inputs import MASK, SAMPLES, WAVEFORM, joined, map_inputs
from sktransfer.modalities._modality import Forward, Modality, Preparer, Recipe, Remark
from sktransfer.modalities.audio._audio_augmentation import audio_augmentation
from sktransfer.modalities.audio._audio_cells import Samples, audio_source
from sktransfer.modalities.audio._audio_parts import AudioParts
from sktransfer.modalities.audio._audio_recipe import AudioRecipe
from sktransfer.modalities.audio._decode_audio import decode_audio
from sktransfer.modalities.audio._is_sound import is_sound
from sktransfer.modalities.audio._waveform_picture import waveform_picture

if TYPE_CHECKING:
    import torch

# Seconds of sound per batch, silence that fills it included.
_CPU_SECONDS, _GPU_SECONDS = 20, 600

# Windows of whole recordings per batch.
_CPU_WINDOWS, _GPU_WINDOWS = 8, 64

# Batches of which the rows are grouped by length.
_BATCHES_GATHERED = 16
# Rounding aside.
_FULL_SCALE = 1.001

_LOUD = (
    "recordings have samples outside [-1, 1], which are used as they are: integers that became "
    "floats must be divided by the largest of their type"
)

_SEVERAL = "files hold several recordings one after another, and only the first is used"


@dataclass(frozen=True)
class AudioModality(Modality):
    """Sounds, from every kind of cell that holds one.

    Parameters
    ----------
    sampling_rate : int, optional
        Samples per second of arrays that come without a rate.
    max_duration : float, optional
        Longest recording in seconds.
    pad_clips : bool
        Whether clips are filled with silence up to the length that the backbone was trained on.
    chunks : bool
        Whether all of a long recording is used, as the mean over chunks, or its start.
    whole : bool
        Whether recordings are given to a function of samples instead of network inputs.
    """

    name: ClassVar[str] = "audio"
    near: ClassVar[float] = 0.98
    noun: ClassVar[str] = "sound"
    library: ClassVar[str] = "soundfile"
    recipe_type: ClassVar[type[Recipe]] = AudioRecipe
    augmentation = staticmethod(audio_augmentation)
    can_blend: ClassVar[bool] = False
    columns_advice: ClassVar[str] = "; pass a table of samples as an array, with sampling_rate"

    sampling_rate: int | None = None
    max_duration: float | None = None
    pad_clips: bool = False
    chunks: bool = False
    whole: bool = False

    def cells_of_array(self, X: np.ndarray) -> tuple[Any, int] | None:
        """Return the recordings of an array (n, samples) or (n, channels, samples)."""
        is_column = X.ndim == 2 and X.shape[1] == 1
        if X.ndim not in (2, 3) or is_column or X.dtype.kind not in "iuf":
            return None
        if self.sampling_rate is None:
            raise ColumnError(
                f"an array of shape {X.shape} holds one recording per row only with sampling_rate="
            )
        return list(X), 1

    @classmethod
    def claims(cls, cell: object, start: bytes | None) -> bool:
        """Return whether it is a sound, a file of one, or a name like that of such a file."""
        return is_sound(cell, start)

    def digest(
        self, cells: Iterable[object], cache: FeatureCache
    ) -> tuple[Sequence[Any], Sequence[bytes | BadCellError | None]]:
        """Digest every recording; nothing is decoded.

        A file has the digest of its bytes, an array that of its values and its sampling rate. A
        cell that has a digest may still fail when it is decoded.
        """
        found = [self._digest(cell) for cell in cells]
        files = [entry for entry in found if isinstance(entry, FileCell)]
        digests = digest_files(files, cache, None)
        of_cells = [digests[entry.key] if isinstance(entry, FileCell) else entry for entry in found]
        return cells, of_cells  # type: ignore[return-value]

    def _digest(self, cell: object) -> bytes | BadCellError | FileCell:
        try:
            source = audio_source(cell, self.sampling_rate)
            if isinstance(source, str):
                return file_cell(source, None)
            if isinstance(source, Samples):
                rate = source.rate.to_bytes(8, "little")
                return xxhash.xxh3_128_digest(array_digest(source.array) + rate)
            return content_digest(source)
        except BadCellError as error:
            return name_cell(cell, error)

    def recipe(self, backbone: Any) -> AudioRecipe:
        """Return the backbone's recipe with clips filled or not."""
        return backbone.recipe.filled(self.pad_clips)

    def parts(self, cell: Any, recipe: AudioRecipe) -> AudioParts:
        """Return the seconds of a sound at the rate of the recipe."""
        limits: dict[str, Any] = {
            "sampling_rate": self.sampling_rate,
            "max_duration": self.max_duration,
        }
        samples = decode_audio(cell, recipe.sampling_rate, **limits).samples
        return AudioParts(samples, recipe.sampling_rate)

    def preparation(self) -> str:
        """Return the versions of what decodes and resamples."""
        return f"{super().preparation()} soxr {_runtime.version_of('soxr')}"

    def _picture(self, cell: object, pixels: int) -> np.ndarray:
        return waveform_picture(cell, pixels, self.sampling_rate, self.max_duration)

    def bind(self, backbone: Any) -> AudioPreparer:
        """Return what decodes and resamples sounds for a backbone."""
        kind = ChunkPreparer if self.chunks else AudioPreparer
        return (RecordingPreparer if self.whole else kind)(self.recipe(backbone), self)

    @classmethod
    def module_recipe(cls, module: Any) -> Recipe:
        """Return the recipe that a module has, or that of waveforms at 16 kHz."""
        recipe = super().module_recipe(module) if hasattr(module, "recipe") else AudioRecipe()
        recipe.check(None)
        return recipe

    @staticmethod
    def from_plain(*tensors: torch.Tensor) -> Any:
        """Return a waveform, or the named tensors of a masked recipe."""
        if len(tensors) == 1:
            return tensors[0]
        return dict(zip((WAVEFORM, SAMPLES, MASK), tensors, strict=False))


class AudioPreparer(Preparer):
    """Decodes sounds, resamples them and cuts them to the longest that the network takes."""

    variable_length: ClassVar[bool] = True
    # Recordings differ in length by a factor of a thousand, so none waits for many others.
    window: ClassVar[int] = 1

    def __init__(self, recipe: AudioRecipe, modality: AudioModality) -> None:
        self.recipe = recipe
        self._modality = modality

    @property
    def gathered(self) -> int:  # type: ignore[override]
        """Total length of the cells that batches are formed of."""
        return _BATCHES_GATHERED * self.budget(on_cpu=True)

    def prepare(self, cell: Any, digest: bytes | None) -> Any:
        """Return samples (samples,), at most as many as the network takes."""
        samples, longest = self._decoded(cell, digest), self.recipe.longest
        if len(samples) > longest:
            seconds = longest / self.recipe.sampling_rate
            clause = f"recordings are longer than {seconds:g} seconds, and only their start is used"
            self.remark(Remark(clause, LeftOutWarning), digest)
            samples = samples[:longest].copy()  # a view would keep all of it in memory
        return samples

    def _decoded(self, cell: Any, digest: bytes | None) -> np.ndarray:
        samples, peak, has_more = decode_audio(
            cell,
            self.recipe.sampling_rate,
            sampling_rate=self._modality.sampling_rate,
            max_duration=self._modality.max_duration,
            digest=digest,
        )
        if peak > _FULL_SCALE:
            self.remark(Remark(_LOUD, LevelWarning), digest)
        if has_more:
            self.remark(Remark(_SEVERAL, LeftOutWarning), digest)
        return samples

    def collate(self, items: Sequence[np.ndarray], device: torch.device) -> Any:
        """Return network inputs; see `AudioRecipe.inputs`."""
        recipe, size = self.recipe, max(map(len, items))
        if size > recipe.longest:  # prepared cells are not
            raise ValueError(
                f"augment returned a sound of {size / recipe.sampling_rate:.1f} seconds; this "
                f"backbone takes at most {recipe.longest / recipe.sampling_rate:g}."
            )
        return map_inputs(lambda tensor: tensor.to(device), self.recipe.inputs(items))

    def apply(self, forward: Forward, items: Sequence[Any], device: torch.device) -> np.ndarray:
        """Return what a function of network inputs gives; unmasked rows only beside their like."""
        if self.recipe.masked or self.recipe.fill != "no":
            return super().apply(forward, items, device)
        groups: dict[int, list[int]] = defaultdict(list)
        for row, samples in enumerate(items):
            groups[len(samples)].append(row)
        found = [
            super(AudioPreparer, self).apply(forward, [items[row] for row in rows], device)
            for rows in groups.values()
        ]
        order = np.argsort([row for rows in groups.values() for row in rows])
        return joined(found)[order]

    def budget(self, on_cpu: bool) -> int:
        """Return the number of positions per batch."""
        seconds = _CPU_SECONDS if on_cpu else _GPU_SECONDS
        return self.recipe.positions(seconds * self.recipe.sampling_rate)

    def length(self, item: Any) -> int:
        """Return the number of positions."""
        recipe = self.recipe
        return recipe.positions(len(item) if recipe.fill == "no" else recipe.longest)


class ChunkPreparer(Chunked, AudioPreparer):
    """Cuts long recordings into chunks; the output of a recording is the mean over its chunks."""

    def prepare(self, cell: Any, digest: bytes | None) -> list[np.ndarray]:
        """Return the samples of each chunk."""
        return self.recipe.cut(self._decoded(cell, digest))


class RecordingPreparer(AudioPreparer):
    """Gives whole recordings to a function of a list of samples, which cuts them itself."""

    @property
    def gathered(self) -> int:  # type: ignore[override]
        """Total length of the cells that batches are formed of."""
        return 4 * self.budget(on_cpu=True)

    def prepare(self, cell: Any, digest: bytes | None) -> np.ndarray:
        """Return samples (samples,)."""
        return self._decoded(cell, digest)

    def apply(self, forward: Forward, items: Sequence[Any], device: torch.device) -> np.ndarray:
        """Return what a function of recordings gives."""
        return forward(items)

    def budget(self, on_cpu: bool) -> int:
        """Return the number of samples per batch, those of filled windows included."""
        return self.recipe.longest * (_CPU_WINDOWS if on_cpu else _GPU_WINDOWS)

    def length(self, item: Any) -> int:
        """Return the number of samples of all windows, the last one filled."""
        return -(-len(item) // self.recipe.longest) * self.recipe.longest
