"""Sounds that hold no words, known without a network."""

import numpy as np

# Largest sample of silence: 8 steps of 16 bits.
_FLOOR = 2.0**-12
# Samples of a frame, its neighbouring frequencies that a tone takes, and its quietest power beside
# that of the loudest frame.
_FRAME, _BAND, _QUIET = 512, 5, 1e-5
# Share of a frame's power that is in its tone, and of the frames that are tones. Telephone prompts
# have at most .42 such frames, and beeps and tones at least .90.
_POWER, _FRAMES = 0.95, 0.9


def is_wordless(samples: np.ndarray) -> bool:
    """Return whether samples (n,) are silence or a tone, whose pitch may change.

    Whisper takes loud tones for long vowels.

    Examples
    --------
    >>> time = np.arange(16_000) / 16_000
    >>> is_wordless(np.sin(2 * np.pi * 440 * time))
    True
    >>> is_wordless(np.sign(np.sin(2 * np.pi * 440 * time)))
    False
    """
    samples = samples - samples.mean()  # an offset is a tone, beside which words are quiet
    if np.abs(samples).max() <= _FLOOR:
        return True
    padded = np.pad(samples, (0, max(0, _FRAME - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[:: _FRAME // 2]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME))) ** 2
    bands = np.lib.stride_tricks.sliding_window_view(power, _BAND, axis=1).sum(-1)
    total = power.sum(1)
    loud = total > _QUIET * total.max()
    if not loud.any():  # but for the ends of the samples, whose weight is 0
        return True
    return bool(np.mean(bands.max(1)[loud] > _POWER * total[loud]) >= _FRAMES)
