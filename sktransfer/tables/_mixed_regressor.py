"""Training on several columns of a table together, to predict numbers."""

from sktransfer._parameters import with_parameters
from sktransfer._public import public
from sktransfer.finetune import RegressorOfRows
from sktransfer.tables._mixed_trainer import MixedTrainer


@public
@with_parameters
class MixedRegressor(RegressorOfRows, MixedTrainer):
    """Predict numbers from several columns of a table, whose networks are trained together.

    Towers, tables and missing cells are those of `MixedClassifier`. Targets are one or several
    numbers per row; they are standardized for the training.

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
    MixedClassifier : The same for classes and labels.
    TextRegressor : Fine-tuning on one column of texts.

    Notes
    -----
    Ridge regression on a `TableEmbedder` takes seconds; compare with it first. Of the logarithm of
    the size of an icon's file, from picture, name and two numbers, the frozen features of all
    columns give an R² of .546 by ridge regression, towers with ``trainable="head"`` .515, and two
    trained stages of the text network .529 (3 folds, ``python -m benchmarks.mixed --part
    numbers``): frozen features win there. With ``trainable="head"`` in all towers, this is linear
    regression on frozen features, but trained by gradient steps. Towers gain where a target needs
    trained stages, as classes of icons do (see `MixedClassifier`), where cells are missing, and
    where a column may be missing in `predict`.

    What `MixedClassifier` says of tables without images and texts, and of towers that are no
    fine-tuners, holds here too.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktransfer import MixedRegressor, TextRegressor
    >>> table = pd.DataFrame({"title": ["cheap", "dear"] * 8, "size": range(16)})
    >>> y = [1.0, 9.0] * 8
    >>> model = MixedRegressor({"title": TextRegressor(cache=False)}, max_epochs=20, lr=0.01)
    >>> model.set_params(random_state=0).fit(table, y).score(table, y) > 0.9
    True
    """
