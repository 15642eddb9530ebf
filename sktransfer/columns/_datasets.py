"""Data sets of other libraries: what to pass of them instead."""

from typing import Any

from sktransfer.exceptions import ColumnError


def refuse_datasets(X: Any) -> None:
    """Refuse data sets of PyTorch and Hugging Face, whose items are rows and not cells.

    Raises
    ------
    ColumnError
        With the expression that gives the cells.
    """
    modules = [base.__module__ for base in type(X).__mro__]
    if any(module.startswith("torch.utils.data.") for module in modules):
        raise _not_a_column(X, _cells_of_torch(X))
    if hasattr(X, "features") and (names := list(getattr(X, "column_names", None) or [])):
        cells = f"X[{names[0]!r}]" if hasattr(X, "__len__") else f"[row[{names[0]!r}] for row in X]"
        raise _not_a_column(X, f"one of its columns {', '.join(map(repr, names))}, e.g. {cells}")


def _cells_of_torch(X: Any) -> str:
    name, rows = "X", X
    if hasattr(X, "dataset") and not hasattr(X, "__getitem__"):  # a DataLoader
        name, rows = "X.dataset", X.dataset
    if hasattr(rows, "samples"):  # torchvision's ImageFolder and others
        return f"[path for path, *_ in {name}.samples]"
    each = f"[{name}[i][0] for i in range(len({name}))]"
    if not hasattr(rows, "__len__"):
        each = f"[cell for cell, *_ in {name}]"
    return f"{each} if its items are pairs of cell and target"


def _not_a_column(X: Any, cells: str) -> ColumnError:
    return ColumnError(f"a {type(X).__name__} is not a column; pass {cells}")
