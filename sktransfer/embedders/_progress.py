"""Progress of an embedding: scikit-learn's callbacks in a fit, a bar where `verbose` asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sktransfer.extraction import new_bar

#: Called with a number of rows that have just been computed.
Advance = Callable[[int], None]

# A column may have a million rows; a progress bar needs no more steps than these.
_MOST_STEPS = 100


@contextmanager
def progress(
    estimator: Any, *, asked: int, todo: int, fitting: tuple[Any, Any] | None
) -> Iterator[Advance]:
    """Report rows as they are computed.

    Parameters
    ----------
    estimator : estimator
        Its callbacks are called, and its `verbose` asks for a bar.
    asked, todo : int
        Rows of the column, and how many of them must be computed.
    fitting : tuple of X and y, or None
        Callbacks belong to a fit: without one they are not called.
    """
    with ExitStack() as stack:
        listeners: list[Advance] = []
        if fitting is not None:
            listeners.append(stack.enter_context(_callbacks(estimator, todo, *fitting)))
        if estimator.verbose:
            title = type(estimator).__name__
            listeners.append(stack.enter_context(_bar(title, asked, todo)))

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
    """Show on standard error how many rows need computing, and a bar of these."""
    with new_bar(disable=total == 0) as bar:
        bar.console.print(f"{title}: {asked:,} rows, {total:,} to compute", highlight=False)
        task = bar.add_task(title, total=total)
        yield lambda rows: bar.advance(task, rows)
