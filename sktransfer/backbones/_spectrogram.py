"""Log-mel spectrograms of waveforms of different lengths, as the input of networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import nn


@dataclass(frozen=True)
class MelSettings:
    """What decides a log-mel spectrogram.

    Attributes
    ----------
    sampling_rate : int
        Samples per second.
    frame, hop, n_fft : int
        Samples per frame, from one frame to the next, and of the Fourier transform.
    bands : int
        Number of mel bands.
    lowest, highest : float
        Frequencies of the bands, in hertz.
    scale : {"slaney", "htk", "kaldi"}
        Mel scale.
    area : bool
        Whether each band is divided by its width.
    centered : bool
        Whether a frame is centred on its time; the waveform is then mirrored at both ends.
    periodic : bool
        Whether the Hann window is periodic.
    emphasis : float
        Share of the previous sample that is subtracted, after the mean of the frame; 0 for
        neither.
    floor : float
        Least power of a band.
    log : {"ln", "log10", "dB"}
        Unit of the result.
    """

    sampling_rate: int
    frame: int
    hop: int
    n_fft: int
    bands: int
    lowest: float
    highest: float
    scale: Literal["slaney", "htk", "kaldi"] = "slaney"
    area: bool = True
    centered: bool = True
    periodic: bool = True
    emphasis: float = 0.0
    floor: float = 1e-10
    log: Literal["ln", "log10", "dB"] = "log10"

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> MelSettings:
        """Return the settings that `to_dict` has described."""
        return cls(**fields)


class LogMel(nn.Module):
    """Log-mel spectrogram of the samples of each row, whatever the rows beside it.

    Parameters
    ----------
    settings : MelSettings
        Of the spectrogram.
    filters : Tensor of shape (n_fft // 2 + 1, bands)
        Weights of the frequencies in each band.
    """

    filters: torch.Tensor
    window: torch.Tensor

    def __init__(self, settings: MelSettings, filters: torch.Tensor) -> None:
        super().__init__()
        self.settings = settings
        window = torch.hann_window(settings.frame, periodic=settings.periodic)
        # They follow from the settings.
        self.register_buffer("filters", filters.float(), persistent=False)
        self.register_buffer("window", window, persistent=False)

    def forward(self, waveform: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """Return the spectrogram (n, frames, bands) of `samples` (n,) of each row.

        Frames behind the samples of a row are those of silence, or not defined.
        """
        settings = self.settings
        with torch.autocast(waveform.device.type, enabled=False):
            if settings.centered:
                waveform = mirrored(waveform, samples, settings.n_fft // 2)
            frames = waveform.unfold(1, settings.frame, settings.hop)
            if settings.emphasis:
                frames = _emphasized(frames - frames.mean(-1, keepdim=True), settings.emphasis)
            # `rfft` pads as well, but not every engine's.
            frames = nn.functional.pad(frames * self.window, (0, settings.n_fft - settings.frame))
            spectrum = torch.fft.rfft(frames)
            power = spectrum.real.square() + spectrum.imag.square()
            bands = (power @ self.filters).clamp(min=settings.floor)
            if settings.log == "ln":
                return bands.log()
            return bands.log10() * (10 if settings.log == "dB" else 1)

    def frames(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the number of frames of so many samples."""
        beyond = samples if self.settings.centered else samples - self.settings.frame
        return 1 + beyond.clamp(min=0) // self.settings.hop

    def extra_repr(self) -> str:
        """Show the settings."""
        return str(self.settings)


def mirrored(waveform: torch.Tensor, samples: torch.Tensor, by: int) -> torch.Tensor:
    """Return waveforms with `by` samples more at both ends, mirrored at the ends of each row."""
    rows, length = waveform.shape
    places = torch.arange(-by, length + by, device=waveform.device).abs().expand(rows, -1)
    last = (samples - 1)[:, None]
    places = torch.where(places > last, 2 * last - places, places)
    inside = places >= 0  # behind the mirrored samples of a row there is silence
    return waveform.gather(1, places.clamp(0, length - 1)) * inside


def _emphasized(frames: torch.Tensor, share: float) -> torch.Tensor:
    before = torch.cat([frames[..., :1], frames[..., :-1]], -1)
    return frames - share * before
