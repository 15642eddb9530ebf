"""Fine-tuning on a column of images, to predict the class of each pixel."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat import Interval, StrOptions, check_sample_weight
from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.finetune._image_map_fine_tuner import ImageMapFineTuner
from sktransfer.modalities.image import (
    ImageModality,
    WholeImageModality,
    blended,
    tile_boxes,
)

if TYPE_CHECKING:
    from sktransfer.training.objectives import Objective
    from sktransfer.training.targets import MaskTarget, Target


@public
@with_parameters
class ImageSegmenter(ImageMapFineTuner):
    """Predict the class of each pixel of images with a pretrained network.

    The maps of several stages of the network are joined by a small feature pyramid, from the
    coarsest to the finest, to scores for places a quarter as fine as what the network sees. The
    loss is the cross entropy, with more weight on classes of few pixels, and the Dice loss.

    Columns of images are those of `ImageEmbedder`. `y` is a column of masks, one per image and of
    the same size: arrays (H, W) of bool or whole numbers, nested lists of them, or paths, bytes or
    PIL images of masks in a lossless format. Of an image with a palette the indices are the
    classes, not the colours. Masks, like images, are turned as their EXIF data says. Masks of COCO
    are read by `read_coco`.

    Parameters
    ----------
    backbone : str, Path or nn.Module, default="efficientnet_lite0"
        Name from `list_backbones`, Hugging Face id (``"org/name"``), ``"timm:<name>"``, local
        folder, or a module of your own.
    weights : "pretrained", None, str, Path or torchvision enum, default="pretrained"
        Weights of the backbone: "pretrained", a name of weights that the backbone's source knows,
        or a ``.safetensors`` or ``.pth`` file. None initializes the network at random from a fixed
        seed.
    trainable : "head", int, "all", "gradual" or "lora", default="head"
        Part of the network to train. "head": the decoder only; an integer k: also the last k
        stages; "all": all stages; "gradual": one more stage, from the top, in each epoch; "lora":
        low-rank adapters in all stages (requires the extra ``[lora]``). The rest of the network is
        frozen, including the statistics of its batch norms.
    image_size : int, tuple of two int or None, default=None
        Size in pixels to which whole images, or tiles, are resized for the network: the side of a
        square, or ``(height, width)``. None: the backbone's own size. Small or thin objects need a
        larger one.
    tile_size : int or None, default=None
        Side in pixels of the tiles in which a larger image is predicted, one by one and with
        overlap. Set it to about the size of the training images. None: each image is resized as a
        whole.
    ignore_label : int or None, default=255
        Number in masks of pixels that are neither learned nor scored. None: there is no such
        number.
    dice_weight : float, default=0.3
        Weight of the Dice loss, which counts classes alike however few pixels they have, beside the
        cross entropy.
    image_shape : tuple of int or None, default=None
        Shape ``(H, W)`` or ``(H, W, C)`` of each image, if the rows of `X` are flattened images.
    max_pixels : int or None, default=80_000_000
        Maximum number of pixels that a file, bytes or a PIL image may decode to. A larger image, or
        a file with far more bytes than its pixels explain, is a bad cell (see `on_error`). None
        applies Pillow's own limit. Cells whose features are cached are not decoded, whatever their
        size.
    window : str, tuple of two float or None, default=None
        Grey values shown from black to white, in DICOM files, 16-bit images and arrays of grey
        values: ``(center, width)``, or a window of computed tomography in Hounsfield units:
        "abdomen", "bone", "brain", "liver", "lung", "mediastinum", "stroke" or "subdural". None:
        the window that a DICOM file names or else all its values; of other images the whole range
        of their type.
    max_epochs : int, default=10
        Number of passes over the training data.
    batch_size : int, default=8
        Rows per optimizer step. A last batch of a single row is merged with the batch before it.
    lr : float, default=0.003
        Maximum learning rate of the head. Unfrozen stages of transformers usually need 1e-4 or
        less.
    layer_decay : float, default=1.0
        Layer-wise learning rate decay: the learning rate of each stage is that of the stage above
        it, times this factor.
    optimizer : {"adamw", "adam", "sgd"}, default="adamw"
        Optimization algorithm.
    momentum : float, default=0.9
        Momentum of ``optimizer="sgd"``.
    weight_decay : float, default=0.01
        Weight decay of matrices and convolution filters; biases and norms have none.
    lr_schedule : {"cosine", "onecycle", "constant"}, default="cosine"
        Learning rate schedule after the warm-up.
    warmup : float, default=0.1
        Fraction of the optimizer steps during which the learning rate rises to its maximum.
    probe_epochs : int, default=0
        Number of epochs, before all others, in which only the head is trained.
    augment : {None, "light", "standard"} or transform, default=None
        Augmentation of the training images and their masks, drawn anew in each epoch: "light" flips
        and shifts; "standard" crops, flips and changes colours; or a ``torchvision.transforms.v2``
        transform, called on an image and its mask, as ``torchvision.tv_tensors``.
    dropout : float, default=0.1
        Dropout probability of each feature before the head.
    class_weight : {"sqrt", "balanced"}, dict or None, default="sqrt"
        Weight of the pixels of each class in the loss. "balanced": inversely proportional to how
        many there are; "sqrt": to the root of it, so that classes of few pixels are learned, and
        less of the background is taken for them; None: all alike.
    early_stopping : bool, default=False
        Whether to stop when the validation loss no longer falls. The weights of the best epoch are
        kept.
    validation_fraction : float, default=0.1
        Fraction of the rows to hold out for early stopping, if `fit` gets no `X_val`.
    n_iter_no_change : int, default=5
        Number of epochs without a lower validation loss after which training stops.
    callbacks : list of skorch callbacks or None, default=None
        Callbacks of skorch for the training.
    reuse_activations : bool or "auto", default="auto"
        Whether to compute the outputs of the frozen part once per row. "auto" keeps up to 2 GB in
        memory, and reads more from the cache, up to a quarter of its limit; beyond that, they are
        computed in each epoch, with a warning. True keeps any size in memory. The result is the
        same, in float32 to the bit. With `augment` nothing is kept, because each epoch sees
        different rows.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        Floating-point type of the computation. "auto" uses bfloat16 where the hardware supports it.
    device : str, default="auto"
        Torch device; "auto" uses a GPU if there is one.
    cache : bool, str or Path, default=True
        Where to cache the outputs of the frozen part for other fits: True for the user's cache
        folder (or ``SKTRANSFER_CACHE``), False for no cache, or a folder.
    on_error : {"raise", "nan"}, default="raise"
        How to handle an image that cannot be used: raise an error that names its row; or leave the
        row out of training, with a warning, and return None for its predictions.
    warm_start : bool, default=False
        Whether `fit` continues from the weights of the last fit.
    random_state : int, RandomState or None, default=None
        Controls the order of rows, the validation split and all other random choices.
    verbose : int, default=0
        Whether to show the losses of each epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels.
    module_ : torch.nn.Module
        Network with its trained head.
    history_ : list of dict
        One record per epoch: ``pandas.DataFrame(estimator.history_)``. Its ``seconds`` include
        scoring the validation rows.
    best_epoch_ : int
        Epoch whose weights were kept, counted from 1.
    n_features_in_ : int
        1, or the number of values per flattened image.
    feature_names_in_ : ndarray of str, shape (1,)
        Name of the column, if `fit` was given a DataFrame.
    fingerprint_ : str
        Digest of the backbone used in `fit`. Other weights are refused afterwards.

    See Also
    --------
    ImageClassifier : One class of a whole image.
    MaskDisplay : Image, mask, prediction and errors side by side.
    read_coco : Images and masks from annotations of COCO.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import ImageSegmenter
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 60, (12, 64, 64, 3), dtype=np.uint8)
    >>> y = np.zeros((12, 64, 64), dtype=np.uint8)
    >>> for image, mask, place in zip(X, y, rng.integers(0, 40, (12, 2))):
    ...     square = np.s_[place[0] : place[0] + 24, place[1] : place[1] + 24]
    ...     image[square] += 150
    ...     mask[square] = 1
    >>> segmenter = ImageSegmenter(image_size=64, cache=False, random_state=0).fit(X, y)
    >>> segmenter.predict(X[:1])[0].shape
    (64, 64)
    >>> segmenter.score(X, y) > 0.7
    True
    """

    backbone: Any = parameter(default="efficientnet_lite0", kw_only=False)
    tile_size: int | None = parameter(
        Interval(Integral, 1, None, closed="left"), None, default=None
    )
    ignore_label: int | None = parameter(Integral, None, default=255)
    class_weight: Any = parameter(dict, StrOptions({"sqrt", "balanced"}), None, default="sqrt")
    dice_weight: float = parameter(Interval(Real, 0, None, closed="left"), default=0.3)
    max_epochs: int = parameter(Interval(Integral, 1, None, closed="left"), default=10)
    _modality_type: ClassVar[type[ImageModality]] = WholeImageModality

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of each pixel, at the size of each image.

        Parameters
        ----------
        X : column of n images
            See the class.

        Returns
        -------
        ndarray of shape (n,), object
            Arrays (H, W) of the smallest integer type that has room for all classes, or of bool.
            None for cells that cannot be used, with ``on_error="nan"``.
        """
        check_is_fitted(self)
        low, high = self.classes_[[0, -1]].tolist()
        classes = self.classes_.astype(
            np.min_scalar_type(high if low >= 0 else min(low, -high - 1))
        )
        return _objects(
            None if scores is None else classes[scores.argmax(0)] for scores in self._scores(X)
        )

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class at each pixel; of each pixel they sum to 1.

        Parameters
        ----------
        X : column of n images
            See the class.

        Returns
        -------
        ndarray of shape (n,), object
            Arrays (H, W, k), float32, at the size of each image; k as in `classes_`. None for
            cells that cannot be used, with ``on_error="nan"``.
        """
        import torch

        return _objects(
            None if scores is None else torch.from_numpy(scores).softmax(0).permute(1, 2, 0).numpy()
            for scores in self._scores(X)
        )

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the mean over the classes of the intersection over union of all pixels.

        Pixels of `ignore_label` do not count, nor does a class that is neither in `y` nor
        predicted. Cells that cannot be used are left out.

        Parameters
        ----------
        X : column of n images
            See the class.
        y : column of n masks
            See the class.
        sample_weight : array-like of shape (n,), optional
            Weight of the pixels of each row.

        Returns
        -------
        float
        """
        from sktransfer.training.targets import ious

        return float(np.nanmean(ious(self._confusion(X, y, sample_weight))))

    def classification_report(self, X: Any, y: Any) -> dict[Any, dict[str, float]]:
        """Return how well the pixels of each class are found.

        Parameters
        ----------
        X, y : columns of n images and of n masks
            As for `score`.

        Returns
        -------
        dict of dict of float
            ``iou``, ``dice`` (also known as F1), ``precision``, ``recall`` and ``support`` (the
            share of the pixels) of each class: ``pandas.DataFrame(report).T`` is a table.
        """
        from sktransfer.training.targets import report_of

        return report_of(self._confusion(X, y, None), self.classes_.tolist())

    def _scores(self, X: Any) -> Iterator[np.ndarray | None]:
        """Yield scores (k, H, W) at the size of each image; None where it cannot be used."""
        modality: Any = self._modality()
        inner = self._for_tiles() if self.tile_size else self
        for cell, row, shape in self._placed(X):
            if shape is None:
                yield None
            elif self.tile_size is None or max(shape) <= self.tile_size:
                yield _resized(row, shape)
            else:
                yield self._tiled(modality.decode(cell), inner)

    def _for_tiles(self) -> Self:
        """Return a copy that predicts decoded pixels, as they are."""
        found = copy(self).set_params(cache=False, image_shape=None, window=None, max_pixels=None)
        found.n_features_in_ = 1
        return found

    def _tiled(self, pixels: np.ndarray, inner: Self) -> np.ndarray:
        """Return the scores (k, H, W) of an image by its tiles."""
        assert self.tile_size is not None
        shape = pixels.shape[:2]
        boxes = tile_boxes(shape, self.tile_size)
        rows = inner._outputs([pixels[box] for box in boxes], head=True)
        parts = zip(boxes, rows, strict=True)
        return blended(((box, _resized(row, pixels[box].shape[:2])) for box, row in parts), shape)

    def _confusion(self, X: Any, y: Any, sample_weight: Any) -> np.ndarray:
        from sktransfer.training.targets import as_column_of_masks, confusion

        check_is_fitted(self)
        target = self._known_target()
        n = len(self._modality().column(X).cells)
        masks = as_column_of_masks(y, n)
        weights = check_sample_weight(sample_weight, np.empty((n, 1)), ensure_non_negative=True)
        total = np.zeros((target.n_outputs, target.n_outputs))
        rows = enumerate(zip(self._scores(X), masks, weights, strict=True))
        for row, (scores, mask, weight) in rows:
            if scores is not None and weight:
                numbers = target.numbered(mask, row, scores.shape[1:])
                total += weight * confusion(numbers, scores.argmax(0), target.n_outputs)
        if not total.any():
            raise target.nothing_known()
        return total

    def _learn_target(self, y: Any, weights: np.ndarray) -> MaskTarget:
        from sktransfer.training.targets import MaskTarget

        settings = self._target_settings()
        return MaskTarget.learn(y, weights > 0, tile_size=self.tile_size, **settings)

    def _known_target(self) -> MaskTarget:
        return cast("MaskTarget", self._target).changed(**self._target_settings())

    def _target_settings(self) -> dict[str, Any]:
        return {
            "size": self._modality().recipe(self._get_backbone()).size,
            "ignore_label": self.ignore_label,
            "class_weight": self.class_weight,
            "max_pixels": self.max_pixels,
        }

    def _objective(self, target: Target, random: np.random.RandomState) -> Objective:
        from sktransfer.training.objectives import Pixels

        return Pixels(target, dice=self.dice_weight)


def _resized(scores: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return scores (k, height, width) at another height and width."""
    import torch

    rows = torch.from_numpy(scores)[None]
    found = torch.nn.functional.interpolate(rows, shape, mode="bilinear", align_corners=False)
    return found[0].numpy()


def _objects(rows: Iterator[Any]) -> np.ndarray:
    items = list(rows)
    found = np.empty(len(items), dtype=object)
    for number, item in enumerate(items):  # at once, equal shapes would become axes
        found[number] = item
    return found
