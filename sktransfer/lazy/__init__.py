"""Methods that also take what has no values yet: collections of dask."""

from sktransfer.lazy._methods import Form, also_lazy, is_lazy, stand_in

__all__ = ["Form", "also_lazy", "is_lazy", "stand_in"]
