"""Declare estimator parameters once: name, type, default and constraints in one line.

Parameters of functions are checked by `check_integer`.
"""

from dataclasses import MISSING, dataclass, field, fields
from numbers import Integral
from typing import Any, Literal, TypeVar, dataclass_transform

Class = TypeVar("Class", bound=type)


def parameter(*constraints: Any, default: Any = MISSING, kw_only: bool = True) -> Any:
    """Declare a parameter of an estimator.

    Parameters
    ----------
    *constraints
        Values of scikit-learn's ``_parameter_constraints``. None: those of the same parameter in
        a base class, of which only the default changes.
    default : object
        Default value. Without it the parameter is required.
    kw_only : bool, default=True
        Whether the parameter is keyword-only.

    Returns
    -------
    dataclasses.Field
    """
    return field(default=default, kw_only=kw_only, metadata={"constraints": [*constraints]})


def fitted(*, init: Literal[False] = False) -> Any:
    """Declare an attribute that `fit` sets; it does not exist before.

    Parameters
    ----------
    init : bool, default=False
        Tells type checkers that the attribute is not an argument of ``__init__``.

    Returns
    -------
    dataclasses.Field
    """
    return field(init=init)


@dataclass_transform(eq_default=False, kw_only_default=True, field_specifiers=(parameter, fitted))
def with_parameters(cls: Class) -> Class:
    """Generate ``__init__`` and ``_parameter_constraints`` from the fields of a class.

    Parameters
    ----------
    cls : type
        Its annotated attributes are made by `parameter` or `fitted`. Those of its bases are
        inherited.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    TypeError
        If an annotated attribute is neither, or if a default of one base hides that of another.
    """
    inherited: dict[str, list[Any]] = {}
    for base in reversed(cls.__mro__[1:]):
        inherited |= vars(base).get("_parameter_constraints", {})
    dataclass(eq=False, repr=False, kw_only=True, match_args=False)(cls)
    constraints: dict[str, list[Any]] = {}
    for item in fields(cls):
        if not item.init:
            continue
        if "constraints" not in item.metadata:
            raise TypeError(
                f"{cls.__qualname__}.{item.name} is annotated, but is neither a parameter() nor "
                "a fitted() attribute."
            )
        if getattr(cls, item.name, MISSING) is not item.default:
            raise TypeError(
                f"The bases of {cls.__qualname__} disagree on the default of {item.name!r}: "
                "declare it in the class itself."
            )
        constraints[item.name] = item.metadata["constraints"] or inherited[item.name]
    cls._parameter_constraints = constraints  # type: ignore[attr-defined]
    return cls


def check_integer(name: str, value: Any, *, least: int) -> None:
    """Raise ValueError unless an argument of a function is an integer of at least `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
