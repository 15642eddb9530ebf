"""Training on a column of images without labels."""

from typing import Any

from sktransfer._compat import HasMethods, StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import ImageColumnEstimator
from sktransfer.pretrain._base_pretrainer import BasePretrainer


@public
@with_parameters
class ImagePretrainer(ImageColumnEstimator, BasePretrainer):
    """Train a network on images without labels, from pretrained weights or from none.

    The fitted pretrainer gives features by `transform`, and is a `backbone` for embedders and
    fine-tuners. Columns of images are those of `ImageEmbedder`.

    Parameters
    ----------
    backbone : str, Path or nn.Module, default="efficientnet_lite0"
        Name from `list_backbones`, Hugging Face id (``"org/name"``), ``"timm:<name>"``, local
        folder, or a module of your own.
    weights : "pretrained", None, str, Path or torchvision enum, default="pretrained"
        Weights of the backbone: "pretrained", a name of weights that the backbone's source knows,
        or a ``.safetensors`` or ``.pth`` file. None initializes the network at random from a fixed
        seed.
    trainable : int, "all", "gradual" or "lora", default="all"
        Part of the network to train. "all": all stages; an integer k: the last k stages; "gradual":
        one more stage, from the top, in each epoch; "lora": low-rank adapters in all stages
        (requires the extra ``[lora]``). The rest of the network is frozen, including the statistics
        of its batch norms.
    objective : {"simclr", "vicreg", "masked"} or objective, default="simclr"
        What is minimized. "simclr": two augmented views of each image are told from those of the
        other images of the batch; "vicreg": two augmented views get similar features, whose
        dimensions vary and are not correlated; "masked": the pixels of hidden patches are
        predicted, for vision transformers. Or an instance of a subclass of
        ``sktransfer.training.objectives.SelfSupervised``.
    mask_fraction : float, default=0.6
        Fraction of the patches to hide with ``objective="masked"``.
    temperature : float, default=0.1
        Temperature of the similarities with ``objective="simclr"``: with a lower one, the most
        similar other images count more.
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
    batch_size : int, default=64
        Rows per optimizer step. A last batch of a single row is merged with the batch before it.
    lr : float, default=0.0003
        Maximum learning rate, that of the last stage and of the objective's head.
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
    augment : {None, "light", "standard"} or transform, default="standard"
        Augmentation that makes the views, drawn anew for each: "light" flips and shifts; "standard"
        crops, flips and changes colours; or a ``torchvision.transforms.v2`` transform, called on
        one uint8 image of shape (3, H, W) at a time. None only with ``objective="masked"``.
    early_stopping : bool, default=False
        Whether to stop when the validation loss no longer falls. The weights of the best epoch are
        kept.
    validation_fraction : float, default=0.1
        Fraction of the rows to hold out for early stopping, if `fit` gets no `X_val`.
    n_iter_no_change : int, default=5
        Number of epochs without a lower validation loss after which training stops.
    callbacks : list of skorch callbacks or None, default=None
        Callbacks of skorch for the training.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        Floating-point type of the computation. "auto" uses bfloat16 where the hardware supports it.
    device : str, default="auto"
        Torch device; "auto" uses a GPU if there is one.
    cache : bool, str or Path, default=True
        Where to cache the outputs of the frozen part for other fits: True for the user's cache
        folder (or ``SKTRANSFER_CACHE``), False for no cache, or a folder.
    on_error : {"raise", "nan"}, default="raise"
        How to handle a cell that cannot be used: raise an error that names its row; or leave the
        row out of training, with a warning, and return NaN for its features.
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
        One record per epoch: ``pandas.DataFrame(estimator.history_)``. Its `effective_rank`
        (RankMe) is that of the features of up to 256 rows; `knn_score` is there where `fit` got
        `y_val`.
    best_epoch_ : int
        Epoch whose weights were kept, counted from 1; 0 for those before the first.
    initial_scores_ : dict of str to float
        `effective_rank`, and `knn_score` where there is one, before the first epoch.
    objective_ : objective
        The objective of the last fit.
    n_features_in_ : int
        1, or the number of values per flattened image.
    feature_names_in_ : ndarray of str, shape (1,)
        Name of the column, if `fit` was given a DataFrame.
    fingerprint_ : str
        Digest of the backbone used in `fit`. Other weights are refused afterwards.

    See Also
    --------
    ImageClassifier : Fine-tuning on classes or labels.
    compare_pretrained : Whether pre-training helped, with few labels.

    Notes
    -----
    A network without pretrained weights (``weights=None``) gains most. On small sets of images,
    what a pretrained network gains is within the noise.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import ImagePretrainer
    >>> X = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    >>> pretrainer = ImagePretrainer(max_epochs=1, cache=False, random_state=0).fit(X)
    >>> pretrainer.transform(X).shape
    (8, 1280)
    """

    backbone: Any = parameter(default="efficientnet_lite0", kw_only=False)
    objective: Any = parameter(
        StrOptions({"simclr", "vicreg", "masked"}), HasMethods(["loss", "head"]), default="simclr"
    )
    augment: Any = parameter(  # type: ignore[misc]
        StrOptions({"light", "standard"}), callable, None, default="standard"
    )
    mask_fraction: float = parameter(default=0.6)
    batch_size: int = parameter(default=64)
    lr: float = parameter(default=3e-4)
