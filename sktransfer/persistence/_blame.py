"""What in an object it is that cannot be saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sktransfer.base import use_state_hooks
from sktransfer.exceptions import PersistenceError
from sktransfer.persistence._content import check_content
from sktransfer.persistence._estimators import Loaded, Saved
from sktransfer.persistence._nodes import Tree, label_of
from sktransfer.persistence._skops import construct, resolves, tree_of
from sktransfer.persistence._trust import names_in

_DEEPEST = 20


def unsaveable(value: Any, reason: Exception) -> PersistenceError:
    """Return an error that names the part of an object that skops cannot write."""
    path, part = type(value).__name__, value
    for _ in range(_DEEPEST):
        step = next(((n, p) for n, p in _parts(part) if not _can_be_written(p)), None)
        if step is None:
            break
        path, part = f"{path}{step[0]}", step[1]
    return PersistenceError(_told(path, f"{_short(part)}: {reason}"))


def check_round_trip(tree: Tree, title: str) -> None:
    """See to it that what is about to be written comes back as it is.

    Raises
    ------
    PersistenceError
        Naming the first place where it does not.
    """
    lost = [(place, node) for place, node in tree.places if not resolves(node)]
    if lost:
        place, node = lost[0]
        what = f"{node['__class__']!r} of the module {node['__module__']!r}, which has nothing "
        raise PersistenceError(_told(title + place, f"{what}of that name"))
    try:
        check_content(tree)
        with use_state_hooks(Loaded()):
            again = tree_of(construct(tree, names_in(tree)))
    except Exception as error:  # whatever types of the user's raise
        raise PersistenceError(_told(title, f"{type(error).__name__}: {error}")) from error
    if again.mark != tree.mark:
        raise PersistenceError(
            _told(title + tree.difference(again), "it would not come back equal")
        )


def _told(path: str, reason: str) -> str:
    return (
        f"{path} cannot be saved ({reason}). Nothing was written. Functions and classes must "
        "lie in a module that can be imported, keys of a dict must be texts or numbers; or leave "
        "it out."
    )


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((label_of(key), part) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"[{number}]", part) for number, part in enumerate(value))
    elif hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        yield from ((f".{name}", part) for name, part in vars(value).items() if name != "module_")


def _can_be_written(value: Any) -> bool:
    try:
        with use_state_hooks(Saved()):
            tree_of(value)
    except Exception:  # whatever it raises
        return False
    return True


def _short(value: Any) -> str:
    try:
        shown = repr(value).partition("\n")[0]
    except Exception:  # of an object that holds itself, or of code of the user's
        shown = f"a {type(value).__name__}"
    return shown if len(shown) < 100 else f"{shown[:97]}..."
