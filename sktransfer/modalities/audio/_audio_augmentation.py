"""Random changes of training sounds that keep what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sktransfer.modalities._modality import Augmentation

# Gain in decibels, the largest shift, and noise below the sound in decibels.
_GAIN, _SHIFT, _NOISE = 6.0, 0.1, (20.0, 40.0)
# Masks of SpecAugment: how many, and the largest share of the time and of the frequencies each.
_MASKS, _TIME, _FREQUENCY = 2, 0.1, 0.1
_N_FFT, _HOP = 400, 160


def audio_augmentation(augment: Any) -> Augmentation | None:
    """Return the augmentation of samples (samples,) that a value of `augment` names.

    Parameters
    ----------
    augment : None, "light", "standard" or callable
        "light" changes the gain by up to 6 dB, shifts by up to a tenth with silence at the end
        that becomes free, and adds noise 20 to 40 dB below the sound; "standard" also masks two
        spans of time and two bands of frequencies, of up to a tenth each, as SpecAugment does. A
        callable is given one tensor (samples,), float32, and must return one of floats.

    References
    ----------
    .. [1] Park et al., "SpecAugment", Interspeech 2019.
    """
    if augment is None:
        return None
    transform = _TRANSFORMS[augment] if isinstance(augment, str) else augment

    def augmented(items: list[Any], targets: Any) -> tuple[list[Any], Any]:
        import torch

        # A copy: the transform may work in place.
        return [_to_array(transform(torch.from_numpy(item.copy()))) for item in items], targets

    return augmented


def _light(samples: Any) -> Any:
    import torch

    gain, shift, noise = torch.rand(3).tolist()
    samples = samples * 10 ** (_GAIN * (2 * gain - 1) / 20)
    by = round(_SHIFT * (2 * shift - 1) * len(samples))
    silence = samples.new_zeros(abs(by))
    samples = torch.cat([silence, samples[:-by]] if by > 0 else [samples[-by:], silence])
    below = _NOISE[0] + noise * (_NOISE[1] - _NOISE[0])
    level = samples.square().mean().sqrt() * 10 ** (-below / 20)
    return samples + level * torch.randn_like(samples)


def _standard(samples: Any) -> Any:
    import torch

    samples = _light(samples)
    if len(samples) <= _N_FFT:  # too short for a spectrum
        return samples
    window = torch.hann_window(_N_FFT, dtype=samples.dtype)
    spectrum = torch.stft(samples, _N_FFT, _HOP, window=window, return_complex=True)
    for _ in range(_MASKS):
        for axis, share in ((0, _FREQUENCY), (1, _TIME)):
            size = spectrum.shape[axis]
            width = int(torch.randint(0, int(share * size) + 1, ()))
            start = int(torch.randint(0, size - width + 1, ()))
            spectrum.narrow(axis, start, width).zero_()
    return torch.istft(spectrum, _N_FFT, _HOP, window=window, length=len(samples))


_TRANSFORMS: dict[str, Callable[[Any], Any]] = {"light": _light, "standard": _standard}


def _to_array(samples: Any) -> np.ndarray:
    """Return an augmented sound as float32; refuse what prediction would never give the network."""
    import torch

    if not isinstance(samples, torch.Tensor):
        raise ValueError(f"augment must return a tensor per sound, not a {type(samples).__name__}.")
    try:
        found = samples.float().numpy(force=True) if samples.is_floating_point() else None
    except Exception as error:  # sparse, nested, quantized, without values, ...
        raise ValueError(
            f"augment must return a dense tensor per sound; this one cannot be read ({error})."
        ) from error
    if found is None or found.ndim != 1 or not found.size:
        raise ValueError(
            f"augment must return samples (samples,) of floats, not {tuple(samples.shape)} of "
            f"{samples.dtype}."
        )
    if not np.isfinite(found).all():
        raise ValueError("augment returned samples that are not finite.")
    return found
