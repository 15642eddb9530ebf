"""Features of a column of images."""

from typing import Any

from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import ImageColumnEstimator
from sktransfer.embedders._base_embedder import BaseEmbedder


@public
@with_parameters
class ImageEmbedder(ImageColumnEstimator, BaseEmbedder):
    """Transform images to features of a pretrained network, each distinct image computed once.

    A column of images is a list, a pandas or polars Series, an object array, a DataFrame of one
    column, an array of shape (n, H, W), (n, H, W, 1), (n, H, W, 3) or (n, H, W, 4), or an array of
    flattened images with `image_shape`. A cell is a path, the bytes of a file, a PIL image, or an
    array of uint8 or of floats in [0, 1]; with `window`, of any grey values. Files are of common
    formats, or DICOM of one frame (requires the extra ``[medical]``).

    Parameters
    ----------
    backbone : str, Path or nn.Module, default="efficientnet_lite0"
        Name from `list_backbones`, Hugging Face id (``"org/name"``), ``"timm:<name>"``, local
        folder, or a module of your own.
    weights : "pretrained", None, str, Path or torchvision enum, default="pretrained"
        Weights of the backbone: "pretrained", a name of weights that the backbone's source knows,
        or a ``.safetensors`` or ``.pth`` file. None initializes the network at random from a fixed
        seed.
    layer : str or int, default="pooled"
        Output to use: "pooled", or the name or index of a stage.
    pooling : {"default", "mean", "max", "cls", "flatten"}, default="default"
        How the output of a stage is reduced to one vector per row; "default" is the backbone's own
        pooling.
    normalize : bool, default=False
        Whether to scale each row to unit length.
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
    batch_size : int or "auto", default="auto"
        Rows per forward pass; features do not depend on it. On a CPU, "auto" computes several small
        batches in parallel, and tunes their size on the first rows of a long column.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        Floating-point type of the computation. "auto" uses bfloat16 where the hardware supports it.
    device : str, default="auto"
        Torch device; "auto" uses a GPU if there is one.
    engine : {"torch", "openvino"}, default="torch"
        Runtime of the network. OpenVINO is faster on a CPU, after a conversion of some seconds that
        is stored in the cache; it requires ``pip install 'sktransfer[openvino]'``. See Notes.
    cache : bool, str or Path, default=True
        Where to cache features: True for the user's cache folder (or ``SKTRANSFER_CACHE``), False
        for no cache, or a folder.
    on_error : {"raise", "nan"}, default="raise"
        How to handle a cell that cannot be read, or whose features are not finite: raise an error
        that names its row, or return NaN for that row, with a warning.
    verbose : int, default=0
        Whether to show a progress bar of the rows to compute, where there are any.

    Attributes
    ----------
    n_features_in_ : int
        1, or the number of values per flattened image.
    feature_names_in_ : ndarray of str, shape (1,)
        Name of the column, if `fit` was given a DataFrame.
    fingerprint_ : str
        Digest of the backbone used in `fit`. Other weights are refused afterwards.

    See Also
    --------
    TextEmbedder : Features of a column of texts.
    read_volume : Slices of a volume as a table.
    ImageClassifier : Fine-tuning on classes or labels.

    Notes
    -----
    The weights of a named backbone are not part of the estimator: its pickle is small, and all
    clones in a process share one network. A module passed as `backbone` is part of the estimator,
    like any other parameter.

    With ``precision="float32"`` on a CPU, features equal those of the source's own code within
    1e-4; batch norms are folded into convolutions. On a GPU torch may use TF32, unless
    ``torch.backends.cudnn.allow_tf32 = False``; the cache keeps rows of the two modes apart.

    A JPEG whose short side is at least four times the input size is decoded at a reduced size, at
    least twice the input size. This is several times faster; pixels differ by 0.2 % on average, and
    features about as much as in bfloat16 (cosine similarity above 0.999). Pass decoded images if
    that matters. In bfloat16, images are resized by torch instead of Pillow, within one of 256 grey
    levels.

    With ``engine="openvino"`` a float32 row differs from torch's by at most 1e-4 of its length, and
    a bfloat16 row differs from the exact row about as much as torch's does. This is verified on a
    few rows before the converted network is used. If the check fails, or the network cannot be
    converted, torch computes the rows and an `EngineWarning` gives the reason.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_images
    >>> from sktransfer import ImageEmbedder
    >>> photos = load_sample_images().images
    >>> ImageEmbedder(cache=False).fit_transform(photos).shape
    (2, 1280)
    """

    backbone: Any = parameter(default="efficientnet_lite0", kw_only=False)
