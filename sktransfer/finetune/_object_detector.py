"""Fine-tuning on a column of images, to find objects in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sktransfer._compat import Interval, check_sample_weight
from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.exceptions import TargetError
from sktransfer.finetune._image_map_fine_tuner import ImageMapFineTuner
from sktransfer.modalities.image import BoxedImageModality, ImageModality

if TYPE_CHECKING:
    from sktransfer.training.targets import Boxes, BoxTarget


@public
@with_parameters
class ObjectDetector(ImageMapFineTuner):
    """Find objects in images, as boxes with labels, with a pretrained network.

    The maps of several stages of the network are joined by the small feature pyramid of
    `ImageSegmenter`. Each of its places, a quarter as fine as what the network sees, has a score
    for each class, and the distances to the four sides of a box, as in FCOS [1]_ but on one map.
    The loss is the focal loss of the scores [2]_ and the GIoU loss of the boxes [3]_.

    Columns of images are those of `ImageEmbedder`. `y` has one item per image: a dict with
    ``"boxes"``, an array (k, 4) of left, top, right and bottom in pixels of the image, and
    ``"labels"``, a sequence of k str or int; or the pair of both. k may be 0.

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
        Size in pixels to which whole images are resized for the network: the side of a square, or
        ``(height, width)``. None: the backbone's own size. Small objects need a larger one.
    score_threshold : float, default=0.05
        Lowest score of a box that is predicted. `score` takes account of all of them, so that a
        higher one lowers it.
    nms_threshold : float, default=0.5
        Highest intersection over union of two predicted boxes of a class; of two that overlap more,
        the one with the lower score is left out.
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
    max_epochs : int, default=20
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
        Augmentation of the training images and their boxes, drawn anew in each epoch: "light" flips
        and shifts; "standard" crops, flips and changes colours; or a ``torchvision.transforms.v2``
        transform, called on an image and its boxes, as ``torchvision.tv_tensors``.
    dropout : float, default=0.1
        Dropout probability of each feature before the head.
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
        Always 1.
    feature_names_in_ : ndarray of str, shape (1,)
        Name of the column, if `fit` was given a DataFrame.
    fingerprint_ : str
        Digest of the backbone used in `fit`. Other weights are refused afterwards.

    See Also
    --------
    ImageSegmenter : The class of each pixel.
    ImageClassifier : One class of a whole image.

    Notes
    -----
    With 300 images of clip art that is pasted on photographs, and default settings, AP50 on 100
    others, of which neither the objects nor the photographs were in training, is about 0.4 for six
    classes and 0.86 for one. Objects whose central quarters overlap in the same place are not told
    apart: of them the smallest is learned.

    `export_onnx` writes what there is at each place, ``probabilities`` (n, k + 4, height, width):
    the probability of each class, and the left, top, right and bottom of a box as shares of width
    and height.

    References
    ----------
    .. [1] Tian et al., FCOS: Fully Convolutional One-Stage Object Detection, 2019,
       https://arxiv.org/abs/1904.01355
    .. [2] Lin et al., Focal Loss for Dense Object Detection, 2017,
       https://arxiv.org/abs/1708.02002
    .. [3] Rezatofighi et al., Generalized Intersection over Union, 2019,
       https://arxiv.org/abs/1902.09630

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import ObjectDetector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 60, (16, 64, 64, 3), dtype=np.uint8)
    >>> y = []
    >>> for image, (top, left) in zip(X, rng.integers(0, 40, (16, 2))):
    ...     image[top : top + 24, left : left + 24] += 150
    ...     y.append({"boxes": [[left, top, left + 24, top + 24]], "labels": ["square"]})
    >>> detector = ObjectDetector(image_size=64, cache=False, random_state=0).fit(X, y)
    >>> found = detector.predict(X[:1])[0]
    >>> print(found["labels"][0], found["boxes"].shape[1])
    square 4
    >>> detector.score(X, y) > 0.7
    True
    """

    backbone: Any = parameter(default="efficientnet_lite0", kw_only=False)
    score_threshold: float = parameter(Interval(Real, 0, 1, closed="both"), default=0.05)
    nms_threshold: float = parameter(Interval(Real, 0, 1, closed="both"), default=0.5)
    max_epochs: int = parameter(Interval(Integral, 1, None, closed="left"), default=20)
    _modality_type: ClassVar[type[ImageModality]] = BoxedImageModality

    def predict(self, X: Any) -> np.ndarray:
        """Return the objects in each image.

        Parameters
        ----------
        X : column of n images
            See the class.

        Returns
        -------
        ndarray of shape (n,), object
            A dict per image: ``"boxes"``, float32 (k, 4), left, top, right and bottom in pixels of
            the image; ``"labels"``, an array (k,); ``"scores"``, float32 (k,), the highest first.
            At most 100 objects. None for cells that cannot be used, with ``on_error="nan"``.
        """
        check_is_fitted(self)
        found = (None if row is None else row._asdict() for row in self._found(X))
        return np.fromiter(found, dtype=object)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the mean over the classes of the average precision at an IoU of 0.5 (AP50).

        It is that of COCO, over the classes in `y`. A class that was not in `fit` counts as not
        found. Cells that cannot be used are left out. NaN if `y` has no boxes.

        Parameters
        ----------
        X : column of n images
            See the class.
        y : column of n dicts or pairs
            See the class.
        sample_weight : array-like of shape (n,), optional
            Weight of the boxes of each row.

        Returns
        -------
        float
        """
        return float(np.mean([*self.average_precisions(X, y, sample_weight).values()] or np.nan))

    def average_precisions(self, X: Any, y: Any, sample_weight: Any = None) -> dict[Any, float]:
        """Return the average precision at an IoU of 0.5 of each class that is in `y`.

        Parameters
        ----------
        X, y : columns of n images and of n dicts or pairs
            As for `score`.
        sample_weight : array-like of shape (n,), optional
            Weight of the boxes of each row.

        Returns
        -------
        dict of float
        """
        from sktransfer.training.targets import as_boxes, average_precision

        check_is_fitted(self)
        if y is None:
            raise TargetError("score needs y: the boxes and labels of each image.")
        modality: Any = self._modality()
        cells = modality.column(X).cells
        check_consistent_length(cells, y)
        weights = check_sample_weight(
            sample_weight, np.empty((len(cells), 1)), ensure_non_negative=True
        )
        rows = zip(self._found(X), y, cells, weights, strict=True)
        used = [
            (as_boxes(item, number, modality.outline(cell)), found, weight)
            for number, (found, item, cell, weight) in enumerate(rows)
            if found is not None and weight
        ]
        true, predicted, shares = zip(*used, strict=True) if used else ((), (), ())
        return average_precision(true, predicted, shares)

    def _found(self, X: Any) -> Iterator[Boxes | None]:
        """Yield the objects in each image; None where it cannot be used."""
        target = self._known_target()
        for _, row, shape in self._placed(X):
            if shape is None:
                yield None
                continue
            found = target.decode(row)
            sides = np.tile(shape[::-1], 2).astype(np.float32)
            yield found._replace(boxes=found.boxes * sides)

    def _learn_target(self, y: Any, weights: np.ndarray) -> BoxTarget:
        from sktransfer.training.targets import BoxTarget

        return BoxTarget.learn(y, weights > 0, **self._thresholds())

    def _known_target(self) -> BoxTarget:
        return replace(cast("BoxTarget", self._target), **self._thresholds())

    def _thresholds(self) -> dict[str, Any]:
        return {"score_threshold": self.score_threshold, "nms_threshold": self.nms_threshold}
