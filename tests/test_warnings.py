"""Warnings point at the user's line, and are ignored only within a block."""

import warnings
from contextlib import ExitStack

import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from sktransfer import TextEmbedder
from sktransfer._warnings import warnings_ignored
from sktransfer.exceptions import BadCellWarning


def test_overlapping_blocks_restore_the_filters():
    before = list(warnings.filters)
    with ExitStack() as first, ExitStack() as second, ExitStack() as foreign:
        first.enter_context(warnings_ignored())
        second.enter_context(warnings_ignored())
        foreign.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")
        first.close()
        second.close()
        foreign.close()
    assert warnings.filters == before


def test_a_warning_points_at_the_users_line():
    embedder = TextEmbedder(on_error="nan", cache=False)
    with pytest.warns(BadCellWarning) as caught:
        embedder.fit_transform(["good", b"bad"])
    assert {warning.filename for warning in caught} == {__file__}


def test_a_warning_within_a_pipeline_points_at_the_users_line():
    pipeline = make_pipeline(TextEmbedder(on_error="nan", cache=False), SimpleImputer())
    with pytest.warns(BadCellWarning) as caught:
        pipeline.fit(["good", b"bad"])
    assert {warning.filename for warning in caught} == {__file__}
