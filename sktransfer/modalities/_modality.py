"""What a modality brings: how its cells are read, digested, prepared, batched and augmented."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from sktransfer import _runtime
from sktransfer.cache import FeatureCache
from sktransfer.columns import CellType, Column, as_column, describe
from sktransfer.exceptions import BackboneError, BadCellError, SktransferWarning
from sktransfer.modalities._inputs import map_inputs, tensors_of
from sktransfer.modalities._parts import Parts

if TYPE_CHECKING:
    import torch

#: Changes prepared cells of training rows, and their targets, which may be None; returns both.
Augmentation = Callable[[list[Any], Any], tuple[list[Any], Any]]
#: Target of a part of a cell that is not to be predicted; torch's losses ignore it.
IGNORED = -100
#: Computes rows (n, d) of network inputs.
Forward = Callable[[Any], np.ndarray]


@dataclass(frozen=True)
class DigestedCells:
    """The cells of a column with their digests.

    Attributes
    ----------
    cells : sequence of object
        In the form that `Preparer.prepare` takes.
    digests : sequence of bytes or None
        Equal content has equal digests, 16 bytes; None for a cell that is not to be computed.
    """

    cells: Sequence[Any]
    digests: Sequence[bytes | None]


class Remark(NamedTuple):
    """What is said once of all cells that it applies to.

    Attributes
    ----------
    clause : str
        Continues "3 of 10 ".
    category : type
        Of the warning.
    """

    clause: str
    category: type[SktransferWarning]


class Recipe(ABC):
    """What a cell must become before a network may see it; subclasses are frozen dataclasses.

    Attributes
    ----------
    modality : str
        Name of the modality in the table `MODALITIES`.
    pooling : str
        Pooling of a stage by default; empty for the class token where there is one, else the mean.
    timed : bool
        Whether the outputs of stages are as long as the cell, where cells have variable length.
    channels_last : bool
        Whether networks run faster with torch's memory format of that name.
    """

    modality: ClassVar[str]
    pooling: str = ""
    timed: bool = True
    channels_last: ClassVar[bool] = False

    @abstractmethod
    def blank(self, rows: int) -> Any:
        """Return network inputs of blank cells, to try a network on."""

    def examples(self, processor: Any) -> Sequence[Any]:
        """Return network inputs of two, three and one differing cells, to compare engines on."""
        import torch

        random = torch.Generator().manual_seed(0)
        three = map_inputs(lambda tensor: tensor.normal_(generator=random), self.blank(3))
        parts = (slice(2), slice(3), slice(2, 3))
        return [map_inputs(itemgetter(part), three) for part in parts]

    def describe(self) -> str:
        """Return what an estimator's parameter sets of the recipe, for messages."""
        return repr(self)

    def input_shape(self) -> tuple[int, ...]:
        """Return the shape of `Modality.to_plain`'s tensors; -1 where any length is taken."""
        return (-1, -1)

    def check(self, processor: Any) -> None:  # noqa: B027 - most recipes have nothing to check
        """Refuse values that no published recipe has: it may come from somebody else's file.

        Raises
        ------
        BackboneError
            Naming the value.
        """

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain JSON."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the recipe that `to_dict` has described."""
        return cls(**{n: tuple(v) if isinstance(v, list) else v for n, v in fields.items()})


class Preparer(ABC):
    """Prepares cells for one backbone.

    Attributes
    ----------
    recipe : Recipe
        What the cells become.
    variable_length : bool
        Whether prepared cells differ in length, so that cells of similar length are batched.
    window : int
        Number of cells prepared together where batches are formed by length.
    gathered : int
        Total length of cells, prepared `window` at a time, of which batches are formed by length.
    remarks : mapping of Remark to set of bytes
        What is to be said of prepared cells, and the digests of those that it is said of.
    """

    recipe: Any
    variable_length: ClassVar[bool] = False
    window: ClassVar[int] = 4096
    gathered: int = 0
    remarks: dict[Remark, set[bytes | None]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self.remarks = defaultdict(set)
        return self

    @abstractmethod
    def prepare(self, cell: Any, digest: bytes | None) -> Any:
        """Return one prepared cell.

        Raises
        ------
        BadCellError
            If it cannot be used, or has changed since `digest` was taken.
        """

    @abstractmethod
    def collate(self, items: Sequence[Any], device: torch.device) -> Any:
        """Return the network inputs of prepared cells, on a device."""

    def apply(self, forward: Forward, items: Sequence[Any], device: torch.device) -> np.ndarray:
        """Return what a function of network inputs gives for prepared cells, one row each."""
        with _runtime.inference(device, "float32"):
            inputs = self.collate(items, device)
        return forward(inputs)

    def remark(self, remark: Remark, digest: bytes | None) -> None:
        """Record what is to be said of a prepared cell; several threads may call it."""
        self.remarks[remark].add(digest)

    @abstractmethod
    def budget(self, on_cpu: bool) -> int:
        """Return the total length of the cells of a batch, unless the user names a batch size."""

    def length(self, item: Any) -> int:
        """Return the length of a prepared cell; 1 unless `variable_length`."""
        return 1


def shortened(text: str, characters: int) -> str:
    r"""Return the start of a text on one line, without control and invisible characters.

    Examples
    --------
    >>> shortened("one\n two  three", 8)
    'one two…'
    """
    visible = "".join(c if c.isprintable() else " " for c in text[: 8 * characters])
    line = " ".join(visible.split())
    is_whole = len(line) <= characters and len(text) <= 8 * characters
    return line if is_whole else line[: characters - 1].rstrip() + "…"


class Modality(CellType, ABC):
    """Cells of one kind, read by the parameters of an estimator.

    Subclasses are frozen dataclasses of these parameters. A new modality is a folder here, with
    a line in the table `MODALITIES`.

    Attributes
    ----------
    name : str
        Name in the table.
    library : str
        Package that prepares the cells: another version of it may give other values.
    recipe_type : type
        Its recipes.
    can_blend : bool
        Whether a weighted mean of two network inputs is one, as mixup needs it.
    outlines_cells : bool
        Whether `outline` tells of a cell what its prepared form does not.
    near : float
        Cosine of the default backbone's features from which cells without a `matcher` are copies.
    """

    name: ClassVar[str]
    library: ClassVar[str]
    recipe_type: ClassVar[type[Recipe]]
    can_blend: ClassVar[bool] = True
    outlines_cells: ClassVar[bool] = False
    near: ClassVar[float] = 0.95

    def column(self, X: Any) -> Column:
        """Read a container as one column of cells; one that was read already stays as it is."""
        return X if isinstance(X, Column) else as_column(X, self)

    @classmethod
    def claims(cls, cell: object, start: bytes | None) -> bool:
        """Return whether a cell is of this kind, as far as its type and first bytes tell.

        Parameters
        ----------
        cell : object
            Any value that is not missing.
        start : bytes, optional
            First 4096 bytes of the file whose path or content the cell is, if there is one.
        """
        return False

    @abstractmethod
    def digest(
        self, cells: Iterable[object], cache: FeatureCache
    ) -> tuple[Sequence[Any], Sequence[bytes | BadCellError | None]]:
        """Return the cells in the form that `Preparer.prepare` takes, and their digests.

        A cell that cannot be read has an error, not raised, in place of its digest; one that is
        to be left NaN has None. The digests of files are read from the cache and written to it.
        """

    def matcher(self) -> Any:
        """Return what compares two cells more closely than features do, or None.

        It has `threshold`, ``sketch(cell)``, ``vectors(sketches)`` and ``compare(sketches,
        others)``, as the `PictureMatcher` of images.
        """
        return None

    def recipe(self, backbone: Any) -> Any:
        """Return the backbone's recipe with this modality's parameters in it."""
        return backbone.recipe

    def outline(self, cell: Any) -> Any:
        """Return what targets of the parts of a cell must know of it, if `outlines_cells`.

        None if the cell cannot be used. Otherwise the prepared cell tells them.
        """
        raise NotImplementedError

    def parts(self, cell: Any, recipe: Any) -> Parts | None:
        """Return the parts of a cell that can be left out; None if they are not known.

        Parameters
        ----------
        cell : object
            The cell as it is given.
        recipe : Recipe
            What it will become.

        Raises
        ------
        BadCellError
            If it cannot be used.
        """
        return None

    def preview(self, cell: object, *, pixels: int = 96, characters: int = 80) -> np.ndarray | str:
        """Return a small picture of a cell, or a short text about it, for displays.

        Parameters
        ----------
        cell : object
            Any value; one that cannot be read gives a text that says so.
        pixels : int
            Longest side of a picture.
        characters : int
            Longest text.

        Returns
        -------
        ndarray of shape (H, W, 3), uint8, or str
            Colours, or a text on one line without invisible characters.
        """
        try:
            return self._picture(cell, pixels)
        except BadCellError as error:
            return shortened(str(error), characters)

    def _picture(self, cell: object, pixels: int) -> np.ndarray:
        """Return a picture of a cell, or raise `BadCellError`."""
        raise BadCellError(describe(cell))

    @abstractmethod
    def bind(self, backbone: Any) -> Preparer:
        """Return what prepares cells for a backbone."""

    def preparation(self) -> str:
        """Return what decides prepared cells besides the recipe, for the keys of the cache."""
        return f"{self.library} {_runtime.version_of(self.library)}"

    @classmethod
    def augmentation(cls, augment: Any) -> Augmentation | None:
        """Return the augmentation that a value of the parameter `augment` names."""
        return None

    def masking(
        self, fraction: float, backbone: Any, grid: tuple[int, int] | None = None
    ) -> Augmentation:
        """Return what hides a part of each prepared cell; its targets are what was hidden.

        Parameters
        ----------
        fraction : float
            Share to hide.
        backbone : Backbone
            For which cells are prepared.
        grid : tuple of int, optional
            Rows and columns of the places that the backbone has features of.
        """
        raise BackboneError(f"Parts of {self.noun}s cannot be masked.")

    @classmethod
    def module_recipe(cls, module: Any) -> Recipe:
        """Return how cells are prepared for a module of the user's.

        Raises
        ------
        BackboneError
            If the module does not say so in an attribute ``recipe``.
        """
        own = getattr(module, "recipe", None)
        if isinstance(own, cls.recipe_type):
            return own
        raise BackboneError(
            f"A module ({type(module).__name__}) is no backbone for {cls.noun}s unless it has an "
            f"attribute `recipe` of the type {cls.recipe_type.__name__}."
        )

    @classmethod
    def processor_from_dict(cls, packed: Mapping[str, Any]) -> Any:
        """Return the processor that its `to_dict` has described, such as a tokenizer."""
        raise BackboneError(f"Backbones of {cls.noun}s have no processor.")

    @staticmethod
    def to_plain(inputs: Any) -> tuple[torch.Tensor, ...]:
        """Return network inputs as contiguous tensors, for engines other than torch."""
        return tensors_of(map_inputs(lambda tensor: tensor.contiguous(), inputs))

    @staticmethod
    def from_plain(*tensors: torch.Tensor) -> Any:
        """Return the network inputs of which `to_plain` has made these tensors."""
        return tensors[0]
