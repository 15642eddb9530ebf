"""The table of backbones: columns, filters, and output."""

import pytest

from sktransfer.backbones import list_backbones
from sktransfer.backbones._list_backbones import COLUMNS
from sktransfer.exceptions import BackboneError

TYPES = {
    "name": str,
    "source": str,
    "modality": str,
    "parameters": (int, type(None)),
    "feature_size": (int, type(None)),
    "input_size": int,
    "licence": str,
    "on_this_machine": bool,
}


@pytest.mark.parametrize("source", ["bundled", "torchvision", "timm", "huggingface"])
def test_the_table_has_every_column_of_its_type(source):
    table = list_backbones(source=source)
    for row in table:
        assert tuple(row) == COLUMNS == tuple(TYPES)
        for name, kind in TYPES.items():
            assert isinstance(row[name], kind), (row["name"], name, row[name])
        assert row["source"] == source
        assert row["modality"] in ("audio", "image", "text")
    names = [row["name"] for row in table]
    assert len(names) == len(set(names))


def test_timm_is_listed_only_on_request():
    assert {row["source"] for row in list_backbones()} >= {"bundled", "torchvision"}
    assert "timm" not in {row["source"] for row in list_backbones()}
    assert len(list_backbones(source="timm")) > 1000


def test_the_table_can_be_filtered_by_modality_and_source():
    texts = list_backbones(modality="text", source="bundled")
    assert [row["name"] for row in texts] == ["all-MiniLM-L6-v2"]
    assert {row["modality"] for row in list_backbones(modality="image")} == {"image"}
    with pytest.raises(BackboneError, match=r"source='pypi' is none of bundled, log_mel"):
        list_backbones(source="pypi")


def test_the_table_is_printed_aligned():
    table = list_backbones(source="bundled")
    head, *lines = str(table).splitlines()
    assert head.split("  ")[0] == "name"
    assert len(lines) == len(table)
    at = head.index("feature size")
    assert all(line[at - 1] == " " != line[at] for line in lines)
    assert "3,371,008" in lines[0]
