"""Fine-tuning on a column of images, to predict numbers."""

from typing import Any

from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.finetune._image_fine_tuner import ImageFineTuner
from sktransfer.finetune._regressor import FineTunedRegressor


@public
@with_parameters
class ImageRegressor(ImageFineTuner, FineTunedRegressor):
    """Predict numbers from images with a pretrained network, fine-tuned as far as `trainable` says.

    Columns of images are those of `ImageEmbedder`. Targets are one or several numbers per row; they
    are standardized internally, and predictions are in their units.

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
        Part of the network to train. "head": a linear layer on the features; an integer k: also the
        last k stages; "all": all stages; "gradual": one more stage, from the top, in each epoch;
        "lora": low-rank adapters in all stages (requires the extra ``[lora]``). The rest of the
        network is frozen, including the statistics of its batch norms.
    image_size : int, tuple of two int or None, default=None
        Input size of the network in pixels: the side of a square, or ``(height, width)``. None: the
        backbone's own size.
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
    batch_size : int, default=32
        Rows per optimizer step. A last batch of a single row is merged with the batch before it.
    lr : float, default=0.001
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
        Augmentation of the training images, drawn anew in each epoch: "light" flips and shifts;
        "standard" crops, flips and changes colours; or a ``torchvision.transforms.v2`` transform,
        called on one uint8 image of shape (3, H, W) at a time.
    mixup : float, default=0.0
        Parameter of the beta distribution that mixup draws its mixing weights from; 0 disables
        mixup.
    dropout : float, default=0.0
        Dropout probability of each feature before the head.
    early_stopping : bool, default=False
        Whether to stop when the validation loss no longer falls. The weights of the best epoch are
        kept.
    validation_fraction : float, default=0.1
        Fraction of the rows to hold out for early stopping, if `fit` gets no `X_val`.
    n_iter_no_change : int, default=5
        Number of epochs without a lower validation loss after which training stops.
    callbacks : list of skorch callbacks or None, default=None
        Callbacks of skorch for the training. Their targets are standardized to mean 0 and standard
        deviation 1. ``EpochScoring("r2")`` works.
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
        How to handle a cell that cannot be used: raise an error that names its row; or leave the
        row out of training, with a warning, and return NaN for its features and predictions.
    warm_start : bool, default=False
        Whether `fit` continues from the weights of the last fit.
    random_state : int, RandomState or None, default=None
        Controls the order of rows, the validation split and all other random choices.
    verbose : int, default=0
        Whether to show the losses of each epoch.

    Attributes
    ----------
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
    ImageEmbedder : Features of the pretrained network, for any other model.
    ImageClassifier : Fine-tuning on classes or labels.

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

    backbone: Any = parameter(default="efficientnet_lite0", kw_only=False)
