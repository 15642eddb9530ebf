"""Features of a column of texts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from sktransfer._compat import StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer._warnings import warn
from sktransfer.base import TextColumnEstimator
from sktransfer.columns import Column
from sktransfer.embedders._base_embedder import BaseEmbedder
from sktransfer.exceptions import PromptWarning
from sktransfer.modalities.text import TextModality

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone


@public
@with_parameters
class TextEmbedder(TextColumnEstimator, BaseEmbedder):
    """Transform texts to features of a pretrained network, each distinct text computed once.

    A column of texts is a list, a pandas or polars Series, an object or string array, or a
    DataFrame of one column. A cell is a str.

    Parameters
    ----------
    backbone : str or Path, default="all-MiniLM-L6-v2"
        Name from `list_backbones`, Hugging Face id (``"org/name"``) of an encoder, or local folder.
    weights : "pretrained", None, str or Path, default="pretrained"
        Weights of the backbone: "pretrained", or a ``.safetensors`` or ``.pth`` file. None
        initializes the network at random from a fixed seed.
    layer : str or int, default="pooled"
        Output to use: "pooled", or the name or index of a stage.
    pooling : {"default", "mean", "max", "cls"}, default="default"
        How token vectors are reduced to one vector per row; "default" is the backbone's own
        pooling, for ``"all-MiniLM-L6-v2"`` the mean, scaled to unit length.
    normalize : bool, default=False
        Whether to scale each row to unit length, for backbones that do not do so themselves.
    max_length : int or None, default=None
        Maximum number of tokens per text; None: the backbone's maximum. Of longer texts only the
        start is used, and a warning gives their number.
    prompt : str or None, default=None
        Text put before each text, for backbones that were trained with one, such as ``"query: "``.
        None: the default prompt of the backbone, if it has one.
    long_texts : {"truncate", "chunk"}, default="truncate"
        How to handle texts of more than `max_length` tokens: use only their start, with a warning
        that gives their number, or split them into chunks of similar length, between words where
        possible, and return the mean of the chunks' features. Every chunk counts alike, and the
        mean is not scaled to unit length again, unless ``normalize=True``.
    batch_size : int or "auto", default="auto"
        Rows per forward pass; features do not depend on it. "auto" fills batches with texts of
        similar length up to a number of tokens, and on a CPU computes several batches in parallel.
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
        How to handle a cell that is not a text, or whose features are not finite: raise an error
        that names its row, or return NaN for that row, with a warning.
    missing : {"raise", "nan", "empty"}, default="raise"
        How to handle None, NaN and blank texts: as cells that are not texts (see `on_error`);
        return NaN for that row, without a warning; or as the empty text.
    verbose : int, default=0
        Whether to show a progress bar of the rows to compute, where there are any.

    Attributes
    ----------
    n_features_in_ : int
        Always 1.
    feature_names_in_ : ndarray of str, shape (1,)
        Name of the column, if `fit` was given a DataFrame.
    fingerprint_ : str
        Digest of the backbone used in `fit`. Other weights are refused afterwards.

    See Also
    --------
    ImageEmbedder : Features of a column of images.
    TextClassifier : Fine-tuning on classes or labels.

    Notes
    -----
    With ``engine="openvino"`` a float32 row differs from torch's by at most 1e-4 of its length, and
    a bfloat16 row differs from the exact row about as much as torch's does. This is verified on a
    few rows before the converted network is used. If the check fails, or the network cannot be
    converted, torch computes the rows and an `EngineWarning` gives the reason.

    Examples
    --------
    >>> from sktransfer import TextEmbedder
    >>> rows = TextEmbedder(cache=False).fit_transform(["a cat", "a kitten", "tax return"])
    >>> rows.shape
    (3, 384)
    >>> bool(rows[0] @ rows[1] > rows[0] @ rows[2])
    True
    """

    backbone: Any = parameter(default="all-MiniLM-L6-v2", kw_only=False)
    prompt: str | None = parameter(str, None, default=None)
    long_texts: Literal["truncate", "chunk"] = parameter(
        StrOptions({"truncate", "chunk"}), default="truncate"
    )

    def _fit_column(self, X: Any) -> tuple[Column, Backbone]:
        column, backbone = super()._fit_column(X)
        if self.prompt is None and backbone.processor.prompts:
            first = next(iter(backbone.processor.prompts.values()))
            warn(
                f"{backbone.name!r} was trained with prompts before its texts, none of which is "
                f"its default: {backbone.processor.prompts}. No prompt is used. Set, for example, "
                f"prompt={first!r}; or prompt='' for none, without this warning.",
                PromptWarning,
            )
        return column, backbone

    def _modality(self) -> TextModality:
        return replace(super()._modality(), prompt=self.prompt, long_texts=self.long_texts)
