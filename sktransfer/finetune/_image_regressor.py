"""Images to numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from sktransfer._public import public
from sktransfer.finetune._image import ImageFineTuner
from sktransfer.finetune._regressor import FineTunedRegressor


@public
class ImageRegressor(ImageFineTuner, FineTunedRegressor):
    """Images to numbers, by a pretrained network that learns as much as is opened of it.

    A column of images is what `ImageEmbedder` takes. Targets are one or several numbers a
    row; they are scaled inside, and predictions are in their units.

    Parameters
    ----------
    backbone : str, Path or nn.Module, default="efficientnet_lite0"
        A name from `list_backbones`, a Hugging Face id (``"org/name"``), ``"timm:<name>"``, a
        local folder, or a module of your own.
    weights : "pretrained", None, str or Path, default="pretrained"
        None draws random weights from a fixed seed; otherwise the name of weights that the
        backbone's source knows, or a ``.safetensors`` or ``.pth`` file.
    trainable : "head", int, "all", "gradual" or "lora", default="head"
        What learns: a linear layer on the features; with an integer k also the last k stages;
        all stages; in "gradual" one more stage from the top in each epoch; in "lora" small
        matrices beside the weights of all stages (extra ``[lora]``). Everything else stays as
        it is, statistics of batch norms too.
    image_size : int or tuple of int, default=None
        Side, or height and width, in pixels, of what the network sees. None: its own size.
    image_shape : tuple of int, default=None
        ``(H, W)`` or ``(H, W, C)``, where the rows of `X` are flattened images.
    max_pixels : int or None, default=80_000_000
        Most pixels that a file, bytes or a PIL image may decode to; above it, and for files of
        far more bytes than it explains, the cell counts as bad (see `on_error`). None leaves
        Pillow's own limit. A row that the cache has is not decoded again, whatever its size.
    max_epochs : int, default=10
        How often each row is seen.
    batch_size : int, default=32
        Rows of a step. A last one of a single row joins the batch before.
    lr : float, default=1e-3
        Highest learning rate of the head. Opened stages of transformers want 1e-4 and less.
    layer_decay : float, default=1.0
        Each stage learns with the rate of the one above it times this.
    optimizer : {"adamw", "adam", "sgd"}, default="adamw"
        The algorithm.
    momentum : float, default=0.9
        Of "sgd".
    weight_decay : float, default=0.01
        Of matrices and filters; norms and biases have none.
    lr_schedule : {"cosine", "onecycle", "constant"}, default="cosine"
        How the rate goes on after the warm-up.
    warmup : float, default=0.1
        Share of the steps in which the rate rises.
    probe_epochs : int, default=0
        Epochs before the others in which only the head learns.
    augment : {None, "light", "standard"} or transform, default=None
        What is done to training images in each epoch anew: "light" flips and shifts, "standard"
        crops, flips and changes colours; or a transform of ``torchvision.transforms.v2``, given
        one image (3, H, W) uint8 at a time.
    mixup : float, default=0.0
        Rows are mixed with others by shares from a beta distribution of this parameter.
    dropout : float, default=0.0
        Share of the features that the head does not see in a step.
    early_stopping : bool, default=False
        Whether to stop when the loss on held-out rows falls no more; the weights of the best
        epoch are kept.
    validation_fraction : float, default=0.1
        Share of the rows that is held out for it, where `fit` gets no `X_val`.
    n_iter_no_change : int, default=5
        Epochs to wait for a lower loss.
    callbacks : list of skorch callbacks, default=None
        Called as skorch does, with targets as the network learns them: brought to mean 0 and
        deviation 1. ``EpochScoring("r2")`` works.
    reuse_activations : bool or "auto", default="auto"
        Whether what the frozen part gives is computed once a row and kept, in memory up to 1
        GB, then on disk up to 16 GB; with more, "auto" computes it in each epoch, with a
        warning. The result is the same, in float32 to the bit. With `augment` every epoch sees
        other rows, so nothing is kept.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        "auto" uses bfloat16 only where the hardware computes it.
    device : str, default="auto"
        A torch device; "auto" takes a GPU where there is one.
    cache : bool, str or Path, default=True
        Where what the frozen part gives is kept for other fits: True for the user's cache
        folder (or ``SKTRANSFER_CACHE``), False for nowhere, or a folder.
    on_error : {"raise", "nan"}, default="raise"
        What a cell that cannot be used does: raise an error that names its row; or be left out
        of training, with a warning, and have NaN for features and predictions.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit.
    random_state : int, RandomState or None, default=None
        Decides the order of rows and all else that is random.
    verbose : int, default=0
        Whether each epoch is shown.

    Attributes
    ----------
    module_ : torch.nn.Module
        The network and its head.
    history_ : list of dict
        One record an epoch: ``pandas.DataFrame(estimator.history_)``.
    best_epoch_ : int
        The epoch whose weights were kept, counted from 1.
    n_features_in_ : int
        1, or the number of values of a flattened image.
    feature_names_in_ : ndarray of one str
        Name of the column, where `fit` was given a frame.
    fingerprint_ : str
        Digest of the backbone that was fitted with; another one is refused later.

    See Also
    --------
    ImageEmbedder : Features of the network as it is, for any other model.
    ImageClassifier : The same for classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import ImageRegressor
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(16) * 16
    >>> X = (rng.random((16, 32, 32, 3)) * y[:, None, None, None]).astype(np.uint8)
    >>> regressor = ImageRegressor(cache=False, max_epochs=60, random_state=0).fit(X, y)
    >>> bool(regressor.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **FineTunedRegressor._parameter_constraints,
        **ImageFineTuner._parameter_constraints,
    }

    def __init__(
        self,
        backbone: Any = "efficientnet_lite0",
        *,
        weights: str | Path | None = "pretrained",
        trainable: str | int = "head",
        image_size: int | tuple[int, int] | None = None,
        image_shape: tuple[int, ...] | None = None,
        max_pixels: int | None = 80_000_000,
        max_epochs: int = 10,
        batch_size: int = 32,
        lr: float = 1e-3,
        layer_decay: float = 1.0,
        optimizer: str = "adamw",
        momentum: float = 0.9,
        weight_decay: float = 0.01,
        lr_schedule: str = "cosine",
        warmup: float = 0.1,
        probe_epochs: int = 0,
        augment: Any = None,
        mixup: float = 0.0,
        dropout: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        callbacks: list[Any] | None = None,
        reuse_activations: bool | str = "auto",
        precision: str = "float32",
        device: str = "auto",
        cache: bool | str | Path = True,
        on_error: str = "raise",
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.trainable = trainable
        self.image_size = image_size
        self.image_shape = image_shape
        self.max_pixels = max_pixels
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.layer_decay = layer_decay
        self.optimizer = optimizer
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.warmup = warmup
        self.probe_epochs = probe_epochs
        self.augment = augment
        self.mixup = mixup
        self.dropout = dropout
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.reuse_activations = reuse_activations
        self.precision = precision
        self.device = device
        self.cache = cache
        self.on_error = on_error
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
