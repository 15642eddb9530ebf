"""What the tests of OpenVINO share: each begins with nothing converted."""

from collections.abc import Iterator

import pytest

# Before anybody else imports openvino, so that it is imported as the package does it.
from sktransfer.compute.engines import _converted, _openvino


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_converted, "_compiled", type(_converted._compiled)())
    monkeypatch.setattr(_converted, "_refused", {})
    return


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Count the conversions."""
    counted: list[None] = []
    convert = _openvino.convert

    def counting(*args, **options):
        counted.append(None)
        return convert(*args, **options)

    monkeypatch.setattr(_openvino, "convert", counting)
    return counted
