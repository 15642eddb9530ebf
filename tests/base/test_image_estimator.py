"""Pixels equal Pillow's exactly, except under bfloat16, where torch resizes images."""

import numpy as np
import pytest
import torch

from sktransfer import ImageEmbedder, _runtime
from sktransfer.modalities.image import _geometry, decode_image
from tests.modalities.image._photos import PHOTOS, jpeg, photo


def test_features_of_a_large_jpeg_are_within_bfloat16_precision():
    contents = [jpeg(photo((2000, 1500), which)) for which in (0, 1)]
    found = ImageEmbedder(cache=False).fit_transform(contents)
    expected = ImageEmbedder(cache=False).fit_transform([decode_image(c) for c in contents])
    cosines = (found * expected).sum(1) / np.prod(
        [np.linalg.norm(rows, axis=1) for rows in (found, expected)], axis=0
    )
    assert (cosines > 0.999).all()


@pytest.mark.parametrize(("precision", "exact"), [("float32", True), ("bfloat16", False)])
def test_images_are_resized_by_torch_only_under_bfloat16(monkeypatch, precision, exact):
    seen = []
    plain = _geometry._resized_by_filter

    def noted(image, size, geometry):
        seen.append(geometry.exact)
        return plain(image, size, geometry)

    monkeypatch.setattr(_geometry, "_resized_by_filter", noted)
    ImageEmbedder(cache=False, precision=precision).fit_transform(PHOTOS[:1])
    assert seen == [exact]


def test_auto_precision_asks_the_device_that_computes(monkeypatch):
    # A GPU computes in bfloat16 and the CPU does not; OpenVINO is for the CPU.
    gpu = torch.device("cuda")
    plain = _runtime.resolve_device
    monkeypatch.setattr(_runtime, "resolve_device", lambda d: gpu if d == "auto" else plain(d))
    monkeypatch.setattr(_runtime, "cpu_has_bfloat16", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **kwargs: True)
    pytest.importorskip("openvino")
    assert ImageEmbedder(engine="openvino", precision="auto")._modality().exact
    assert not ImageEmbedder(precision="auto")._modality().exact


def test_auto_precision_without_bfloat16_hardware_is_exact(monkeypatch):
    monkeypatch.setattr("sktransfer._runtime.cpu_has_bfloat16", lambda: False)
    embedder = ImageEmbedder(device="cpu", precision="auto")
    assert embedder._modality().exact
    monkeypatch.setattr("sktransfer._runtime.cpu_has_bfloat16", lambda: True)
    assert not embedder._modality().exact
