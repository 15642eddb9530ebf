"""Error messages name a row of a column."""

from sktransfer.columns import Column


def test_a_row_is_named_by_its_position_and_its_label():
    assert Column(cells=["b", "a"]).where(1) == "row 1"
    assert Column(cells=["b", "a"], index=["k1", "k2"]).where(1) == "row 1 (index 'k2')"
