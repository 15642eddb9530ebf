"""Log-mel spectrograms: those of transformers' plain computation, row by row."""

import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from sktransfer.backbones._spectrogram import LogMel, MelSettings
from sktransfer.backbones.huggingface import mel_filters

SETTINGS = {
    "whisper": MelSettings(16_000, 400, 160, 400, 80, 0.0, 8_000.0),
    "clap": MelSettings(16_000, 512, 100, 512, 20, 50.0, 7_000.0, "htk", area=False, log="dB"),
    "ast": MelSettings(
        16_000,
        400,
        160,
        512,
        40,
        20.0,
        8_000.0,
        "kaldi",
        area=False,
        centered=False,
        periodic=False,
        emphasis=0.97,
        floor=1.2e-7,
        log="ln",
    ),
}


def plain(samples, settings):
    filters = mel_filter_bank(
        num_frequency_bins=settings.n_fft // 2 + 1,
        num_mel_filters=settings.bands,
        min_frequency=settings.lowest,
        max_frequency=settings.highest,
        sampling_rate=settings.sampling_rate,
        norm="slaney" if settings.area else None,
        mel_scale=settings.scale,
        triangularize_in_mel_space=settings.scale == "kaldi",
    )
    return spectrogram(
        samples.astype(np.float64),
        window_function(settings.frame, "hann", periodic=settings.periodic),
        frame_length=settings.frame,
        hop_length=settings.hop,
        fft_length=settings.n_fft,
        power=2.0,
        center=settings.centered,
        preemphasis=settings.emphasis or None,
        remove_dc_offset=bool(settings.emphasis),
        mel_filters=filters,
        mel_floor=settings.floor,
        log_mel={"ln": "log"}.get(settings.log, settings.log),
    ).T


@pytest.mark.parametrize("name", SETTINGS)
def test_rows_equal_the_plain_computation_whatever_is_behind_them(name):
    settings = SETTINGS[name]
    mel, rng = LogMel(settings, mel_filters(settings)), np.random.default_rng(0)
    rows = [rng.normal(scale=0.1, size=n) + 0.02 for n in (4_000, 640, 3_999)]
    samples = torch.tensor([len(row) for row in rows])
    waveform = torch.zeros(3, 5_000)
    for place, row in zip(waveform, rows, strict=True):
        place[: len(row)] = torch.from_numpy(row)
    found, counts = mel(waveform, samples), mel.frames(samples)
    for row, spectrum, count in zip(rows, found, counts.tolist(), strict=True):
        wanted = plain(row, settings)
        assert len(wanted) == count
        np.testing.assert_allclose(spectrum[:count].numpy(), wanted, atol=1e-4)


def test_a_row_shorter_than_half_a_frame_has_finite_values():
    settings = SETTINGS["whisper"]
    mel = LogMel(settings, mel_filters(settings))
    alone = mel(torch.ones(1, 320), torch.tensor([1]))
    together = mel(torch.ones(2, 640), torch.tensor([1, 640]))
    assert alone.isfinite().all()
    torch.testing.assert_close(together[0, : alone.shape[1]], alone[0], atol=1e-4, rtol=0)


def test_settings_are_plain_json():
    for settings in SETTINGS.values():
        assert MelSettings.from_dict(settings.to_dict()) == settings


def test_bfloat16_does_not_change_the_spectrogram():
    settings = SETTINGS["whisper"]
    mel, waveform = LogMel(settings, mel_filters(settings)), torch.randn(1, 3_200)
    wanted = mel(waveform, torch.tensor([3_200]))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(mel(waveform, torch.tensor([3_200])), wanted)
