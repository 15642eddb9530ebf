"""Training on several columns of a table together, to predict classes or labels."""

from sktransfer._parameters import with_parameters
from sktransfer._public import public
from sktransfer.finetune import ClassifierOfRows
from sktransfer.tables._mixed_trainer import MixedTrainer


@public
@with_parameters
class MixedClassifier(ClassifierOfRows, MixedTrainer):
    """Classify the rows of a table by several columns, whose networks are trained together.

    Each column of images, texts or sounds has a tower: a pretrained network, trained as far as its
    `trainable` says. Late fusion: the features of all towers are standardized (a `TableEmbedder`
    keeps the weights of its columns), those of each tower are divided by the root of their number,
    and one linear layer on all of them predicts. Targets are classes of any type, one per row, or a
    matrix of zeros and ones with any number of labels per row.

    A table is a DataFrame of pandas or polars, an Arrow table, or an array of shape (n, c). Columns
    of DataFrames are found by name; where `fit` or `predict` gets an array, by position.

    A missing cell (None, NaN, an empty text) is no error: in its place, the tower has a blank,
    which is learned; a tower of several columns has it where all of them are missing. (A fine-tuner
    with ``missing="empty"`` reads an empty text instead.) A cell that cannot be used is an error
    that names its row and column, or a blank if the tower has ``on_error="nan"``.

    Parameters
    ----------
    towers : dict or "auto", default="auto"
        What computes on which columns: estimators by the name of their column (of an array, its
        number), or by any other name as pairs of an estimator and its columns. A fine-tuner is a
        network that is trained with the others: of its parameters, those count that say how cells
        become features and what is trained (`backbone`, `trainable`, `lr` of its unfrozen stages,
        `layer_decay`, `weight_decay`, `augment`, `reuse_activations`, `precision`, `cache`,
        `on_error` and those of its cells). Any other transformer is fitted before, and its features
        stay fixed. None leaves a column out. Columns without a tower are recognized as those of
        `TableEmbedder` are: images, texts and sounds have a fine-tuner with ``trainable="head"``,
        and the others share a `TableEmbedder`, named "rest". A tower "rest" takes all of them
        instead. "auto": all columns are recognized.
    modality_dropout : float, default=0.0
        Probability with which a training step replaces a tower of a row by its blank, so that the
        others learn to do without it. At least one tower per row is kept.
    max_epochs : int, default=10
        Number of passes over the training data.
    batch_size : int, default=32
        Rows per optimizer step. A last batch of a single row is merged with the batch before it.
    lr : float, default=0.001
        Maximum learning rate of the head. That of the unfrozen stages of a tower is the tower's own
        `lr` times its `layer_decay`.
    optimizer : {"adamw", "adam", "sgd"}, default="adamw"
        Optimization algorithm.
    momentum : float, default=0.9
        Momentum of ``optimizer="sgd"``.
    weight_decay : float, default=0.01
        Weight decay of the head. Towers have their own.
    lr_schedule : {"cosine", "onecycle", "constant"}, default="cosine"
        Learning rate schedule after the warm-up.
    warmup : float, default=0.1
        Fraction of the optimizer steps during which the learning rate rises to its maximum.
    probe_epochs : int, default=0
        Number of epochs, before all others, in which only the head is trained.
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
    device : str, default="auto"
        Torch device; "auto" uses a GPU if there is one.
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
    towers_ : dict of str to estimator
        Fitted towers by name. A fine-tuner among them has its trained network and no head: its
        `transform` gives the features of its column, and it can be the `backbone` of another
        estimator.
    history_ : list of dict
        One record per epoch: ``pandas.DataFrame(estimator.history_)``. Its ``seconds`` include
        scoring the validation rows.
    best_epoch_ : int
        Epoch whose weights were kept, counted from 1.
    n_features_in_ : int
        Number of columns of the table passed to `fit`.
    feature_names_in_ : ndarray of str, shape (c,)
        Names of the columns, if `fit` was given a DataFrame.

    See Also
    --------
    TextClassifier : Fine-tuning on one column of texts.
    ImageClassifier : Fine-tuning on one column of images.
    AudioClassifier : Fine-tuning on one column of sounds.

    Notes
    -----
    Outputs of the frozen part of a tower are computed once, as `reuse_activations` of the tower
    says. With ``trainable="head"`` in all towers, this is logistic regression on frozen features,
    trained by gradient steps, and as accurate as that: .709 on 1,486 icons of 13 kinds. With two
    trained stages of the text network the accuracy was .727, with one of the image network too
    .737 (3 folds, spreads of .005 to .017, ``python -m benchmarks.mixed``). Frozen features in a
    pipeline have neither blanks for missing cells nor `modality_dropout`, which helps where a
    column is missing in `predict`: without the names of the icons .458 with it, .411 without.

    Tables of numbers and categories alone gain nothing here: a `TableEmbedder` with logistic
    regression is as accurate and faster.

    Towers that are no fine-tuners are fitted once, on all rows of the first `fit`; where they learn
    from targets, also on those of rows that early stopping holds out, unless these are passed as
    `X_val`. With `warm_start`, and in `partial_fit`, they stay as they are, and fine-tuners go on
    with the parameters that they have now. A transformer whose columns have no cell in the first
    `fit` is left out, with a warning.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktransfer import MixedClassifier, TextClassifier
    >>> table = pd.DataFrame({
    ...     "title": ["good", "lovely", None, "bad", "awful", "terrible"],
    ...     "stars": [5, 4, 5, 1, 2, None],
    ... })
    >>> y = ["+", "+", "+", "-", "-", "-"]
    >>> model = MixedClassifier({"title": TextClassifier(cache=False)}, random_state=0)
    >>> model.fit(table, y).predict(pd.DataFrame({"title": ["great", None], "stars": [5, 1]}))
    array(['+', '-'], dtype='<U1')
    """
