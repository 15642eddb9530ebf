"""The progress bar of embedders and fine-tuners."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def progress_bar(*, disable: bool = False) -> Progress:
    """Return a bar on standard error with steps done and remaining time."""
    from rich import progress as bars
    from rich.console import Console

    columns = (*bars.Progress.get_default_columns(), bars.MofNCompleteColumn())
    return bars.Progress(*columns, console=Console(stderr=True), disable=disable)
