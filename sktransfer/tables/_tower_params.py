"""The parameter `towers`: its estimators by name, whose parameters are parameters of the model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sklearn.base import clone

from sktransfer._warnings import warn
from sktransfer.exceptions import ColumnError, LeftOutWarning
from sktransfer.finetune import BaseFineTuner


def estimators_of(towers: Any) -> dict[str, Any]:
    """Return the estimators of `towers` by name; none of "auto"."""
    if not isinstance(towers, dict):
        return {}
    return {str(n): v[0] if isinstance(v, tuple) and v else v for n, v in towers.items()}


def with_estimator(towers: Any, name: str, estimator: Any) -> dict[Any, Any]:
    """Return towers with another estimator for one of them, on the same columns."""

    def new(before: Any) -> Any:
        return (estimator, *before[1:]) if isinstance(before, tuple) else estimator

    return {n: new(value) if str(n) == name else value for n, value in towers.items()}


def refuse_names(towers: Any, params: Collection[str]) -> None:
    """Raise if parameters of a tower could not be set by its name, beside these of the model."""
    for name in estimators_of(towers):
        if name in params or "__" in name:
            why = "a parameter has this name" if name in params else "it contains '__'"
            raise ColumnError(
                f"No tower can be named {name!r}: {why}. Give another name and the column: "
                f"towers={{'other_name': (estimator, {name!r})}}."
            )


def with_new_params(fitted: Mapping[str, Any], towers: Any) -> dict[str, Any]:
    """Return copies of fitted fine-tuners with the parameters that `towers` has now.

    Other transformers are returned as they are.

    Parameters
    ----------
    fitted : dict of str to estimator
        Towers of an earlier fit by name.
    towers : dict or "auto"
        The parameter.
    """
    given = estimators_of(towers)
    for name, estimator in given.items():
        if type(estimator) is not type(fitted.get(name, estimator)):
            raise ColumnError(
                f"A warm start cannot replace the tower {name!r}, a {type(fitted[name]).__name__}, "
                f"by {estimator!r}. Set warm_start=False."
            )
    if new := [n for n, e in given.items() if n not in fitted and e is not None]:
        warn(
            f"Towers that were not in the first fit are not used: {', '.join(map(repr, new))}. "
            "Start a new fit to use them.",
            LeftOutWarning,
        )
    return {n: _copied(tower, given.get(n, tower)) for n, tower in fitted.items()}


def _copied(fitted: Any, given: Any) -> Any:
    """Return a fitted fine-tuner with the parameters of another."""
    if not isinstance(fitted, BaseFineTuner):
        return fitted
    found = clone(given)
    params = found.get_params(deep=False)
    found.__dict__.update({n: value for n, value in vars(fitted).items() if n not in params})
    return found
