"""The plain baseline: mean and deviation of log-mel bands."""

import numpy as np
import pytest
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from sktransfer import AudioEmbedder, list_backbones
from sktransfer.backbones import get_backbone
from sktransfer.exceptions import WeightsError
from tests._tiny import sounds

PLAIN = {"sampling_rate": 16_000, "cache": False}


def plain(samples):
    filters = mel_filter_bank(
        num_frequency_bins=257,
        num_mel_filters=64,
        min_frequency=0.0,
        max_frequency=8_000.0,
        sampling_rate=16_000,
        norm="slaney",
        mel_scale="slaney",
    )
    return spectrogram(
        samples.astype(np.float64),
        window_function(400, "hann"),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        mel_filters=filters,
        log_mel="log",
    ).T


def test_features_equal_a_plain_computation():
    clips = sounds(4)
    found = AudioEmbedder("log-mel", **PLAIN).fit_transform(clips)
    bands = [plain(clip) for clip in clips]
    wanted = [np.concatenate([band.mean(0), band.std(0)]) for band in bands]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    highest = AudioEmbedder("log-mel", pooling="max", **PLAIN).fit_transform(clips)
    np.testing.assert_allclose(highest, [band.max(0) for band in bands], atol=1e-4)


@pytest.mark.parametrize("layer", ["pooled", "log_mel", 0, -1])
def test_a_row_does_not_depend_on_its_neighbours(layer):
    clips = [np.full(n, 0.1, dtype=np.float32) for n in (1, 399, 400, 401, 9_000)] + sounds(3)
    embedder = AudioEmbedder("log-mel", layer=layer, **PLAIN).fit(clips)
    alone = np.concatenate([embedder.transform([clip]) for clip in clips])
    np.testing.assert_allclose(embedder.transform(clips), alone, rtol=1e-5, atol=1e-5)


def test_it_is_listed_and_has_no_weights():
    row = next(row for row in list_backbones(modality="audio") if row["name"] == "log-mel")
    assert (row["parameters"], row["feature_size"], row["on_this_machine"]) == (0, 128, True)
    backbone = get_backbone("log-mel", modality="audio")
    assert (backbone.n_parameters, backbone.feature_size) == (0, 128)
    assert get_backbone("log-mel", modality="audio", weights=None).feature_size == 128
    with pytest.raises(WeightsError, match="has no weights"):
        get_backbone("log-mel", modality="audio", weights="mine.pth")
