"""Random augmentation of training sounds."""

import numpy as np
import pytest
import torch

from sktransfer import AudioClassifier
from sktransfer.modalities.audio._audio_augmentation import audio_augmentation
from tests._tiny import sounds
from tests.modalities.audio._sound_files import RATE, noise, sine


def _augmented(augment, items, seed=0):
    torch.manual_seed(seed)
    found, targets = audio_augmentation(augment)(items, [*range(len(items))])
    assert targets == [*range(len(items))]
    return found


@pytest.fixture(params=["light", "standard"])
def augment(request):
    """Return the name of an augmentation."""
    return request.param


def test_none_is_no_augmentation():
    assert audio_augmentation(None) is None


@pytest.mark.parametrize("size", [1, 2, 9, 10, 399, 400, 401, 402, 560, 1_600, 16_001])
@pytest.mark.parametrize("make", [noise, np.zeros, np.ones])
def test_length_and_type_are_kept_and_the_original_is_not_changed(augment, size, make):
    samples = make(size).astype(np.float32)
    original = samples.copy()
    for seed in range(20):
        (found,) = _augmented(augment, [samples], seed)
        assert found.shape == (size,)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
    np.testing.assert_array_equal(samples, original)


def test_silence_stays_silence(augment):
    (found,) = _augmented(augment, [np.zeros(RATE, np.float32)])
    assert np.abs(found).max() < 1e-7


def test_every_call_and_every_row_differs_and_a_seed_repeats_them(augment):
    x = noise(RATE)
    first, second = _augmented(augment, [x, x])
    assert (first != second).any()
    np.testing.assert_array_equal(_augmented(augment, [x, x]), [first, second])
    assert (_augmented(augment, [x], seed=1)[0] != first).any()


def test_light_changes_gain_and_place_by_little_and_adds_noise_below_the_sound():
    x = np.concatenate([np.zeros(RATE), sine(440), np.zeros(RATE)]).astype(np.float32)
    for seed in range(10):
        (found,) = _augmented("light", [x], seed)
        gain = 20 * np.log10(np.sqrt((found**2).mean() / (x**2).mean()))
        assert abs(gain) < 6.1
        shift = np.argmax(np.correlate(found, sine(440), "valid")) - RATE
        assert abs(shift) <= 0.1 * len(x) + 40  # a sine is found at each of its periods


def test_standard_masks_times_and_frequencies():
    shares = []
    for seed in range(30):
        (found,) = _augmented("standard", [noise(RATE)], seed)
        (light,) = _augmented("light", [noise(RATE)], seed)
        shares.append((found**2).mean() / (light**2).mean())
    assert 0.5 < min(shares) < 0.95
    assert max(shares) <= 1.01


def test_augmentation_does_not_depend_on_the_default_type(augment):
    x = noise(RATE)
    torch.set_default_dtype(torch.float64)
    try:
        (found,) = _augmented(augment, [x])
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.dtype == np.float32


WRONG = {
    "a NaN": (lambda x: x * torch.nan, "samples that are not finite"),
    "infinite": (lambda x: x + torch.inf, "samples that are not finite"),
    "too large": (lambda x: x.double() * 1e300, "samples that are not finite"),
    "integers": (lambda x: x.long(), r"\(samples,\) of floats, not \(1600,\) of torch.int64"),
    "bool": (lambda x: x > 0, "of torch.bool"),
    "complex": (lambda x: torch.complex(x, x).conj(), "of torch.complex64"),
    "two axes": (lambda x: x[None], r"not \(1, 1600\) of torch.float32"),
    "a number": (lambda x: x.mean(), r"not \(\) of torch.float32"),
    "no samples": (lambda x: x[:0], r"not \(0,\) of torch.float32"),
    "an array": (lambda x: x.numpy(), "a tensor per sound, not a ndarray"),
    "nothing": (lambda x: None, "a tensor per sound, not a NoneType"),
    "a pair": (lambda x: (x, RATE), "a tensor per sound, not a tuple"),
    "sparse": (lambda x: x.to_sparse(), "a dense tensor per sound.* Sparse"),
    "without values": (lambda x: x.to("meta"), "cannot be read .*meta tensor"),
    "nested": (
        lambda x: torch.nested.nested_tensor([x, x[:9]], layout=torch.jagged),
        "per sound|of floats",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_prediction_never_gives_the_network_is_refused(name):
    transform, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        audio_augmentation(transform)([noise(1_600)], None)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: torch._neg_view(-x),
        lambda x: torch.complex(x, -x).conj().imag,
        lambda x: x.clone().requires_grad_(),
        lambda x: x.bfloat16().float(),
        lambda x: x.double(),
        lambda x: x.half(),
        lambda x: x.flip(-1).flip(-1),
        lambda x: torch.stack([x, x], 1)[:, 0],
    ],
    ids=["negative", "imaginary", "gradient", "bfloat16", "double", "half", "flip", "strided"],
)
def test_an_augmentation_may_return_a_view_or_another_type(view):
    x = noise(1_600)
    (found,), _ = audio_augmentation(view)([x], None)
    np.testing.assert_allclose(found, x, atol=1e-2)
    assert found.dtype == np.float32


def test_an_augmentation_may_work_in_place_and_change_the_length():
    x = noise(1_600)
    original = x.copy()
    (found,), _ = audio_augmentation(lambda x: x.zero_()[:800])([x], None)
    np.testing.assert_array_equal(found, np.zeros(800))
    np.testing.assert_array_equal(x, original)


# In training ------------------------------------------------------------------------------


def _fitted(augment, column, **params):
    params = {"random_state": 0, "max_epochs": 2, "batch_size": 4, "cache": False, **params}
    classifier = AudioClassifier(
        "log-mel", augment=augment, sampling_rate=RATE, device="cpu", **params
    )
    return classifier.fit(column, np.arange(len(column)) % 2)


def test_a_fit_with_augmentation_is_repeatable(augment):
    column = sounds(8)
    first, second = (_fitted(augment, column).predict_proba(column) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (_fitted(augment, column, random_state=1).predict_proba(column) != first).any()
    assert (_fitted(None, column).predict_proba(column) != first).any()


def test_a_sound_that_the_network_cannot_take_is_refused():
    with pytest.raises(ValueError, match=r"returned a sound of .* takes at most .*\d\.$"):
        _fitted(lambda x: x.repeat(30 * RATE // len(x) + 1), sounds(4))
