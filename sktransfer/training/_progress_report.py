"""Progress of a training: scikit-learn's callbacks, and the table that `verbose` shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from sktransfer.compute import progress_bar
from sktransfer.training._monitor import Monitor

if TYPE_CHECKING:
    from sktransfer.training.targets import Target

#: From the record of an epoch to whether to stop.
Listener = Callable[[dict[str, Any]], bool]


@contextmanager
def reported(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    epochs: int,
    earlier: Sequence[dict[str, Any]],
    target: Target | None,
    attributes: Callable[[Monitor], dict[str, Any]],
) -> Iterator[Monitor]:
    """Follow a training, and report each epoch.

    Parameters
    ----------
    estimator : estimator
        Its callbacks are called; its parameters set patience and verbosity.
    X, y
        Data of the fit, for callbacks.
    epochs : int
        Number of planned epochs.
    earlier : sequence of dict
        Records of fits that this one continues.
    target : Target or None
        Scores outputs of validation rows.
    attributes : callable
        Returns the attributes of an estimator that is fitted with the finished epochs.
    """
    with ExitStack() as stack:
        listeners: list[Listener] = []
        monitor = Monitor(
            target,
            expected=epochs,
            patience=estimator.n_iter_no_change if estimator.early_stopping else None,
            # All are called, also after one that asks to stop.
            tell=lambda record: sum(listener(record) for listener in listeners) > 0,
            earlier=earlier,
        )
        fitted = lambda: attributes(monitor)  # noqa: E731 - evaluated only on demand
        listeners.append(stack.enter_context(_callbacks(estimator, X, y, epochs, fitted)))
        if estimator.verbose:
            listeners.append(stack.enter_context(_table(type(estimator).__name__, epochs)))
        yield monitor


@contextmanager
def _callbacks(
    estimator: Any, X: Any, y: Any, epochs: int, fitted: Callable[[], dict[str, Any]]
) -> Iterator[Listener]:
    context = estimator._init_callback_context(task_name="fit", max_subtasks=epochs)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    known: dict[str, Any] = {"X": X, "y": y, "reconstruction_attributes": fitted}

    def tell(record: dict[str, Any]) -> bool:
        epoch = context.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
        return bool(epoch.call_on_fit_task_end(estimator=estimator, **known))

    yield tell
    context.call_on_fit_task_end(estimator=estimator, **known)


@contextmanager
def _table(title: str, epochs: int) -> Iterator[Listener]:
    """Show on standard error one line per epoch, and a bar with the remaining time below them."""
    with progress_bar() as bar:
        task = bar.add_task(title, total=epochs)

        def tell(record: dict[str, Any]) -> bool:
            if not bar.tasks[task].completed:
                heads = [name.replace("_", " ") for name in _SHOWN if name in record]
                bar.console.print("".join(f"{head:>12}" for head in heads), highlight=False)
            cells = [_cell(record[name]) for name in _SHOWN if name in record]
            bar.console.print("".join(f"{cell:>12}" for cell in cells), highlight=False)
            bar.advance(task)
            return False

        yield tell


_SHOWN = ("epoch", "phase", "train_loss", "valid_loss", "valid_score", "seconds")


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
