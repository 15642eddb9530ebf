"""Support for Dask collections: estimator methods that return lazy results."""

from sktransfer.lazy._mixin import LazyMixin, is_lazy, sample
from sktransfer.lazy._output_spec import OutputSpec

__all__ = ["LazyMixin", "OutputSpec", "is_lazy", "sample"]
