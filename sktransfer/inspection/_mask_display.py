"""Images beside their masks, predictions and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sktransfer._public import public
from sktransfer.inspection._axes import Display

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_ROWS = 8


@public
@dataclass(eq=False, repr=False)
class MaskDisplay(Display):
    """Images, true masks, predicted masks and where these differ.

    Use `from_estimator` to create one.

    Parameters
    ----------
    images : list of ndarray
        Pixels (H, W, 3).
    predicted : list of ndarray
        Class of each pixel (H, W).
    classes : ndarray of shape (k,)
        All classes; the first has no colour.
    true : list of ndarray, optional
        True class of each pixel (H, W).
    ignore_label : int, optional
        Number of pixels in `true` that are no errors.
    class_names : sequence of str or dict, optional
        Names for the legend, in the order of `classes` or by class number, as `read_coco` gives
        them.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, shape (n, 2) or (n, 4)
        Image and prediction; or image, truth, prediction and errors.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    ImageSegmenter : Predicts masks.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import MaskDisplay
    >>> image, mask = np.zeros((8, 8, 3), dtype=np.uint8), np.eye(8, dtype=np.uint8)
    >>> display = MaskDisplay([image], [mask], np.array([0, 1]), true=[mask]).plot()
    >>> display.axes_.shape
    (1, 4)
    """

    images: Sequence[np.ndarray]
    predicted: Sequence[np.ndarray]
    classes: np.ndarray
    true: Sequence[np.ndarray] | None = field(default=None, kw_only=True)
    ignore_label: int | None = field(default=None, kw_only=True)
    class_names: Sequence[str] | Mapping[Any, str] | None = field(default=None, kw_only=True)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        class_names: Sequence[str] | Mapping[Any, str] | None = None,
    ) -> Self:
        """Draw what a fitted segmenter predicts for the first images, eight at most.

        Images that cannot be used are left out, with ``on_error="nan"``.

        Parameters
        ----------
        estimator : ImageSegmenter
            Fitted.
        X : column of n images
            As for `ImageSegmenter`.
        y : column of n masks, optional
            Their true masks.
        class_names : sequence of str or dict, optional
            Names for the legend, in the order of ``estimator.classes_`` or by class number.

        Returns
        -------
        MaskDisplay
        """
        if not hasattr(estimator, "ignore_label"):
            raise TypeError(
                f"{type(estimator).__name__} predicts no masks; pass an ImageSegmenter."
            )
        check_is_fitted(estimator)
        modality = estimator._modality()
        column = modality.column(X).cells
        cells = [*column[:_MOST_ROWS]]
        is_flat = estimator.image_shape is not None
        predicted = estimator.predict([cell.ravel() for cell in cells] if is_flat else cells)
        usable = [row for row, mask in enumerate(predicted) if mask is not None]
        predicted = [predicted[row] for row in usable]
        display = cls(
            [modality.decode(cells[row]) for row in usable],
            predicted,
            estimator.classes_,
            true=None if y is None else _true(estimator, y, len(column), usable, predicted),
            ignore_label=estimator.ignore_label,
            class_names=class_names,
        )
        return display.plot()

    def plot(self) -> Self:
        """Draw one row per image.

        Returns
        -------
        self
        """
        import matplotlib.pyplot as plt

        if not len(self.images):
            raise ValueError("there is no image to show.")
        titles = ["input", "predicted"] if self.true is None else _TITLES
        n, k = len(self.images), len(titles)
        size = (2.2 * k, 2.2 * n + 0.6)
        figure, axes = plt.subplots(n, k, figsize=size, squeeze=False, layout="constrained")
        for row in range(n):
            for ax, picture in zip(axes[row], self._pictures(row), strict=True):
                ax.imshow(picture, interpolation="nearest")
                ax.set_axis_off()
        for ax, title in zip(axes[0], titles, strict=True):
            ax.set_title(title)
        self._add_legend(figure)
        self.axes_, self.figure_ = axes, figure
        return self

    def _pictures(self, row: int) -> list[np.ndarray]:
        image, predicted = self.images[row], self.predicted[row]
        if self.true is None:
            return [image, self._painted(image, predicted)]
        true = self.true[row]
        wrong = (true != predicted) & (true != self.ignore_label)
        errors = _grey(image)
        errors[wrong] = _WRONG
        return [image, self._painted(image, true), self._painted(image, predicted), errors]

    def _painted(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return a pale image with a colour where there is another class than the first."""
        found = _grey(image)
        for value, colour in zip(self.classes[1:].tolist(), self._colours(), strict=True):
            found[mask == value] = 0.25 * found[mask == value] + 0.75 * colour
        return found

    def _colours(self) -> np.ndarray:
        import matplotlib as mpl

        n = len(self.classes) - 1
        if n > len(_NO_RED):
            return mpl.colormaps["turbo"](np.linspace(0, 1, n))[:, :3]
        return mpl.colormaps["tab10"](_NO_RED[:n])[:, :3]

    def _names(self) -> list[Any]:
        classes, names = self.classes.tolist(), self.class_names
        if names is None or isinstance(names, Mapping):
            return [(names or {}).get(value, value) for value in classes]
        if len(names) != len(classes):
            raise ValueError(f"class_names has {len(names)} names for the {len(classes)} classes.")
        return [*names]

    def _add_legend(self, figure: Figure) -> None:
        from matplotlib.patches import Patch

        names = self._names()
        patches = [
            Patch(color=tuple(colour), label=str(name))
            for name, colour in zip(names[1:], self._colours(), strict=True)
        ]
        if self.true is not None:
            patches.append(Patch(color=_WRONG, label="error"))
        figure.legend(handles=patches, loc="outside lower center", ncols=4, frameon=False)


_TITLES = ["input", "true", "predicted", "errors"]
_WRONG = (0.84, 0.1, 0.11)
# Places in matplotlib's "tab10" of colours that are not taken for that of errors.
_NO_RED = [0, 1, 2, 4, 5, 6, 7, 8, 9]


def _true(
    estimator: Any, y: Any, n: int, rows: Sequence[int], predicted: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Return the true masks of some of n rows, checked as for a score."""
    from sktransfer.training.targets import as_column_of_masks

    masks, target, classes = as_column_of_masks(y, n), estimator._known_target(), estimator.classes_
    numbers = [
        target.numbered(masks[row], row, mask.shape)
        for row, mask in zip(rows, predicted, strict=True)
    ]
    ignored = 0 if estimator.ignore_label is None else estimator.ignore_label
    return [np.where(known >= 0, classes[known.clip(min=0)], ignored) for known in numbers]


def _grey(image: np.ndarray) -> np.ndarray:
    """Return an image as pale grey (H, W, 3), float."""
    pixels = image / 255 if image.dtype == np.uint8 else image
    return np.repeat(0.5 + 0.5 * pixels.mean(axis=2, keepdims=True), 3, axis=2)
