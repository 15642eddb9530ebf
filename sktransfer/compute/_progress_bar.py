"""The progress bar of embedders and fine-tuners."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def progress_bar() -> Progress:
    """Return a bar on standard error with steps done and remaining time.

    In a notebook it is a widget, or without ipywidgets one line, printed at the end.
    """
    from rich import progress as bars
    from rich.console import Console

    columns = (*bars.Progress.get_default_columns(), bars.MofNCompleteColumn())
    console = Console(stderr=True)
    if console.is_jupyter and not find_spec("ipywidgets"):
        # As a terminal, a saved notebook would show a line for each update.
        console = Console(stderr=True, force_jupyter=False, force_terminal=False)
    return bars.Progress(*columns, console=console)
