import pytest

from sktransfer.cache import FORMAT_VERSION, _key, space_key


def test_a_key_is_16_bytes_and_independent_of_order():
    assert len(space_key(a=1, b="x")) == 16
    assert space_key(a=1, b="x") == space_key(b="x", a=1)


def test_keys_are_the_same_in_every_process_and_release():
    assert FORMAT_VERSION == 3
    assert space_key(a=1).hex() == "104fb466c06cb272d3dda758958e1708"


def test_different_parts_give_different_keys():
    parts = [
        {},
        {"a": None},
        {"a": 1},
        {"a": 1.0},
        {"a": "1"},
        {"a": True},
        {"b": 1},
        {"a": '1, "b": 2'},
        {"a": 1, "b": 2},
        {"a": "é"},
        {"a": "e\u0301"},
    ]
    assert len({space_key(**p) for p in parts}) == len(parts)


def test_another_format_version_is_another_space(monkeypatch):
    before = space_key(a=1)
    monkeypatch.setattr(_key, "FORMAT_VERSION", FORMAT_VERSION + 1)
    assert space_key(a=1) != before


@pytest.mark.parametrize("part", [[1], (1,), b"1", {"b": 1}, object()])
def test_a_part_that_is_not_a_plain_value_is_refused(part):
    with pytest.raises(TypeError, match="layer must be str"):
        space_key(layer=part)


def test_nan_in_a_part_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        space_key(a=float("nan"))
