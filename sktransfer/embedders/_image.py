"""A column of images becomes features."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from sktransfer._public import public
from sktransfer.embedders._base import BaseEmbedder
from sktransfer.extraction import ImageColumnEstimator


@public
class ImageEmbedder(ImageColumnEstimator, BaseEmbedder):
    """Features of images from a pretrained network, each image computed once.

    A column of images may be a list, a Series of pandas or polars, an object array, a frame of
    one column, an array (n, H, W), (n, H, W, 1), (n, H, W, 3) or (n, H, W, 4), or flattened rows
    with `image_shape`. A cell may be a path, the bytes of a file, a PIL image or an array:
    uint8, or float in [0, 1].

    Parameters
    ----------
    backbone : str, Path or nn.Module, default="efficientnet_lite0"
        A name from `list_backbones`, a Hugging Face id (``"org/name"``), ``"timm:<name>"``, a
        local folder, or a module of your own.
    weights : "pretrained", None, str or Path, default="pretrained"
        None draws random weights from a fixed seed; otherwise the name of weights that the
        backbone's source knows, or a ``.safetensors`` or ``.pth`` file.
    layer : str or int, default="pooled"
        "pooled", or the name or index of a stage.
    pooling : {"default", "mean", "max", "cls", "flatten"}, default="default"
        How a stage's output becomes one vector; "default" is the backbone's own way.
    normalize : bool, default=False
        Whether rows are scaled to unit length.
    image_size : int or tuple of int, default=None
        Side, or height and width, in pixels, of what the network sees. None: its own size.
    image_shape : tuple of int, default=None
        ``(H, W)`` or ``(H, W, C)``, where the rows of `X` are flattened images.
    max_pixels : int or None, default=80_000_000
        Most pixels that a file, bytes or a PIL image may decode to; above it, and for files of
        far more bytes than it explains, the cell counts as bad (see `on_error`). None leaves
        Pillow's own limit. A row that the cache has is not decoded again, whatever its size.
    batch_size : int or "auto", default="auto"
        Rows that go through the network together. It does not change their features. "auto", on
        a CPU, computes several small batches side by side; on the first rows of a long column it
        tries some sizes, and remembers the fastest.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        "auto" uses bfloat16 only where the hardware computes it.
    device : str, default="auto"
        A torch device; "auto" takes a GPU where there is one.
    engine : {"torch", "openvino"}, default="torch"
        What runs the network. OpenVINO is faster on a CPU, after a conversion of some seconds that
        is kept beside the cache; it needs ``pip install 'sktransfer[openvino]'``. See Notes.
    cache : bool, str or Path, default=True
        Where rows are kept: True for the user's cache folder (or ``SKTRANSFER_CACHE``), False
        for nowhere, or a folder.
    on_error : {"raise", "nan"}, default="raise"
        What a cell that cannot be read does: raise an error that names its row, or leave that
        row NaN with a warning.
    verbose : int, default=0
        Whether a progress bar is shown.

    Attributes
    ----------
    n_features_in_ : int
        1, or the number of values of a flattened image.
    feature_names_in_ : ndarray of one str
        Name of the column, where `fit` was given a frame.
    fingerprint_ : str
        Digest of the backbone that was fitted with; another one is refused later.

    See Also
    --------
    TextEmbedder : The same for texts.

    Notes
    -----
    The weights of a named backbone are not part of the estimator: a pickle of it is small, and
    all clones in a process share one network. A module is part of it, as any parameter is.

    With ``precision="float32"`` features are exact on a CPU: those of the source's own code within
    1e-4, as batch norms are folded into convolutions. On a GPU torch may use TF32, which
    ``torch.backends.cudnn.allow_tf32 = False`` forbids; rows of either way are kept apart.

    A JPEG of which even the short side is at least four times what the network sees is decoded
    smaller, to at least twice that: several times faster, and pixels differ by 0.2 % on average,
    features about as much as those of bfloat16 do (a cosine above 0.999). Pass decoded images
    where that matters. With bfloat16, torch shrinks images in the place of Pillow, within one of
    256 grey levels.

    With ``engine="openvino"`` a float32 row is at most 1e-4 of its length away from torch's, and a
    bfloat16 row about as far from the exact one as torch's own is. That is tried out on a few rows
    before the network is used. Where it is not so, or the network cannot be converted, torch
    computes, and an `EngineWarning` says why.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_images
    >>> from sktransfer import ImageEmbedder
    >>> photos = load_sample_images().images
    >>> ImageEmbedder(cache=False).fit_transform(photos).shape
    (2, 1280)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseEmbedder._parameter_constraints,
        **ImageColumnEstimator._parameter_constraints,
    }

    def __init__(
        self,
        backbone: Any = "efficientnet_lite0",
        *,
        weights: str | Path | None = "pretrained",
        layer: str | int = "pooled",
        pooling: str = "default",
        normalize: bool = False,
        image_size: int | tuple[int, int] | None = None,
        image_shape: tuple[int, ...] | None = None,
        max_pixels: int | None = 80_000_000,
        batch_size: int | str = "auto",
        precision: str = "float32",
        device: str = "auto",
        engine: str = "torch",
        cache: bool | str | Path = True,
        on_error: str = "raise",
        verbose: int = 0,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.layer = layer
        self.pooling = pooling
        self.normalize = normalize
        self.image_size = image_size
        self.image_shape = image_shape
        self.max_pixels = max_pixels
        self.batch_size = batch_size
        self.precision = precision
        self.device = device
        self.engine = engine
        self.cache = cache
        self.on_error = on_error
        self.verbose = verbose
