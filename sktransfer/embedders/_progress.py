"""Progress of an embedding: scikit-learn's callbacks in a fit, and a bar with `verbose`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sktransfer.compute import progress_bar

#: Called with the number of rows that were computed since the last call.
Advance = Callable[[int], None]

# Steps of a progress bar, however many rows a column has.
_MOST_STEPS = 100


@contextmanager
def progress(
    estimator: Any, *, asked: int, todo: int, fitting: tuple[Any, Any] | None
) -> Iterator[Advance]:
    """Report rows as they are computed.

    Parameters
    ----------
    estimator : estimator
        Its callbacks are called; its `verbose` shows a bar if there is a row to compute.
    asked, todo : int
        Number of rows of the column, and of those to compute.
    fitting : tuple of X and y, or None
        Callbacks are called in a fit only.
    """
    with ExitStack() as stack:
        listeners: list[Advance] = []
        if fitting is not None:
            listeners.append(stack.enter_context(_callbacks(estimator, todo, *fitting)))
        if estimator.verbose and todo:
            listeners.append(stack.enter_context(_bar(type(estimator).__name__, asked, todo)))

        def advance(rows: int) -> None:
            for listener in listeners:
                listener(rows)

        yield advance


@contextmanager
def _callbacks(estimator: Any, total: int, X: Any, y: Any) -> Iterator[Advance]:
    steps = min(total, _MOST_STEPS)
    context = estimator._init_callback_context(task_name="embed", max_subtasks=steps)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    done = reported = 0

    def advance(rows: int) -> None:
        nonlocal done, reported
        done += rows
        while reported < done * steps // total:
            step = context.subcontext(task_name="rows")
            step.call_on_fit_task_begin(estimator=estimator)
            step.call_on_fit_task_end(estimator=estimator)
            reported += 1

    yield advance
    context.call_on_fit_task_end(estimator=estimator, X=X, y=y)


@contextmanager
def _bar(title: str, asked: int, total: int) -> Iterator[Advance]:
    """Show on standard error the number of rows to compute, and a bar of them."""
    with progress_bar() as bar:
        bar.console.print(f"{title}: {asked:,} rows, {total:,} to compute", highlight=False)
        task = bar.add_task(title, total=total)
        yield lambda rows: bar.advance(task, rows)
