"""Progress of a training: scikit-learn's callbacks, and the table that `verbose` shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from sktransfer.compute import progress_bar
from sktransfer.training._monitor import Monitor

if TYPE_CHECKING:
    from rich.progress import Progress

_SHOWN = (
    "epoch",
    "phase",
    "train_loss",
    "valid_loss",
    "valid_score",
    "effective_rank",
    "knn_score",
    "seconds",
)


@contextmanager
def reported(
    estimator: Any, X: Any, y: Any, monitor: Monitor, attributes: Callable[[], dict[str, Any]]
) -> Iterator[None]:
    """Report each epoch of the training in the block.

    Parameters
    ----------
    estimator : estimator
        Its callbacks are called; with `verbose`, epochs are shown on standard error.
    X, y
        Data of the fit, for callbacks.
    monitor : Monitor
        Follows the training.
    attributes : callable
        Returns the attributes of an estimator that is fitted with the finished epochs.
    """
    known = {"estimator": estimator, "X": X, "y": y}
    finished = {**known, "reconstruction_attributes": attributes}
    context = estimator._init_callback_context(task_name="fit", max_subtasks=monitor.expected)
    context.call_on_fit_task_begin(**known)
    with progress_bar() if estimator.verbose else nullcontext() as bar:
        if bar is not None:
            bar.add_task(type(estimator).__name__, total=monitor.expected)

        def tell(record: dict[str, Any]) -> bool:
            if bar is not None:
                _show(bar, record)
            epoch = context.subcontext(task_name="epoch")
            epoch.call_on_fit_task_begin(**known)
            return bool(epoch.call_on_fit_task_end(**finished))

        monitor.tell = tell
        yield
    context.call_on_fit_task_end(**finished)


def _show(bar: Progress, record: dict[str, Any]) -> None:
    """Print a line per epoch, above a bar with the remaining time."""
    shown = {name.replace("_", " "): record[name] for name in _SHOWN if name in record}
    cells = (f"{n} {x:.4f}" if isinstance(x, float) else f"{n} {x}" for n, x in shown.items())
    bar.console.print("  ".join(cells), highlight=False)
    bar.advance(bar.task_ids[0])
