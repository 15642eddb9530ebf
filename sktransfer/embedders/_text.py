"""A column of texts becomes features."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from sktransfer._public import public
from sktransfer.embedders._base import BaseEmbedder
from sktransfer.extraction import TextColumnEstimator


@public
class TextEmbedder(TextColumnEstimator, BaseEmbedder):
    """Features of texts from a pretrained network, each distinct text computed once.

    A column of texts may be a list, a Series of pandas or polars, an object or string array, or
    a frame of one column. A cell is a str.

    Parameters
    ----------
    backbone : str or Path, default="all-MiniLM-L6-v2"
        A name from `list_backbones`, a Hugging Face id (``"org/name"``) of an encoder, or a
        local folder.
    weights : "pretrained", None, str or Path, default="pretrained"
        None draws random weights from a fixed seed; or a ``.safetensors`` or ``.pth`` file.
    layer : str or int, default="pooled"
        "pooled", or the name or index of a stage.
    pooling : {"default", "mean", "max", "cls"}, default="default"
        How token vectors become one; "default" is the backbone's own way, for the bundled one
        the mean, scaled to unit length.
    normalize : bool, default=False
        Whether rows are scaled to unit length, if the backbone does not do so itself.
    max_length : int, default=None
        Tokens kept of a text. None: as many as the backbone was made for.
    batch_size : int or "auto", default="auto"
        Texts that go through the network together. It does not change their features. "auto"
        fills a budget of tokens with texts of like length, and on a CPU computes several such
        batches side by side.
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
        What a cell that is no text does: raise an error that names its row, or leave that row
        NaN with a warning.
    missing : {"raise", "nan", "empty"}, default="raise"
        What None, NaN and blank texts do: count as cells that are no text (see `on_error`),
        leave the row NaN without a word, or stand for the empty text.
    verbose : int, default=0
        Whether a progress bar is shown.

    Attributes
    ----------
    n_features_in_ : int
        Always 1.
    feature_names_in_ : ndarray of one str
        Name of the column, where `fit` was given a frame.
    fingerprint_ : str
        Digest of the backbone that was fitted with; another one is refused later.

    See Also
    --------
    ImageEmbedder : The same for images.

    Notes
    -----
    With ``engine="openvino"`` a float32 row is at most 1e-4 of its length away from torch's, and a
    bfloat16 row about as far from the exact one as torch's own is. That is tried out on a few rows
    before the network is used. Where it is not so, or the network cannot be converted, torch
    computes, and an `EngineWarning` says why.

    Examples
    --------
    >>> from sktransfer import TextEmbedder
    >>> rows = TextEmbedder(cache=False).fit_transform(["a cat", "a kitten", "tax return"])
    >>> rows.shape
    (3, 384)
    >>> bool(rows[0] @ rows[1] > rows[0] @ rows[2])
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseEmbedder._parameter_constraints,
        **TextColumnEstimator._parameter_constraints,
    }

    def __init__(
        self,
        backbone: Any = "all-MiniLM-L6-v2",
        *,
        weights: str | Path | None = "pretrained",
        layer: str | int = "pooled",
        pooling: str = "default",
        normalize: bool = False,
        max_length: int | None = None,
        batch_size: int | str = "auto",
        precision: str = "float32",
        device: str = "auto",
        engine: str = "torch",
        cache: bool | str | Path = True,
        on_error: str = "raise",
        missing: Literal["raise", "nan", "empty"] = "raise",
        verbose: int = 0,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.layer = layer
        self.pooling = pooling
        self.normalize = normalize
        self.max_length = max_length
        self.batch_size = batch_size
        self.precision = precision
        self.device = device
        self.engine = engine
        self.cache = cache
        self.on_error = on_error
        self.missing = missing
        self.verbose = verbose
