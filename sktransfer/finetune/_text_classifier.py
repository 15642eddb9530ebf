"""Fine-tuning on a column of texts, to predict classes or labels."""

from typing import Any

from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.finetune._classifier import FineTunedClassifier
from sktransfer.finetune._text_fine_tuner import TextFineTuner


@public
@with_parameters
class TextClassifier(TextFineTuner, FineTunedClassifier):
    """Classify texts with a pretrained network, fine-tuned as far as `trainable` says.

    Columns of texts are those of `TextEmbedder`. Targets are classes of any type, one per row,
    or a matrix of zeros and ones with any number of labels per row.

    Parameters
    ----------
    backbone : str or Path, default="all-MiniLM-L6-v2"
        Name from `list_backbones`, Hugging Face id (``"org/name"``) of an encoder, or local folder.
    weights : "pretrained", None, str or Path, default="pretrained"
        Weights of the backbone: "pretrained", or a ``.safetensors`` or ``.pth`` file. None
        initializes the network at random from a fixed seed.
    trainable : "head", int, "all", "gradual" or "lora", default="head"
        Part of the network to train. "head": a linear layer on the features; an integer k: also the
        last k stages; "all": all stages; "gradual": one more stage, from the top, in each epoch;
        "lora": low-rank adapters in all stages (requires the extra ``[lora]``). The rest of the
        network is frozen, including the statistics of its batch norms.
    max_length : int or None, default=None
        Maximum number of tokens per text; None: the backbone's maximum. Of longer texts only the
        start is used, and a warning gives their number.
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
    contrastive_epochs : int, default=0
        Number of epochs of supervised contrastive training before all others: the unfrozen stages
        move rows of the same class together and rows of different classes apart, in class-balanced
        batches, at least 32 per epoch, with a tenth of `lr`. Then only the head is trained. Useful
        with few labels, see Notes.
    augment : {None, "token_dropout"}, default=None
        Augmentation of the training texts, drawn anew in each epoch: "token_dropout" drops each
        token with a probability of 0.1.
    mixup : float, default=0.0
        Parameter of the beta distribution that mixup draws its mixing weights from; 0 disables
        mixup.
    dropout : float, default=0.0
        Dropout probability of each feature before the head.
    label_smoothing : float, default=0.0
        Fraction of the target that is spread evenly over all classes.
    class_weight : dict, list of dict, "balanced" or None, default=None
        Weight of each class in the loss; "balanced" gives all classes the same total weight. For a
        matrix of labels, a list has one dict per label.
    early_stopping : bool, default=False
        Whether to stop when the validation loss no longer falls. The weights of the best epoch are
        kept.
    validation_fraction : float, default=0.1
        Fraction of the rows to hold out for early stopping, if `fit` gets no `X_val`.
    n_iter_no_change : int, default=5
        Number of epochs without a lower validation loss after which training stops.
    callbacks : list of skorch callbacks or None, default=None
        Callbacks of skorch for the training. Their targets are classes encoded as integers, so
        ``EpochScoring("roc_auc")`` works.
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
        row out of training, with a warning, and return NaN for its features and probabilities.
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
    TextEmbedder : Features of the pretrained network, for any other model.
    TextRegressor : Fine-tuning on numbers.

    Notes
    -----
    With up to some dozens of rows per class, start with
    ``TextClassifier(trainable=4, contrastive_epochs=6, batch_size=16)`` and without `augment`:
    dropping a token costs more accuracy there than it gains. With more rows, start with
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

    backbone: Any = parameter(default="all-MiniLM-L6-v2", kw_only=False)
