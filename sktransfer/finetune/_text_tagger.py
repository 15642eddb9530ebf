"""Fine-tuning on a column of texts, to label spans of them."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np

from sktransfer._compat import Interval, StrOptions, check_sample_weight
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import TextColumnEstimator
from sktransfer.exceptions import BackboneError
from sktransfer.finetune._base_fine_tuner import BaseFineTuner
from sktransfer.lazy import OutputSpec
from sktransfer.modalities.text import N_SPELLINGS, WordModality, Words, words_of

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone
    from sktransfer.training import Training
    from sktransfer.training.objectives import Objective
    from sktransfer.training.targets import SpanTarget, Target


class _Row:
    """Words of a row, as `SpanTarget.read` takes them."""

    def __init__(self, words: Words) -> None:
        self.words = words


@public
@with_parameters
class TextTagger(TextColumnEstimator, BaseFineTuner):
    """Label spans of texts, such as names, with a pretrained network and features of spelling.

    Each word of a text gets a tag by a linear layer on the network's tokens and a table of scores
    of its spelling (the word, its prefixes, suffixes, shape, digits, and the words beside it), both
    learned together; a conditional random field learns which tags follow each other. Predicted tags
    always form whole entities.

    `X` is a column of texts, whose words are runs of letters and digits, and other characters one
    by one; or of lists of words. `y` has one list per row: of texts, spans ``(start, end, label)``
    in characters, as tuples, as dicts with these keys, or as spaCy's ``Doc.to_json()`` has them in
    ``"ents"``; of lists of words, a tag per word in IOB1, IOB2, BILOU or BIOES. Predictions have
    the form that `y` had. Spans must neither overlap nor be empty; those that begin or end inside a
    word are widened, with a warning. Texts of more than `max_length` tokens are cut into windows
    that overlap, and each word is taken from the one in whose middle it is.

    Parameters
    ----------
    backbone : str or Path, default="all-MiniLM-L6-v2"
        Name from `list_backbones`, Hugging Face id (``"org/name"``) of an encoder, or local folder.
    weights : "pretrained", None, str or Path, default="pretrained"
        Weights of the backbone: "pretrained", or a ``.safetensors`` or ``.pth`` file. None
        initializes the network at random from a fixed seed.
    trainable : "head", int, "all", "gradual" or "lora", default="head"
        Part of the network to train. "head": scores of tags only; an integer k: also the last k
        stages up to `layer`; "all": all of them; "gradual": one more stage, from the top, in each
        epoch; "lora": low-rank adapters in all of them (requires the extra ``[lora]``). The rest of
        the network is frozen.
    layer : str or int, default="middle"
        Stage whose tokens are used: "middle", or its name or index. Stages above it are not
        computed. With few labelled texts and a frozen network, the middle is better than the last
        stage, -1.
    subwords : {"mean", "first"}, default="mean"
        What the vector of a word of several tokens is: their mean, or the first of them.
    spelling : bool, default=True
        Whether to learn from the spelling of each word and of the words beside it, too.
    decoder : {"crf", "viterbi", "greedy"}, default="crf"
        How tags are chosen. "crf": scores of tags in sequence are learned in a conditional random
        field, and the best sequence is predicted; "viterbi": each word is learned by itself, and
        the best possible sequence is predicted; "greedy": word by word, the best tag that may
        follow the one before.
    max_length : int or None, default=None
        Maximum number of tokens per window; None: the backbone's maximum. Longer texts are cut into
        several windows.
    max_epochs : int, default=20
        Number of passes over the training data.
    batch_size : int, default=8
        Rows per optimizer step. A last batch of a single row is merged with the batch before it.
    lr : float, default=0.003
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
    dropout : float, default=0.3
        Dropout probability of each feature before the head.
    early_stopping : bool, default=False
        Whether to stop when the validation loss no longer falls. The weights of the best epoch are
        kept.
    validation_fraction : float, default=0.1
        Fraction of the rows to hold out for early stopping, if `fit` gets no `X_val`.
    n_iter_no_change : int, default=5
        Number of epochs without a lower validation loss after which training stops.
    callbacks : list of skorch callbacks or None, default=None
        Callbacks of skorch for the training.
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
        row out of training, with a warning, and return None for its predictions.
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
    labels_ : list
        Labels of the entities, sorted.
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
    TextClassifier : One class, or labels, of a whole text.

    Examples
    --------
    >>> from sktransfer import TextTagger
    >>> names = ["Anna", "Peter", "Maria", "John", "Julia", "Paul"]
    >>> X = [f"yesterday {name} went home" for name in names]
    >>> y = [[(10, 10 + len(name), "PERSON")] for name in names]
    >>> tagger = TextTagger(cache=False, random_state=0).fit(X, y)
    >>> tagger.predict(["yesterday Laura went home"])
    [[(10, 15, 'PERSON')]]
    """

    backbone: Any = parameter(default="all-MiniLM-L6-v2", kw_only=False)
    layer: str | int = parameter(str, Integral, default="middle")
    subwords: Literal["mean", "first"] = parameter(StrOptions({"mean", "first"}), default="mean")
    spelling: bool = parameter("boolean", default=True)
    decoder: Literal["crf", "viterbi", "greedy"] = parameter(
        StrOptions({"crf", "viterbi", "greedy"}), default="crf"
    )
    max_epochs: int = parameter(Interval(Integral, 1, None, closed="left"), default=20)
    batch_size: int = parameter(Interval(Integral, 1, None, closed="left"), default=8)
    lr: float = parameter(default=3e-3)
    dropout: float = parameter(default=0.3)
    mixup: ClassVar[float] = 0.0  # type: ignore[misc]

    labels_: list[Any] = fitted()

    def predict(self, X: Any, *, return_scores: bool = False) -> list[list[Any] | None]:
        """Return the labelled spans, or the tags, of each row.

        Parameters
        ----------
        X : column of n texts or lists of words
            See the class.
        return_scores : bool, default=False
            Whether to add to each span the probability that exactly these words are one entity of
            its label, or to each tag its own: ``(start, end, label, score)``, a key ``"score"``, or
            ``(tag, score)``.

        Returns
        -------
        list of n lists
            In the form of the `y` of fit. None for cells that cannot be used, with
            ``on_error="nan"``.
        """
        from sktransfer.training import Marginals

        transitions = self._transitions(X)
        target = cast("SpanTarget", self._target)
        rows: list[list[Any] | None] = []
        for words, scores, tags in self._tagged(X, transitions):
            if words is None:
                rows.append(None)
                continue
            marginals = Marginals(scores, transitions) if return_scores else None
            rows.append(target.decode(tags.tolist(), words, marginals))
        return rows

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the micro-averaged F1 of entities.

        An entity is right if its words and its label are. Cells that cannot be used are left out.

        Parameters
        ----------
        X : column of n texts or lists of words
            See the class.
        y : list of n lists
            Spans or tags, as for `fit`.
        sample_weight : array-like of shape (n,), optional
            Weight of the entities of each row.

        Returns
        -------
        float
        """
        from sktransfer.training.targets import f1_of

        return f1_of(self._counts(X, y, sample_weight))

    def classification_report(self, X: Any, y: Any) -> dict[Any, dict[str, float]]:
        """Return precision, recall and F1 of entities per label.

        Parameters
        ----------
        X, y : column of n cells, and list of n lists
            As for `score`.

        Returns
        -------
        dict of dict of float
            ``precision``, ``recall``, ``f1-score`` and ``support`` (the number of true entities) of
            each label, and of all as ``"micro avg"``: ``pandas.DataFrame(report).T`` is a table.
        """
        counts = self._counts(X, y, None)
        total = sum(counts.values(), np.zeros(3))
        order = sorted(counts, key=lambda label: (isinstance(label, str), label))
        return {label: _measures(counts[label]) for label in order} | {
            "micro avg": _measures(total)
        }

    def transform(self, X: Any) -> np.ndarray:
        """Return the mean over the words of each text of the features below the head.

        Parameters
        ----------
        X : column of n texts or lists of words
            See the class.

        Returns
        -------
        ndarray of shape (n, d), float32
            NaN for cells that cannot be used, with ``on_error="nan"``.
        """
        rows = self._outputs(X, head=False)
        missing = np.full(self._n_features_out, np.nan, dtype=np.float32)
        return np.stack([missing if row is None else row.mean(axis=0) for row in rows])

    def _output_spec(self, method: str) -> OutputSpec:
        if method != "predict":
            return super()._output_spec(method)
        return OutputSpec(np.dtype(object), None)

    def _transitions(self, X: Any) -> np.ndarray:
        self._check_call(X)
        return self.module_.head.transitions.detach().cpu().numpy()

    def _tagged(self, X: Any, transitions: np.ndarray) -> list[tuple[Any, Any, Any]]:
        """Return words, scores of tags and tags of each row; None where a cell cannot be used."""
        from sktransfer.training import best_tags

        modality, greedy = self._modality(), self.decoder == "greedy"
        cells = modality.read(modality.column(X).cells)
        return [
            (None, None, None)
            if scores is None
            else (words_of(cell), scores, best_tags(scores, transitions, greedy=greedy))
            for cell, scores in zip(cells, self._outputs(X, head=True), strict=True)
        ]

    def _counts(self, X: Any, y: Any, sample_weight: Any) -> dict[Any, np.ndarray]:
        from sktransfer.training.targets import counts_of

        tagged = self._tagged(X, self._transitions(X))
        target = cast("SpanTarget", self._target)
        weights = check_sample_weight(sample_weight, np.empty((len(tagged), 1)))
        items = [None if words is None else _Row(words) for words, _, _ in tagged]
        rows = [
            (true, [] if tags is None or words.is_empty else target.entities(tags.tolist()))
            for (words, _, tags), true in zip(tagged, target.read(y, items), strict=True)
        ]
        return counts_of(rows, weights)

    def _modality(self) -> WordModality:
        return WordModality(self.max_length, self.missing, layer=self.layer, subwords=self.subwords)

    def _learn_target(self, y: Any, weights: np.ndarray) -> SpanTarget:
        from sktransfer.training.targets import SpanTarget

        return SpanTarget.learn(y)

    def _fit_attributes(self, training: Training) -> dict[str, Any]:
        target: Any = training.train.target
        return {**super()._fit_attributes(training), "labels_": target.labels}

    def _objective(self, target: Target, random: np.random.RandomState) -> Objective:
        from sktransfer.training.objectives import TagSequences

        return TagSequences(target, decoder=self.decoder)

    def _make_head(self, backbone: Backbone, target: Any) -> Any:
        from sktransfer.training.heads import TaggingHead

        return TaggingHead(
            backbone.feature_width("token", self._modality().recipe(backbone)),
            target.n_outputs,
            self.dropout,
            legal=target.legal,
            n_spellings=N_SPELLINGS if self.spelling else 0,
            learns_transitions=self.decoder == "crf",
        )

    def _adapted(self, backbone: Backbone) -> Backbone:
        from sktransfer.backbones import word_backbone

        return word_backbone(backbone, self.layer, self._modality().recipe(backbone))

    def __sktransfer_backbone__(self) -> Any:
        """Refuse: the network of a tagger gives words, and is cut at a stage."""
        raise BackboneError(
            "A TextTagger is no backbone: its network gives vectors of words. Use "
            "tagger.transform for features of texts."
        )


def _measures(counts: Sequence[float] | np.ndarray) -> dict[str, float]:
    right, predicted, true = map(float, counts)
    return {
        "precision": right / predicted if predicted else 0.0,
        "recall": right / true if true else 0.0,
        "f1-score": 2 * right / (predicted + true) if predicted + true else 0.0,
        "support": true,
    }
