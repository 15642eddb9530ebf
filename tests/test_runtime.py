"""Devices, precision and engine names; torch's settings are restored after a call."""

import pytest
import torch

from sktransfer import _compat, _runtime
from sktransfer.exceptions import BackboneError

CPU = torch.device("cpu")


def state():
    """Return torch's settings in this thread."""
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_autocast_dtype("cpu"),
        torch.is_autocast_cache_enabled(),
    )


@pytest.mark.parametrize("there_is", [None, torch.device("cuda"), torch.device("mps")])
def test_auto_uses_an_available_accelerator(there_is, monkeypatch):
    def current(check_available=False):
        assert check_available  # an accelerator that torch was built for may be absent
        return there_is

    monkeypatch.setattr(torch.accelerator, "current_accelerator", current)
    assert _runtime.resolve_device("auto") == (there_is or CPU)


def test_cpu_is_the_cpu_on_every_machine(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
    assert _runtime.resolve_device("cpu") == CPU


@pytest.mark.parametrize("device", ["warp", "", "cpu:x", "cuda:99"])
def test_a_missing_device_is_named(device):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used.*'auto' or 'cpu'"):
        _runtime.resolve_device(device)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("native", [True, False])
def test_an_explicit_precision_is_used_on_any_hardware(precision, native, monkeypatch):
    monkeypatch.setattr(_runtime, "cpu_has_bfloat16", lambda: native)
    assert _runtime.resolve_precision(precision, CPU) == precision


@pytest.mark.parametrize(("native", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_only_with_hardware_support(native, chosen, monkeypatch):
    asked = []

    def on_cuda(including_emulation=True):
        asked.append(including_emulation)
        return native

    monkeypatch.setattr(_runtime, "cpu_has_bfloat16", lambda: native)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", on_cuda)
    assert _runtime.resolve_precision("auto", CPU) == chosen
    assert _runtime.resolve_precision("auto", torch.device("cuda")) == chosen
    assert asked == [False]


def test_auto_is_float32_on_other_devices(monkeypatch):
    monkeypatch.setattr(_runtime, "cpu_has_bfloat16", lambda: True)
    assert _runtime.resolve_precision("auto", torch.device("mps")) == "float32"


@pytest.mark.parametrize("instruction", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_a_processor_with_either_instruction_supports_bfloat16(instruction, monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert not _compat.cpu_has_bfloat16()
    monkeypatch.setattr(torch.cpu, instruction, lambda: True)
    assert _compat.cpu_has_bfloat16()


def test_without_these_checks_in_torch_bfloat16_is_not_used(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert not _compat.cpu_has_bfloat16()


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
@pytest.mark.parametrize("outside", ["plain", "no_grad", "autocast"])
def test_inference_uses_the_requested_settings_and_restores_torchs(precision, dtype, outside):
    linear = torch.nn.Linear(4, 2)
    contexts = {
        "plain": torch.enable_grad,
        "no_grad": torch.no_grad,
        "autocast": lambda: torch.autocast("cpu", torch.float16),
    }
    at_first = state()
    with contexts[outside]():
        before = state()
        with _runtime.inference(CPU, precision):
            out = linear(torch.ones(3, 4))
        assert (out.dtype, out.requires_grad) == (dtype, False)
        assert state() == before
        with pytest.raises(KeyError), _runtime.inference(CPU, precision):
            raise KeyError
        assert state() == before
    assert state() == at_first
    assert linear(torch.ones(3, 4)).requires_grad


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: x.bfloat16() @ x,
        lambda x: torch.linalg.svd(x.bfloat16()),
        lambda x: x.bfloat16().numpy(),
        lambda x: x.bfloat16().fill_(torch.finfo(torch.float32).min),
    ],
)
def test_operations_that_bfloat16_lacks_are_an_error_with_advice(operation):
    with (
        pytest.raises(BackboneError, match=r"does not run in bfloat16.*precision='float32'"),
        _runtime.autocast(CPU, "bfloat16"),
        torch.autocast("cpu", enabled=False),
    ):
        operation(torch.eye(3))
    with pytest.raises(RuntimeError, match="shapes"), _runtime.autocast(CPU, "bfloat16"):
        torch.ones(2, 3) @ torch.ones(2, 3)


def test_the_engine_names_torch_and_the_kind_of_device():
    assert _runtime.engine(CPU) == f"torch {torch.__version__.partition('+')[0]} cpu"


def test_engine_names_differ_between_gpus_and_their_precisions(monkeypatch):
    device = torch.device("cuda:1")
    engines = []
    for card in ("H200", "T4"):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device, card=card: card)
        for allowed in (True, False):
            with torch.backends.cudnn.flags(allow_tf32=allowed):
                engines.append(_runtime.engine(device))
    assert len(set(engines)) == 4
    assert all(" cuda " in engine for engine in engines)
