"""A folder of images in one folder per class, as a table."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sktransfer._paths import expanded
from sktransfer._warnings import warn
from sktransfer.exceptions import ColumnError, LeftOutWarning
from sktransfer.modalities.image._decode import image_extensions

if TYPE_CHECKING:
    import pandas as pd

# Files that operating systems leave in folders.
_IGNORED = frozenset({"thumbs.db", "desktop.ini"})
# Names of folders that are parts of a data set, such as "train", "test_set" or "val2017".
_SPLIT = re.compile(
    r"(?i)(train(ing|val)?|val(id(ation)?)?|dev|test(ing)?|eval(uation)?|hold[-_ ]?out"
    r"|unlabell?ed)[-_ ]?(set|data|images|\d+)?"
)


def read_image_folder(path: str | os.PathLike[str]) -> pd.DataFrame:
    """List the images of a folder that has one folder per class.

    The label of an image is the name of the folder directly below `path`, at any depth:
    ``photos/dog/poodle/1.jpg`` is a "dog". No image is opened. Hidden files and folders are
    ignored; for other files that are not in such a folder, or do not have the extension of an
    image format, a warning gives their number.

    Parameters
    ----------
    path : str or path-like
        The folder. ``~`` is the home folder.

    Returns
    -------
    pandas.DataFrame
        One row per image, sorted by label and path, with the columns "path" (str, absolute)
        and "label" (str). Both have the dtype object if a name is not valid UTF-8.

    Raises
    ------
    ColumnError
        If there is no such folder, it has no folders with images, a folder of it has none, or
        all are named as parts of a data set, such as "train" and "test".
    ImportError
        If pandas is not installed.

    Warns
    -----
    LeftOutWarning
        If files were left out.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from sktransfer import read_image_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for label, colour in [("cold", "blue"), ("warm", "red")]:
    ...         (Path(folder) / label).mkdir()
    ...         Image.new("RGB", (8, 8), colour).save(Path(folder) / label / "1.png")
    ...     table = read_image_folder(folder)
    >>> table["label"].tolist()
    ['cold', 'warm']

    An estimator takes the columns: ``ImageClassifier().fit(table["path"], table["label"])``.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "read_image_folder returns a pandas.DataFrame: pip install pandas."
        ) from error

    root = expanded(path)
    if str(root).startswith("~"):
        raise ColumnError(f"The home folder of {str(path)!r} is unknown.")
    root = root.absolute()
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "does not exist"
        raise ColumnError(f"{str(root)!r} {problem}; pass a folder with one folder per class.")
    files: list[Path] = []
    left_out: list[Path] = []
    extensions = image_extensions()
    for file in _files_below(root):
        is_labelled = file.parent != root and file.suffix.lower() in extensions
        (files if is_labelled else left_out).append(file)
    labels = [file.relative_to(root).parts[0] for file in files]
    _refuse_wrong_folders(root, files, labels)
    if left_out:
        warn(_about(root, left_out), LeftOutWarning)
    columns = {"path": [str(file) for file in files], "label": labels}
    try:
        return pd.DataFrame(columns)
    except UnicodeEncodeError:  # strings of Arrow cannot hold names that are not UTF-8
        return pd.DataFrame(columns, dtype=object)


def _files_below(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Yield all files that are not hidden, sorted; links are followed."""
    here = folder.resolve()
    if here in above:  # a link leads back
        return
    with os.scandir(folder) as entries:
        visible = sorted((e for e in entries if e.name[0] != "."), key=lambda entry: entry.name)
    for entry in visible:
        if entry.is_dir():
            yield from _files_below(folder / entry.name, (*above, here))
        elif entry.name.lower() not in _IGNORED:
            yield folder / entry.name


def _refuse_wrong_folders(root: Path, files: list[Path], labels: list[str]) -> None:
    if not files:
        raise ColumnError(
            f"{str(root)!r} has no images in folders; expected one folder per class, such as "
            f"{str(root / 'cat' / '1.jpg')!r}. For images without labels pass their paths: "
            "[str(path) for path in Path(folder).glob('*.jpg')]."
        )
    if all(map(_SPLIT.fullmatch, labels)):
        raise _holds_splits(root, files, labels)
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    empty = [name for name in folders if name[0] != "." and name not in set(labels)]
    if empty:
        raise ColumnError(
            f"No images are in the folder{'s' if len(empty) > 1 else ''} "
            f"{', '.join(map(repr, empty))} of {str(root)!r}, so there would be no such class. "
            "Remove or fill what is empty."
        )


def _holds_splits(root: Path, files: list[Path], labels: list[str]) -> ColumnError:
    nested = [
        label for file, label in zip(files, labels, strict=True) if file.parent.parent != root
    ]
    how = "They have no folders of classes: pass the paths of the images, and labels of your own."
    if nested:
        how = f"Read each by itself: read_image_folder({str(root / nested[0])!r})."
    names = " and ".join(map(repr, sorted(set(labels))))
    return ColumnError(f"{str(root)!r} holds {names}: parts of a data set, not classes. {how}")


def _about(root: Path, left_out: list[Path]) -> str:
    counts = Counter(
        "directly in it" if file.parent == root else file.suffix or "no extension"
        for file in left_out
    )
    kinds = ", ".join(f"{kind} ({count})" for kind, count in counts.most_common())
    return (
        f"read_image_folder left out {len(left_out)} files of {str(root)!r} that are not images "
        f"in a folder of their class: {kinds}; the first is {str(left_out[0])!r}."
    )
