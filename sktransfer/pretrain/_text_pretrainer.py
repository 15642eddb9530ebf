"""Training on a column of texts without labels."""

from numbers import Real
from typing import Any

from sktransfer._compat import HasMethods, Interval, StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import TextColumnEstimator
from sktransfer.pretrain._base_pretrainer import BasePretrainer


@public
@with_parameters
class TextPretrainer(TextColumnEstimator, BasePretrainer):
    """Continue the training of a pretrained network on texts without labels.

    The network adapts to the words and subjects of the column. The fitted pretrainer gives
    features by `transform`, and is a `backbone` for embedders and fine-tuners. Columns of texts
    are those of `TextEmbedder`.

    Parameters
    ----------
    backbone : str or Path, default="all-MiniLM-L6-v2"
        Name from `list_backbones`, Hugging Face id (``"org/name"``) of an encoder, or local folder.
    weights : "pretrained", None, str or Path, default="pretrained"
        Weights of the backbone: "pretrained", or a ``.safetensors`` or ``.pth`` file. None
        initializes the network at random from a fixed seed.
    trainable : int, "all", "gradual" or "lora", default="all"
        Part of the network to train. "all": all stages; an integer k: the last k stages; "gradual":
        one more stage, from the top, in each epoch; "lora": low-rank adapters in all stages
        (requires the extra ``[lora]``). The rest of the network is frozen, including the statistics
        of its batch norms.
    objective : {"mlm", "simcse"} or objective, default="mlm"
        What is minimized. "mlm": masked language modelling; 15 % of the tokens are hidden, as BERT
        has it, and predicted by a head that is tied to the word embeddings. "simcse": two views of
        each text, which differ by dropout and left-out tokens, are told from those of the other
        texts of the batch. Or an instance of a subclass of
        ``sktransfer.training.objectives.SelfSupervised``.
    mask_fraction : float, default=0.15
        Fraction of the tokens to predict with ``objective="mlm"``.
    token_dropout : float, default=0.3
        Fraction of the tokens that a view leaves out with ``objective="simcse"``.
    temperature : float, default=0.05
        Temperature of the similarities with ``objective="simcse"``: with a lower one, the most
        similar other texts count more.
    max_length : int or None, default=None
        Maximum number of tokens per text; None: the backbone's maximum. Of longer texts only the
        start is used, and a warning gives their number.
    max_epochs : int, default=2
        Number of passes over the training data.
    batch_size : int, default=32
        Rows per optimizer step. A last batch of a single row is merged with the batch before it.
    lr : float, default=0.0001
        Maximum learning rate, that of the last stage and of the objective's head; "simcse" trains
        with a fifth of it.
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
    missing : {"raise", "nan", "empty"}, default="raise"
        How to handle None, NaN and blank texts: as cells that are not texts (see `on_error`); leave
        the row out of training and return NaN for its features; or as the empty text.
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
        Always 1.
    feature_names_in_ : ndarray of str, shape (1,)
        Name of the column, if `fit` was given a DataFrame.
    fingerprint_ : str
        Digest of the backbone used in `fit`. Other weights are refused afterwards.

    See Also
    --------
    TextClassifier : Fine-tuning on classes or labels.
    compare_pretrained : Whether pre-training helped, with few labels.

    Notes
    -----
    Worth trying on texts of another kind than the network has seen, such as questions and messages.
    On texts like those that it has seen, such as news, it loses: `compare_pretrained` shows which
    case it is. There, ``trainable=2`` and standardized features lose least.

    Texts that occur twice in a batch are told apart in vain by "simcse": leave copies out.

    Examples
    --------
    >>> from sktransfer import TextPretrainer
    >>> X = ["a good film", "a bad film", "the worst of films", "lovely", "awful", "great"]
    >>> pretrainer = TextPretrainer(max_epochs=1, cache=False, random_state=0).fit(X)
    >>> pretrainer.transform(["a fine film"]).shape
    (1, 384)
    """

    backbone: Any = parameter(default="all-MiniLM-L6-v2", kw_only=False)
    objective: Any = parameter(
        StrOptions({"mlm", "simcse"}), HasMethods(["loss", "head"]), default="mlm"
    )
    token_dropout: float = parameter(Interval(Real, 0, 1, closed="left"), default=0.3)
    temperature: float = parameter(default=0.05)
    max_epochs: int = parameter(default=2)
    lr: float = parameter(default=1e-4)
