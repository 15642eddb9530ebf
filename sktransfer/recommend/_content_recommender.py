"""Recommendations of items by their content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat import HasMethods, Interval
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer._public import public
from sktransfer._warnings import warn
from sktransfer.columns import describe
from sktransfer.exceptions import BadCellError, ColumnError, LeftOutWarning, TargetError
from sktransfer.recommend._content_vectors import content_vectors, fit_content
from sktransfer.recommend._features import check_names, features_of, names_of, scaled, scaling_of
from sktransfer.recommend._ids import as_array, one_column, plain_ids, positions_of
from sktransfer.recommend._ids import item_ids as item_ids_of
from sktransfer.recommend._interactions import Interactions, read_interactions
from sktransfer.recommend._ranking import best_items, recall
from sktransfer.recommend._towers import Histories, means, user_vectors

_POSITIVE = Interval(Integral, 1, None, closed="left")
_NEW_USERS = "for users without interactions, call recommend_for with what they like"
_NEW_ITEMS = "add new items by add_items"
_CUT = (
    "where there are as many items as interactions, cross-validation of scikit-learn cuts the "
    "items as it cuts these: then append a copy of the last interaction, which changes no fit"
)


@public
@with_parameters
class ContentRecommender(BaseEstimator):
    """Recommend items by their content and by what each user liked.

    Parameters
    ----------
    item_encoder : transformer or None, default=None
        Transforms the table or column of items to features: an embedder, a Pipeline or a
        ColumnTransformer. `fit` fits a clone of it; a fitted one is kept inside `FrozenEstimator`.
        None: the items are a matrix of features. All features are divided by one number, so those
        in other units need a scaler.
    min_rating : float or None, default=None
        Lowest rating of a like. What has a lower one was seen and not liked. None: all interactions
        with a rating above 0 are likes. Without ratings, each is 1.
    half_life : float or None, default=None
        Number of later likes of a user that halve the weight of a like. None: likes are weighted by
        their ratings only.
    n_factors : int, default=128
        Length of the vectors of items and users.
    max_epochs : int, default=40
        Number of passes over the training data.
    batch_size : int, default=64
        Users per optimizer step.
    lr : float, default=0.005
        Maximum learning rate.
    device : str, default="auto"
        Torch device; "auto" uses a GPU if there is one.
    random_state : int, RandomState or None, default=None
        Controls the order of users and all other random choices of the training.

    Attributes
    ----------
    history_ : list of dict
        One record per epoch, with its `train_loss`.
    item_encoder_ : transformer or None
        The fitted encoder.
    item_ids_ : ndarray of shape (items,)
        Ids of the items, in the order in which they were given.
    item_vectors_ : ndarray of shape (items, n_factors), float32
        Vectors of the items, from their content and from who liked them. NaN: an item without
        features.
    user_ids_ : ndarray of shape (users,)
        Ids of the users.

    See Also
    --------
    TextEmbedder : Features of a column of texts.

    Notes
    -----
    Two towers [1]_: the vector of an item is a linear map of its features, plus a code of its own
    that is learned from its likes; the vector of a user is made of the mean of the vectors of what
    the user liked, weighted by ratings and by `half_life`. The score of an item is the product of
    both.

    In each epoch, the likes of each user are cut in two, at a random time or at random, and those
    of the second part are predicted from the first. The items to choose from are those of any user
    of the batch, corrected for how often each is among these. Each item is encoded once.

    Items that nobody has liked, and those of `add_items` and `transform`, get their vectors from a
    kernel ridge regression of the vectors of the other items on their features, fitted to the
    4,000 items with the most likes.

    Users without likes get what is liked by most. Where all items have many likes, models that do
    not use content are as good: a linear one (EASE) has about the same recall in ``python -m
    benchmarks.recommend``. Content is needed for items with few likes or none.

    References
    ----------
    .. [1] Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
       Recommendations", 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import ContentRecommender
    >>> features = np.array([[1, 0], [0.9, 0], [0, 1], [0, 0.9]])
    >>> likes = [("ann", 0), ("bob", 2), ("eve", 1), ("eve", 0), ("joe", 2), ("joe", 3)]
    >>> model = ContentRecommender(random_state=0).fit(likes, items=features)
    >>> model.recommend(["ann", "bob"], k=1)
    array([[1],
           [3]])
    """

    item_encoder: Any = parameter(
        HasMethods(["fit", "transform"]), None, default=None, kw_only=False
    )
    min_rating: float | None = parameter(
        Interval(Real, None, None, closed="neither"), None, default=None
    )
    half_life: float | None = parameter(
        Interval(Real, 0, None, closed="neither"), None, default=None
    )
    n_factors: int = parameter(_POSITIVE, default=128)
    max_epochs: int = parameter(_POSITIVE, default=40)
    batch_size: int = parameter(_POSITIVE, default=64)
    lr: float = parameter(Interval(Real, 0, None, closed="neither"), default=5e-3)
    device: str = parameter(str, default="auto")
    random_state: Any = parameter("random_state", default=None)

    history_: list[dict[str, Any]] = fitted()
    item_encoder_: Any = fitted()
    item_ids_: np.ndarray = fitted()
    item_vectors_: np.ndarray = fitted()
    user_ids_: np.ndarray = fitted()
    _names: list[str] | None = fitted()

    def fit(self, X: Any, y: Any = None, *, items: Any, item_ids: Any = None) -> Self:
        """Encode the items, and train on what the users liked.

        Parameters
        ----------
        X : frame, array or list of tuples, of n interactions
            Columns named "user" and "item", and perhaps "rating" and "time", where others are
            ignored; or two to four columns in this order. Ratings are numbers from 0 on; times are
            numbers, datetimes or strings of ISO 8601, and only their order counts, to the
            microsecond; those without a zone are of UTC. Without times, the rows are in the order
            of time. Of a user and item that come twice, the last counts.
        y : None
            Ignored.
        items : frame, column or array of shape (items, features)
            One row per item, as the encoder takes it; also of items that nobody has liked.
        item_ids : array-like of shape (items,), optional
            Their ids. None: the index of a pandas object, else 0, 1, 2, ...

        Returns
        -------
        self
        """
        from sktransfer.recommend._train_towers import train_towers

        self._validate_params()
        random = check_random_state(self.random_state)
        ids, interactions = item_ids_of(items, item_ids), read_interactions(X)
        hint = _CUT if len(ids) == len(interactions.items) else ""
        places = self._places(interactions, _numbered(ids), hint)
        encoder = None if self.item_encoder is None else clone(self.item_encoder)
        raw = features_of(encoder, items, fit=True)
        scaling = scaling_of(raw)
        features = scaled(raw, scaling)
        is_good = np.isfinite(features).all(axis=1)
        _warn_of_bad(is_good)
        order = interactions.order
        users = list(dict.fromkeys(interactions.users[row] for row in order))
        numbers = _numbered(users)
        rows = np.array([numbers[user] for user in interactions.users])
        weights = np.where(is_good[places], self._weights_of(interactions), 0)
        histories = Histories.of(rows[order], places[order], weights[order], len(users))
        if not (histories.weights > 0).any():
            raise TargetError(
                "no interaction is a like: of each, the rating is 0 or below "
                f"min_rating={self.min_rating}, or the item has no features"
            )
        log: list[dict[str, Any]] = []
        vectors, user_tower = train_towers(features, histories, self, random, log)
        likes = np.bincount(histories.items[histories.weights > 0], minlength=len(ids))
        content = fit_content(features, vectors, likes)
        is_liked = likes[:, np.newaxis] > 0
        # After all that may fail, which leaves an earlier fit as it is.
        self.item_vectors_ = np.where(is_liked, vectors, content_vectors(content, features))
        self.history_, self.item_encoder_, self._likes = log, encoder, vars(histories)
        self._names, self._scaling = names_of(items), scaling
        self._user_tower, self._content = user_tower, content
        self.user_ids_, self.item_ids_ = as_array(users), as_array(ids)
        return self

    def recommend(
        self,
        users: Any,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        return_scores: bool = False,
    ) -> Any:
        """Return the k best items for users of the fit.

        Parameters
        ----------
        users : array-like of n ids
            Users that the interactions of `fit` have.
        k : int, default=10
            Number of items per user.
        exclude_seen : bool, default=True
            Whether to leave out items that the user has in the interactions, liked or not.
        candidates : array-like of ids, optional
            Items to choose among. None: all.
        return_scores : bool, default=False
            Whether to return the scores too.

        Returns
        -------
        items : ndarray of shape (n, k)
            Ids of items, the best first.
        scores : ndarray of shape (n, k)
            With ``return_scores=True``. Larger is better; only scores of one user can be compared.
        """
        check_is_fitted(self)
        ids = plain_ids(one_column(users, "users"), "the user")
        rows = positions_of(ids, _numbered(self.user_ids_.tolist()), "the user", _NEW_USERS)
        histories = Histories(**self._likes).take(rows)
        return self._recommend(histories, ids, k, exclude_seen, candidates, return_scores)

    def recommend_for(
        self,
        liked: Sequence[Any],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        return_scores: bool = False,
    ) -> Any:
        """Return the k best items for those who like some items, such as new users.

        Parameters
        ----------
        liked : sequence of n lists of ids
            Items that each one likes, the latest last. An empty list gives what is liked by most.
        k : int, default=10
            Number of items per list.
        exclude_seen : bool, default=True
            Whether to leave out the items of the list.
        candidates : array-like of ids, optional
            Items to choose among. None: all.
        return_scores : bool, default=False
            Whether to return the scores too.

        Returns
        -------
        items : ndarray of shape (n, k)
            Ids of items, the best first.
        scores : ndarray of shape (n, k)
            With ``return_scores=True``.
        """
        check_is_fitted(self)
        known, lists = _numbered(self.item_ids_.tolist()), []
        for row, items in enumerate(liked):
            if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
                raise ColumnError(
                    f"row {row} of liked is {describe(items)}, not a list of items; for one user, "
                    "pass a list that has one list"
                )
            where = f"row {row} of liked".format
            ids = plain_ids(items, "an item", where)
            places = positions_of(ids, known, "the item", _NEW_ITEMS, where)
            lists.append(places[np.isfinite(self.item_vectors_[places, 0])])
        histories = Histories.from_lists(lists)
        names = [f"row {row}" for row in range(len(lists))]
        return self._recommend(histories, names, k, exclude_seen, candidates, return_scores)

    def add_items(self, items: Any, *, item_ids: Any = None) -> Self:
        """Add items that can be recommended from now on, without training.

        Parameters
        ----------
        items : frame, column or array
            As in `fit`.
        item_ids : array-like, optional
            As in `fit`.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        ids, known = item_ids_of(items, item_ids), set(self.item_ids_.tolist())
        for row, key in enumerate(ids):
            if key in known:
                raise BadCellError(f"row {row}: the item {describe(key)} is known already", row=row)
        vectors = self.transform(items)
        _warn_of_bad(np.isfinite(vectors[:, 0]))
        self.item_ids_ = as_array([*self.item_ids_.tolist(), *ids])
        self.item_vectors_ = np.concatenate([self.item_vectors_, vectors])
        return self

    def transform(self, items: Any) -> np.ndarray:
        """Return the vectors of items by their content alone, known or new.

        Parameters
        ----------
        items : frame, column or array
            As in `fit`.

        Returns
        -------
        ndarray of shape (items, n_factors), float32
            Items that are liked by the same users have vectors with a large cosine.
        """
        check_is_fitted(self)
        if self.item_encoder_ is None:
            check_names(items, self._names)
        features = features_of(self.item_encoder_, items, fit=False)
        width = len(self._scaling["mean"])
        if features.shape[1] != width:
            raise ColumnError(
                f"the items have {features.shape[1]} features, and those of fit had {width}"
            )
        return content_vectors(self._content, scaled(features, self._scaling))

    def score(self, X: Any, y: Any = None, *, k: int = 10, candidates: Any = None) -> float:
        """Return the recall at k of later likes, the mean over users.

        The recall of a user is the number of likes among the k recommended items, divided by the
        number of likes, or by k if that is smaller. What the user has in the interactions of
        `fit` is neither recommended nor counted.

        Parameters
        ----------
        X : frame, array or list of tuples
            Interactions after those of the fit, as in `fit`.
        y : None
            Ignored.
        k : int, default=10
            Number of recommended items.
        candidates : array-like of ids, optional
            Items to choose among; other likes are not counted. None: all.

        Returns
        -------
        float
        """
        check_is_fitted(self)
        _check_k(k)
        later = read_interactions(X)
        places = self._places(later, _numbered(self.item_ids_.tolist()))
        known = _numbered(self.user_ids_.tolist())
        rows = np.array([known.get(user, -1) for user in later.users])
        if (rows < 0).any():
            missing = len({u for u, row in zip(later.users, rows, strict=True) if row < 0})
            warn(f"{missing} user(s) are not in the fit and are left out.", LeftOutWarning)
        allowed = self._allowed(candidates)
        is_used = (rows >= 0) & (self._weights_of(later) > 0) & allowed[places]
        users, inverse = np.unique(rows[is_used], return_inverse=True)
        seen, n_items = Histories(**self._likes).take(users), len(allowed)
        wanted = np.setdiff1d(
            inverse * n_items + places[is_used], seen.rows() * n_items + seen.items
        )
        if not len(wanted):
            raise TargetError(
                "no row is a like, of a user of the fit, of an item that can be recommended to them"
            )
        top, scores = self._best(seen, min(k, n_items), allowed, exclude_seen=True)
        return float(recall(np.where(np.isfinite(scores), top, -1), wanted, n_items).mean())

    def _recommend(
        self,
        histories: Histories,
        names: Sequence[Any],
        k: int,
        exclude_seen: bool,
        candidates: Any,
        return_scores: bool,
    ) -> Any:
        allowed = self._allowed(candidates)
        _check_k(k)
        _check_left(k, int(allowed.sum()), "there are {} items to choose from")
        top, scores = self._best(histories, k, allowed, exclude_seen=exclude_seen)
        left = np.isfinite(scores).sum(axis=1)
        for row in np.flatnonzero(left < k)[:1]:
            _check_left(k, int(left[row]), f"{describe(names[row])} has {{}} unseen items left")
        found = self.item_ids_[top]
        return (found, scores) if return_scores else found

    def _places(
        self, interactions: Interactions, known: dict[Any, int], hint: str = ""
    ) -> np.ndarray:
        """Return the positions of the items of interactions."""
        advice = f"ids of items are {_examples(known)}: the index of a pandas object, or item_ids"
        advice = f"{advice}; {hint}" if hint else advice
        return positions_of(interactions.items, known, "the item", advice, interactions.table.where)

    def _weights_of(self, interactions: Interactions) -> np.ndarray:
        """Return how much each interaction is a like; 0 if it is none."""
        if self.min_rating is None:
            return interactions.ratings
        return np.where(interactions.ratings < self.min_rating, 0, interactions.ratings)

    def _best(
        self, histories: Histories, k: int, allowed: np.ndarray, *, exclude_seen: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions and scores of the best items of each history."""
        self._validate_params()  # half_life may have been set since
        weights = means(histories.liked(), len(self.item_ids_), self.half_life)
        users = user_vectors(self._user_tower, weights @ np.nan_to_num(self.item_vectors_))
        seen = histories if exclude_seen else None
        return best_items(users, self.item_vectors_, k, allowed=allowed, seen=seen)

    def _allowed(self, candidates: Any) -> np.ndarray:
        """Return whether each item can be recommended."""
        is_good = np.isfinite(self.item_vectors_[:, 0])
        if candidates is None:
            return is_good
        ids = plain_ids(one_column(candidates, "candidates"), "the candidate")
        known = _numbered(self.item_ids_.tolist())
        allowed = np.zeros(len(is_good), dtype=bool)
        allowed[positions_of(ids, known, "the candidate", _NEW_ITEMS)] = True
        return allowed & is_good


def _numbered(ids: Sequence[Any]) -> dict[Any, int]:
    return {key: place for place, key in enumerate(ids)}


def _examples(ids: Iterable[Any]) -> str:
    return ", ".join(describe(key) for key in islice(ids, 3)) + ", ..."


def _check_k(k: int) -> None:
    if not isinstance(k, Integral) or isinstance(k, bool) or k < 1:
        raise ValueError(f"k={k!r} is not a number of items from 1 on")


def _check_left(k: int, left: int, message: str) -> None:
    if k > left:
        raise ValueError(f"k={k} is too large: {message.format(left)}")


def _warn_of_bad(is_good: np.ndarray) -> None:
    if not is_good.all():
        bad = np.flatnonzero(~is_good)
        warn(
            f"{len(bad)} item(s) have no finite features and are never recommended: row(s) "
            f"{', '.join(map(str, bad[:5]))}{', ...' if len(bad) > 5 else ''}.",
            LeftOutWarning,
        )
