"""Fixtures of the OpenVINO tests: each test starts with no converted network."""

from collections.abc import Iterator

import pytest

# Imported first, so that openvino is imported as the package imports it.
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
