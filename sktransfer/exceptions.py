"""Errors and warnings of the package.

Every error says what was wrong, where, and what to do. Errors about an argument are also
``ValueError`` or ``TypeError``, so code written for scikit-learn catches them.
"""


class SktransferError(Exception):
    """Base class of all errors of this package."""


class ColumnError(SktransferError, ValueError):
    """An argument cannot be read as one column of cells."""


class BadCellError(SktransferError, ValueError):
    """One value of a column cannot be used; the message names its row.

    Attributes
    ----------
    row : int or None
        Position of the cell in its column, counted from 0; None where only the
        cell itself is known.
    """

    def __init__(self, message: str, *, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


class TargetError(SktransferError, ValueError):
    """Targets, or weights of rows, cannot be learned from."""


class BackboneError(SktransferError, ValueError):
    """A backbone, a layer or a pooling is not known or does not fit."""


class DivergedError(SktransferError, ValueError):
    """The loss or the weights of a training are not finite: its steps were too large."""


class EngineError(SktransferError, RuntimeError):
    """An engine other than torch cannot run a network, or failed on a batch."""


class WeightsError(SktransferError, RuntimeError):
    """Pretrained weights are missing, damaged, or do not fit their architecture."""


class OfflineError(WeightsError):
    """Weights would have to be downloaded, which is forbidden or impossible."""


class PersistenceError(SktransferError, ValueError):
    """A file was not written by `save` or is damaged, or an object cannot be saved."""


class UntrustedError(PersistenceError):
    """A file names types or functions that are not trusted; nothing of it was loaded.

    Attributes
    ----------
    types : tuple of str
        Their names, as `load` takes them in ``trusted``.
    """

    def __init__(self, message: str, *, types: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.types = types


class SktransferWarning(UserWarning):
    """Base class of all warnings of this package."""


class BadCellWarning(SktransferWarning):
    """Some rows were filled with NaN because their cells could not be used."""


class CacheWarning(SktransferWarning):
    """The feature cache cannot be used; the computation continues without it."""


class CollapseWarning(SktransferWarning):
    """Features collapsed in pre-training, which has been stopped."""


class ConflictWarning(SktransferWarning):
    """Copies of a row have different labels."""


class EngineWarning(SktransferWarning):
    """The engine that was asked for cannot run a network; torch does."""


class LeftOutWarning(SktransferWarning):
    """Some of the data is not used; the message says what."""


class LevelWarning(SktransferWarning):
    """Recordings have samples outside the usual range; they are used as they are."""


class MemoryWarning(SktransferWarning):
    """A batch does not fit in memory; the computation continues with smaller ones."""


class PromptWarning(SktransferWarning):
    """A backbone was trained with prompts before its texts, and none is used."""


class ReuseWarning(SktransferWarning):
    """Outputs of a frozen part are too large to be kept; they are computed in each epoch."""


class StoppedWarning(SktransferWarning):
    """A fit was interrupted; the estimator is fitted with the finished epochs."""


class TileWarning(SktransferWarning):
    """Training images are larger than the tiles in which images are predicted."""


class UntrustedWarning(SktransferWarning):
    """A file was saved that `load` refuses unless it is given ``trusted`` or ``modules``."""


class VersionWarning(SktransferWarning):
    """A file was saved with other versions of libraries; its results may differ."""


class WidenedWarning(SktransferWarning):
    """Labelled spans of a text begin or end inside a word; whole words are used."""
