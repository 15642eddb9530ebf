"""Texts to classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from sktransfer._public import public
from sktransfer.finetune._classifier import FineTunedClassifier
from sktransfer.finetune._text import TextFineTuner


@public
class TextClassifier(TextFineTuner, FineTunedClassifier):
    """Texts to classes, by a pretrained network that learns as much as is opened of it.

    A column of texts is what `TextEmbedder` takes. Targets are classes of any kind, or a
    matrix of zeros and ones for any number of labels a row.

    Parameters
    ----------
    backbone : str or Path, default="all-MiniLM-L6-v2"
        A name from `list_backbones`, a Hugging Face id (``"org/name"``) of an encoder, or a
        local folder.
    weights : "pretrained", None, str or Path, default="pretrained"
        None draws random weights from a fixed seed; otherwise the name of weights that the
        backbone's source knows, or a ``.safetensors`` or ``.pth`` file.
    trainable : "head", int, "all", "gradual" or "lora", default="head"
        What learns: a linear layer on the features; with an integer k also the last k stages;
        all stages; in "gradual" one more stage from the top in each epoch; in "lora" small
        matrices beside the weights of all stages (extra ``[lora]``). Everything else stays as
        it is, statistics of batch norms too.
    max_length : int, default=None
        Tokens kept of a text. None: as many as the backbone was made for.
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
    contrastive_epochs : int, default=0
        Epochs before all others in which the opened stages bring rows of a class together and
        others apart, in batches with as many rows of each class, 32 of them at least, and with a
        tenth of `lr`. After them the head learns alone. For few labels, see Notes.
    augment : {None, "token_dropout"}, default=None
        What is done to training texts in each epoch anew: "token_dropout" leaves out one token
        in ten.
    mixup : float, default=0.0
        Rows are mixed with others by shares from a beta distribution of this parameter.
    dropout : float, default=0.0
        Share of the features that the head does not see in a step.
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss; "balanced" gives all classes the same sum.
    early_stopping : bool, default=False
        Whether to stop when the loss on held-out rows falls no more; the weights of the best
        epoch are kept.
    validation_fraction : float, default=0.1
        Share of the rows that is held out for it, where `fit` gets no `X_val`.
    n_iter_no_change : int, default=5
        Epochs to wait for a lower loss.
    callbacks : list of skorch callbacks, default=None
        Called as skorch does, with classes as their numbers. ``EpochScoring("roc_auc")`` works.
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
        of training, with a warning, and have NaN for features and probabilities.
    missing : {"raise", "nan", "empty"}, default="raise"
        What None, NaN and blank texts do: count as cells that are no text (see `on_error`), be
        left out of training and have NaN for features, or stand for the empty text.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit.
    random_state : int, RandomState or None, default=None
        Decides the order of rows and all else that is random.
    verbose : int, default=0
        Whether each epoch is shown.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels.
    module_ : torch.nn.Module
        The network and its head.
    history_ : list of dict
        One record an epoch: ``pandas.DataFrame(estimator.history_)``.
    best_epoch_ : int
        The epoch whose weights were kept, counted from 1.
    n_features_in_ : int
        Always 1.
    feature_names_in_ : ndarray of one str
        Name of the column, where `fit` was given a frame.
    fingerprint_ : str
        Digest of the backbone that was fitted with; another one is refused later.

    See Also
    --------
    TextEmbedder : Features of the network as it is, for any other model.
    TextRegressor : The same for numbers.

    Notes
    -----
    For few labels, up to some dozens of a class, begin with
    ``TextClassifier(trainable=4, contrastive_epochs=6, batch_size=16)``, without `augment`: to
    leave out a word costs more than it teaches there. With more labels,
    ``TextClassifier(trainable="all", lr=4e-4, layer_decay=0.8, batch_size=16, max_epochs=3)``.
    ``python -m benchmarks.few_labels`` and ``python -m benchmarks.learning`` measure both.

    Examples
    --------
    >>> from sktransfer import TextClassifier
    >>> X = ["good", "lovely", "great film", "bad", "awful", "a terrible film"]
    >>> y = ["+", "+", "+", "-", "-", "-"]
    >>> classifier = TextClassifier(cache=False, random_state=0).fit(X, y)
    >>> classifier.predict(["wonderful", "horrible"])
    array(['+', '-'], dtype='<U1')
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **FineTunedClassifier._parameter_constraints,
        **TextFineTuner._parameter_constraints,
    }

    def __init__(
        self,
        backbone: Any = "all-MiniLM-L6-v2",
        *,
        weights: str | Path | None = "pretrained",
        trainable: str | int = "head",
        max_length: int | None = None,
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
        contrastive_epochs: int = 0,
        augment: str | None = None,
        mixup: float = 0.0,
        label_smoothing: float = 0.0,
        dropout: float = 0.0,
        class_weight: dict | list | str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        callbacks: list[Any] | None = None,
        reuse_activations: bool | str = "auto",
        precision: str = "float32",
        device: str = "auto",
        cache: bool | str | Path = True,
        on_error: str = "raise",
        missing: Literal["raise", "nan", "empty"] = "raise",
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.trainable = trainable
        self.max_length = max_length
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
        self.contrastive_epochs = contrastive_epochs
        self.augment = augment
        self.mixup = mixup
        self.label_smoothing = label_smoothing
        self.dropout = dropout
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.reuse_activations = reuse_activations
        self.precision = precision
        self.device = device
        self.cache = cache
        self.on_error = on_error
        self.missing = missing
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
