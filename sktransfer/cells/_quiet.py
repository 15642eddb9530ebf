"""Decoding without Pillow's warnings, from any number of threads."""

from contextlib import AbstractContextManager

from sktransfer._quiet import warnings_ignored


def pillow_warnings_ignored() -> AbstractContextManager[None]:
    """Ignore the warnings that Pillow itself issues, as long as the block runs.

    They name neither the row nor the file, and under ``-W error`` they would turn
    a usable image into a failure.
    """
    return warnings_ignored(module=r"PIL\.")
